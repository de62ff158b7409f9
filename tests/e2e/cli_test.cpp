// The program `berth` against the real daemon: the course that its help teaches,
// what programs get with --json, and each exit code.
#include <fmt/format.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>

#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;

namespace {

struct Said {
    int code = -1;
    std::string out;  // stdout and stderr, as a person sees them
};

// A shell line, since that is how people call it; `berth` stands for the program.
Said shell(const std::filesystem::path& socket, const std::string& line) {
    const std::string command = fmt::format("berth() {{ " BERTH_BINARY_DIR
                                            "/bin/berth \"$@\"; }}; export NO_COLOR=1 "
                                            "BERTH_SOCKET='{}'; {{ {}; }} 2>&1",
                                            socket.string(), line);
    FILE* pipe = ::popen(command.c_str(), "re");
    REQUIRE(pipe != nullptr);
    Said said;
    std::array<char, 4096> buffer{};
    while (const auto n = std::fread(buffer.data(), 1, buffer.size(), pipe))
        said.out.append(buffer.data(), n);
    said.code = WEXITSTATUS(::pclose(pipe));
    return said;
}

constexpr const char* kScript =
    "echo working >&2\n"
    "case \"$PAN_CFG_BEHAVIOUR\" in\n"
    "  fail) exit 7 ;;\n"
    "  hang) echo up >&2; sleep 600 ;;\n"
    "esac\n"
    "printf %s \"$PAN_SEC_SHOP_API_KEY\" | wc -c >&2\n"
    "echo \"{\\\"total\\\": 5}\"\n";

void write_release(const std::filesystem::path& dir) {
    std::filesystem::create_directories(dir);
    std::ofstream{dir / "main.sh"} << kScript;
    std::ofstream{dir / "PANDIUM.yaml"}
        << "version: 1.0\nbase: sh\nrun: sh main.sh\nconfigs:\n  schema:\n    type: object\n"
           "    properties:\n      behaviour: {type: string}\n"
           "metadata_schema:\n  schema:\n    type: object\n";
}

}  // namespace

TEST_CASE("the course that the help teaches works as it stands there", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    write_release(daemon.root() / "release");
    const auto release = (daemon.root() / "release").string();
    const auto good = [&](const std::string& line) {
        const Said said = shell(daemon.socket(), line);
        INFO(line << "\n" << said.out);
        REQUIRE(said.code == 0);
        return said.out;
    };
    const auto shows = [](const std::string& text, std::initializer_list<const char*> parts) {
        for (const char* part : parts) {
            INFO(part << " in\n" << text);
            CHECK(text.find(part) != std::string::npos);
        }
    };

    shows(good("berth health"), {"ok"});
    shows(good("berth version"), {"berth"});
    good("berth connector create shop");
    good("berth connector create crm");
    good(
        "berth integration create orders --long-name 'Orders' --connector shop "
        "--global-connector crm");
    shows(good("berth release create orders '" + release + "' --default --tag first"), {"sh"});
    shows(good("berth tenant create acme --integration orders --user u-1"), {"acme"});
    shows(good("echo s3cret-value | berth connection set acme shop api_key=-"), {"api_key"});
    good("echo gl0bal-value | berth connection set --global orders crm token=-");
    good("berth tenant resume acme");

    const auto followed = good("berth tenant sync acme -f");
    shows(followed, {"err| working", "err| 12", "out| {\"total\": 5}", "succeeded"});
    CHECK(followed.find("s3cret") == std::string::npos);
    shows(good("berth run show acme"), {"succeeded", "exited with code 0", "normal"});
    shows(good("berth log acme"), {"working\n"});
    CHECK(good("berth log acme --stream stdout") == "{\"total\": 5}\n");
    shows(good("berth log acme -f"), {"err| working", "succeeded"});
    shows(good("berth run follow 1"), {"err| working"});
    shows(good("berth tenant metadata acme"), {"total"});
    shows(good("berth tenant metadata acme --set '{\"plan\": \"pro\"}'"), {"plan", "pro"});

    for (const auto& [line, part] : std::vector<std::pair<const char*, const char*>>{
             {"berth integration list", "orders"},
             {"berth integration show orders", "Orders"},
             {"berth release list orders", "first"},
             {"berth release show orders default", "sh main.sh"},
             {"berth connector list", "shop"},
             {"berth tenant list", "acme"},
             {"berth tenant show acme", "orders"},
             {"berth connection list acme", "api_key"},
             {"berth run list", "succeeded"},
             {"berth run list --tenant acme --state succeeded", "acme"}})
        shows(good(line), {part});
    shows(good("berth integration update orders --pause && berth integration show orders"),
          {"paused"});
    good("berth integration update orders --resume");
    shows(good("berth connection disconnect acme shop && berth connection list acme"),
          {"disconnected"});
    shows(good("berth tenant archive acme && berth tenant list"), {"berth tenant create"});
    good("berth tenant restore acme");
}

TEST_CASE("a run that hangs is cancelled from the command line", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made =
        daemon.install("hanging", {{"PANDIUM.yaml", manifest("echo up >&2; sleep 600")}});
    // The follower sees its first line, then another client cancels the run.
    const Said said = shell(daemon.socket(),
                            "berth tenant sync hanging-tenant -f | while read -r line; do "
                            "echo \"$line\"; case \"$line\" in *up*) berth run cancel "
                            "hanging-tenant ;; esac; done");
    INFO(said.out);
    CHECK(said.out.find("err| up") != std::string::npos);
    const json run = daemon.must("GET", fmt::format("/v2/tenants/{}/runs", made.tenant))[0];
    CHECK(run["state"] == "cancelled");
    CHECK(shell(daemon.socket(), "berth run cancel hanging-tenant").code == 1);
    CHECK(daemon.nothing_sandboxed());
}

TEST_CASE("with --json every answer is JSON and nothing else", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    write_release(daemon.root() / "release");
    for (const std::string& line :
         std::vector<std::string>{"health",
                                  "doctor",
                                  "version",
                                  "connector create shop",
                                  "connector list",
                                  "integration create orders --connector shop",
                                  "integration list",
                                  "integration show orders",
                                  "integration update orders --long-name Orders",
                                  fmt::format("release create orders '{}' --default",
                                              (daemon.root() / "release").string()),
                                  "release list orders",
                                  "release show orders latest",
                                  "tenant create acme --integration orders",
                                  "tenant list",
                                  "tenant show acme",
                                  "tenant update acme --configs '{\"behaviour\": \"none\"}'",
                                  "connection set acme shop api_key=value-123",
                                  "connection list acme",
                                  "tenant sync acme --wait",
                                  "run list",
                                  "run show acme",
                                  "tenant metadata acme",
                                  "run show 1",
                                  "tenant pause acme",
                                  "tenant resume acme",
                                  "tenant archive acme"}) {
        const Said said = shell(daemon.socket(), "berth --json " + line + " 2>/dev/null");
        INFO(line << "\n" << said.out);
        CHECK((said.code == 0 || (line == "doctor" && said.code == 1)));
        // One document, or one a line (a sync that waits).
        bool parses = json::accept(said.out);
        if (!parses) {
            parses = true;
            std::istringstream lines{said.out};
            for (std::string one; std::getline(lines, one);)
                parses = parses && json::accept(one);
        }
        CHECK(parses);
        CHECK_FALSE(said.out.empty());
        CHECK(said.out.find("value-123") == std::string::npos);
    }
}

TEST_CASE("the doctor tells of each check what it protects", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const Said said = shell(daemon.socket(), "berth doctor --json 2>/dev/null");
    const json report = json::parse(said.out, nullptr, /*allow_exceptions=*/false);
    REQUIRE(report.is_object());
    for (const char* part : {"host", "daemon"}) {
        CHECK(report[part].size() > 15);
        for (const json& check : report[part]) {
            INFO(check.dump());
            CHECK_FALSE(check["protects"].get<std::string>().empty());
            CHECK((check["ok"].get<bool>() || !check["cure"].get<std::string>().empty()));
        }
    }
}

TEST_CASE("exit codes tell apart what a script must tell apart", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    daemon.install("codes", {{"PANDIUM.yaml", manifest("exit 7")}});
    struct Case {
        std::string line;
        int code;
        const char* says;
    };
    for (const auto& [line, code, says] : std::vector<Case>{
             {"berth tenant list", 0, "codes-tenant"},
             {"berth tenant show nobody", 1, "nobody"},
             {"berth integration create codes", 1, "codes"},
             {"berth integration create Upper", 1, "name"},
             {"berth release create codes /nowhere/at/all", 2, "/nowhere/at/all"},
             {"berth tenant sync codes-tenant --payload '[1]'", 2, "--payload"},
             {"berth tenant create", 2, "--help"},
             {"berth nonsense", 2, "--help"},
             {"berth tenant sync codes-tenant --mode sideways", 2, "sideways"},
             {"berth --socket /nowhere/control.sock tenant list", 3, "/nowhere/control.sock"},
             {"berth tenant sync codes-tenant -f", 4, "exited with code 7"},
             {"berth tenant sync codes-tenant --wait", 4, "exited with code 7"},
             {"berth log codes-tenant -f", 4, "exited with code 7"},
             {"berth log codes-tenant", 0, ""}}) {
        const Said said = shell(daemon.socket(), line);
        INFO(line << "\n" << said.out);
        CHECK(said.code == code);
        CHECK(said.out.find(says) != std::string::npos);
    }
    // Nobody's user may not speak to it, and is told what would help.
    const auto copy = (daemon.root() / "berth").string();
    std::filesystem::copy(BERTH_BINARY_DIR "/bin/berth", copy);
    const Said denied =
        shell(daemon.socket(),
              "setpriv --reuid 65534 --regid 65534 --clear-groups " + copy + " run list");
    INFO(denied.out);
    CHECK(denied.code == 3);
    CHECK(denied.out.find("group 'berth'") != std::string::npos);  // the cure
    daemon.stop(SIGTERM);
    CHECK(shell(daemon.socket(), "berth run list").code == 3);
}
