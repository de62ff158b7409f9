// A daemon that must not start says why, with its exit code, and touches nothing.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "base/text.h"
#include "store/db_sqlite.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;
namespace fs = std::filesystem;

namespace {

// `berthd` until it ends by itself: its exit code and what it wrote to stderr.
std::pair<int, std::string> berthd(const fs::path& root,
                                   const std::vector<std::string>& arguments) {
    const auto log = (root / "refusal.log").string();
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
        ::dup2(out, 1);
        ::dup2(out, 2);
        std::vector<char*> argv{const_cast<char*>("berthd")};
        for (const auto& argument : arguments)
            argv.push_back(const_cast<char*>(argument.c_str()));
        argv.push_back(nullptr);
        ::execv(BERTH_BINARY_DIR "/bin/berthd", argv.data());
        ::_exit(127);
    }
    int status = 0;
    const bool ended = eventually([&] { return ::waitpid(pid, &status, WNOHANG) == pid; });
    if (!ended) {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, &status, 0);
    }
    REQUIRE(ended);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, berth::read_file(log, 1 << 20).value()};
}

std::string config_of(const fs::path& root) { return (root / "berth.conf").string(); }

}  // namespace

TEST_CASE("a store from a newer version is left alone", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const berth::TempDir root{"berth-e2e"};
    {
        Daemon daemon{root.path(), ""};
        daemon.start();
        daemon.must("POST", "/v2/integrations", {{"name", "kept"}});
        daemon.stop(SIGTERM);
    }
    const auto file = root.path() / "state" / "store" / "berth.db";
    const auto migrations = [&](const std::string& sql) {
        const auto db = berth::SqliteDb::open(file, berth::SqliteDb::Access::read_write);
        REQUIRE(db);
        (*db)->exec_script(sql);
    };
    migrations("insert into migrations (number, name, applied) values (9999, 'future', 0)");
    const auto before = berth::read_file(file, 64 << 20).value();

    const auto [code, log] = berthd(root.path(), {"--config", config_of(root.path())});
    INFO(log);
    CHECK(code == 1);
    CHECK(log.find("its schema has version 9999, this program knows version") != std::string::npos);
    CHECK(berth::read_file(file, 64 << 20).value() == before);

    migrations("delete from migrations where number = 9999");
    Daemon daemon{root.path(), ""};
    daemon.start();
    CHECK(daemon.must("GET", "/v2/integrations")[0]["name"] == "kept");
}

TEST_CASE("a socket path that is taken by something else is left alone", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const berth::TempDir root{"berth-e2e"};
    const Daemon daemon{root.path(), ""};  // writes the configuration, starts nothing
    const auto path = root.path() / "run" / "control.sock";
    fs::create_directories(path.parent_path());
    for (const char* all : {"--all", ""}) {
        std::vector<std::string> arguments{"--config", config_of(root.path())};
        if (all[0] != '\0') arguments.emplace_back(all);
        INFO("berthd " << all);
        SECTION(std::string{"by a file, berthd "} + all) {
            std::ofstream{path} << "precious";
            const auto [code, log] = berthd(root.path(), arguments);
            INFO(log);
            CHECK(code == 1);
            CHECK(log.find(path.string()) != std::string::npos);
            CHECK(log.find("not a socket") != std::string::npos);
            CHECK(berth::read_file(path, 100).value() == "precious");
        }
        SECTION(std::string{"by a folder, berthd "} + all) {
            fs::create_directory(path);
            const auto [code, log] = berthd(root.path(), arguments);
            INFO(log);
            CHECK(code == 1);
            CHECK(log.find("not a socket") != std::string::npos);
            CHECK(fs::is_directory(path));
        }
        SECTION(std::string{"by a link, berthd "} + all) {
            std::ofstream{root.path() / "elsewhere"} << "precious";
            fs::create_symlink(root.path() / "elsewhere", path);
            const auto [code, log] = berthd(root.path(), arguments);
            INFO(log);
            CHECK(code == 1);
            CHECK(fs::is_symlink(path));
            CHECK(berth::read_file(root.path() / "elsewhere", 100).value() == "precious");
        }
    }
}

TEST_CASE("a grant that the launcher refuses stops all of Berth, with the launcher's sentence",
          "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const berth::TempDir root{"berth-e2e"};
    const auto owned_by_root = root.path() / "data";
    fs::create_directory(owned_by_root);
    const Daemon daemon{root.path(), fmt::format("grant.shop = writable_path:{}\n",
                                                 owned_by_root.string())};  // starts nothing
    const auto [code, log] = berthd(root.path(), {"--all", "--config", config_of(root.path())});
    INFO(log);
    CHECK(code == 2);
    const auto sentence = log.find(owned_by_root.string() + "' belongs to root: give it an owner");
    CHECK(sentence != std::string::npos);
    CHECK(log.find("belongs to root", sentence + owned_by_root.string().size() + 20) ==
          std::string::npos);  // said once: it was not started again
    CHECK(log.find("refuses what it was started with") != std::string::npos);
    CHECK_FALSE(fs::exists(root.path() / "run" / "control.sock"));
}

TEST_CASE("wrong usage and wrong settings end with code 2 and name the place", "[e2e]") {
    const berth::TempDir root{"berth-e2e"};
    const auto config = config_of(root.path());
    const auto with = [&](const std::string& text) {
        std::ofstream{config} << text;
        return berthd(root.path(), {"--config", config});
    };
    struct Case {
        const char* text;
        const char* says;
    };
    for (const auto& [text, says] :
         {Case{"max_runs = many\n", "berth.conf:1"}, Case{"\nno_such_key = 1\n", "no_such_key"},
          Case{"max_runs\n", "berth.conf:1"}, Case{"max_runs = 9\nslots = 3\n", "slots"}}) {
        const auto [code, log] = with(text);
        INFO(text << log);
        CHECK(code == 2);
        CHECK(log.find(says) != std::string::npos);
    }
    for (const std::vector<std::string>& arguments : {std::vector<std::string>{},
                                                      {"--config"},
                                                      {"--nonsense"},
                                                      {"--config", "/nowhere/x"},
                                                      {"--config", config, "--listen-fd", "1"}}) {
        const auto [code, log] = berthd(root.path(), arguments);
        INFO(log);
        CHECK(code == 2);
        CHECK_FALSE(log.empty());
    }
}

TEST_CASE("where a required protection is missing nothing runs, and it is said why", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const berth::TempDir root{"berth-e2e"};
    Daemon daemon{root.path(), "cgroups = none\nrequire_cgroup = yes\n"};
    daemon.launch();
    const char* why = "with 'require_cgroup' it does not start where no cgroup limits";
    REQUIRE(eventually([&] {
        berth::Client client{daemon.socket()};
        const auto answer = client.get("/v2/ready");
        return answer && answer->status == 503 && answer->body.find(why) != std::string::npos;
    }));
    // Accepted is accepted: it waits for the day when there is a cgroup.
    const auto made = daemon.install("careful", {{"PANDIUM.yaml", manifest("true")}});
    const auto trigger = daemon.sync(made.tenant);
    CHECK(eventually([&] {
        return daemon.log().find("limiting memory and processes by a cgroup, which is required") !=
               std::string::npos;
    }));
    bool told = false;
    const json doctor = daemon.must("GET", "/v2/doctor");
    for (const json& check : doctor["checks"])
        if (check["name"] == "berth-launcher")
            told = check["ok"] == false && check["needed"] == true &&
                   check["cure"].get<std::string>().find(why) != std::string::npos;
    INFO(doctor.dump(1));
    CHECK(told);
    CHECK(daemon.sandboxed_processes().empty());
    const auto status = daemon.request("GET", "/v2/runs/triggers/" + trigger + "/status");
    CHECK((status.status == 404 || json::parse(status.body)["state"] == "queued"));
    daemon.stop(SIGTERM);
}
