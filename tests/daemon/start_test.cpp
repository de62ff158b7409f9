// What a unit's program is started with: everything the host says is played.
#include "daemon/start.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

using namespace berth;

namespace {

struct Host {
    std::map<std::string, std::string> variables;
    std::map<std::string, uid_t> users{{"berth", 901}, {"berth-runner", 902}};
    std::map<std::string, int, std::less<>> sockets{{"runner", 5}, {"launcher", 3}, {"egress", 4}};
    std::vector<std::string> files;

    UnitFacts facts() const {
        return {[this](const char* name) -> std::optional<std::string> {
                    const auto found = variables.find(name);
                    if (found == variables.end()) return {};
                    return found->second;
                },
                [this](const char* user) -> std::optional<uid_t> {
                    const auto found = users.find(user);
                    if (found == users.end()) return {};
                    return found->second;
                },
                [this](std::string_view name) -> std::optional<int> {
                    const auto found = sockets.find(name);
                    if (found == sockets.end()) return {};
                    return found->second;
                },
                [this](const std::filesystem::path& path) {
                    return std::ranges::find(files, path.string()) != files.end();
                }};
    }
};

Config read(const char* text) {
    auto config = parse_config(text, "c");
    REQUIRE(config);
    return *config;
}

// The word after `option`; empty: it is not there.
std::string after(const std::vector<std::string>& words, const std::string& option) {
    const auto found = std::ranges::find(words, option);
    return found == words.end() || found + 1 == words.end() ? "" : *(found + 1);
}

}  // namespace

TEST_CASE("each program gets its own socket and the user that may connect there", "[daemon]") {
    const Host host;
    const auto runner = unit_command(Config{}, "berth-runner", host.facts());
    REQUIRE(runner);
    CHECK(runner->argv.front() == "berth-runner");
    CHECK(after(runner->argv, "--listen-fd") == "5");
    CHECK(after(runner->argv, "--daemon-uid") == "901");
    const auto launcher = unit_command(Config{}, "berth-launcher", host.facts());
    REQUIRE(launcher);
    CHECK(after(launcher->argv, "--listen-fd") == "3");
    CHECK(after(launcher->argv, "--runner-uid") == "902");
    const auto egress = unit_command(Config{}, "berth-egress", host.facts());
    REQUIRE(egress);
    CHECK(after(egress->argv, "--listen-fd") == "4");
    CHECK(after(egress->argv, "--runner-uid") == "902");
}

TEST_CASE("the settings decide what the launcher and berth-egress may do", "[daemon]") {
    const Host host;
    const auto config = read("sandbox_profile = strict\negress_allow = 10.0.0.0/8\nslots = 99\n");
    const auto launcher = unit_command(config, "berth-launcher", host.facts());
    REQUIRE(launcher);
    CHECK(std::ranges::count(launcher->argv, "--strict") == 1);
    CHECK(after(launcher->argv, "--slots") == "99");
    const auto egress = unit_command(config, "berth-egress", host.facts());
    REQUIRE(egress);
    CHECK(after(egress->argv, "--allow") == "10.0.0.0/8");
}

TEST_CASE("the root key is the credential where there is one, else the file", "[daemon]") {
    Host host;
    const auto config = read("root_key = /etc/keys/root.key\n");
    const auto key_words = [&] {
        const auto command = unit_command(config, "berth-runner", host.facts());
        REQUIRE(command);
        return std::pair{after(command->argv, "--root-key"),
                         after(command->argv, "--root-key-credential")};
    };
    CHECK(key_words() == std::pair<std::string, std::string>{"/etc/keys/root.key", ""});
    host.variables["CREDENTIALS_DIRECTORY"] = "/run/credentials/berth-runner.service";
    CHECK(key_words() == std::pair<std::string, std::string>{"/etc/keys/root.key", ""});
    host.files = {"/run/credentials/berth-runner.service/berth.root-key"};
    CHECK(key_words() == std::pair<std::string, std::string>{"", host.files[0]});
}

TEST_CASE("of the environment only systemd's own protocols pass on", "[daemon]") {
    Host host;
    host.variables = {{"NOTIFY_SOCKET", "/run/systemd/notify"},
                      {"WATCHDOG_USEC", "30000000"},
                      {"LISTEN_FDS", "1"},
                      {"LD_PRELOAD", "/tmp/evil.so"},
                      {"SECRET", "x"},
                      {"PATH", "/tmp"}};
    const auto command = unit_command(Config{}, "berth-launcher", host.facts());
    REQUIRE(command);
    auto env = command->env;
    std::ranges::sort(env);
    CHECK(env == std::vector<std::string>{"LANG=C.UTF-8", "LISTEN_FDS=1",
                                          "NOTIFY_SOCKET=/run/systemd/notify", "PATH=/usr/bin:/bin",
                                          "WATCHDOG_USEC=30000000"});
}

TEST_CASE("a unit that lacks its user or its socket is refused with what makes it", "[daemon]") {
    Host host;
    host.users.erase("berth-runner");
    auto command = unit_command(Config{}, "berth-launcher", host.facts());
    REQUIRE_FALSE(command);
    CHECK(command.error().kind == FailureKind::not_found);
    CHECK(command.error().message ==
          "there is no user 'berth-runner'; the package makes it, and so does "
          "'systemd-sysusers berth.conf'");
    CHECK(unit_command(read("runner_uid = 77\n"), "berth-launcher", host.facts()));

    host.sockets.erase("egress");
    command = unit_command(read("runner_uid = 77\n"), "berth-egress", host.facts());
    REQUIRE_FALSE(command);
    CHECK(command.error().message ==
          "no socket 'egress' was handed over; start 'berth-egress.socket', which listens for it");
}

TEST_CASE("nothing else can be started", "[daemon]") {
    const char* program = GENERATE("berthd", "sh", "../sh", "");
    const auto command = unit_command(Config{}, program, Host{}.facts());
    REQUIRE_FALSE(command);
    CHECK(command.error().kind == FailureKind::invalid);
}
