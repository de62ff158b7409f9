// Scripts that misbehave, through the whole product.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <iostream>
#include <map>

#include "base/text.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;

namespace {

json run_script(Daemon& daemon, const std::string& command, json options = json::object()) {
    static int count = 0;
    const auto made = daemon.install("script-" + std::to_string(++count),
                                     {{"PANDIUM.yaml", manifest(command)}}, std::move(options));
    return daemon.run(made.tenant);
}

// The most it has had in memory, in KiB.
std::uint64_t most_memory(pid_t pid) {
    std::ifstream file{fmt::format("/proc/{}/status", pid)};
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("VmHWM:"))
            return berth::to_number<std::uint64_t>(berth::trim(line.substr(6, line.size() - 8)))
                .value();
    FAIL("no such process");
    return 0;
}

}  // namespace

TEST_CASE("each way to end has its state and its reason", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    struct Case {
        const char* command;
        const char* state;
        const char* reason;
    };
    for (const auto& [command, state, reason] : std::initializer_list<Case>{
             {"exit 3", "failed_integration", "exited with code 3"},
             {"no-such-program", "failed_integration", "exited with code 127"},
             {"kill -KILL $$", "failed_integration", "ended by signal 9 (SIGKILL)"},
             {"exec >&- 2>&-; exit 0", "succeeded", "exited with code 0"},
             {"sleep 600 & echo done", "succeeded", "exited with code 0"},
             {"printf '\\000\\377\\033[31m' >&2", "succeeded", "exited with code 0"}}) {
        INFO(command);
        const json run = run_script(daemon, command);
        CHECK(run["state"] == state);
        CHECK(run["reason"] == reason);
    }
    CHECK(daemon.nothing_sandboxed());
}

TEST_CASE("a run over its time is stopped, also when it ignores SIGTERM", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const json polite =
        run_script(daemon, "sleep 600 & echo start >&2; sleep 600", {{"wall_time_seconds", 5}});
    CHECK(polite["state"] == "failed_timeout");
    CHECK(polite["tree_empty"] == true);
    CHECK(polite["reason"] == "stopped after its limit of 5 s");
    CHECK(daemon.run_log(polite["id"]) == "start\n");
    const json stubborn =
        run_script(daemon, "trap '' TERM; while :; do sleep 1; done", {{"wall_time_seconds", 1}});
    CHECK(stubborn["state"] == "failed_timeout");
    CHECK(stubborn["tree_empty"] == true);
    // The control: with more time the same stubbornness ends by itself.
    const json free =
        run_script(daemon, "trap '' TERM; sleep 2; exit 7", {{"wall_time_seconds", 300}});
    CHECK(free["reason"] == "exited with code 7");
    CHECK(daemon.nothing_sandboxed());
}

TEST_CASE("a script that forks without end stops at its limit and harms nobody", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const json bomb = run_script(daemon, "bomb() { bomb | bomb & }; bomb; sleep 1; exit 5",
                                 {{"wall_time_seconds", 5}});
    CHECK(bomb["state"].get<std::string>().starts_with("failed_"));
    CHECK(daemon.nothing_sandboxed());
    CHECK(run_script(daemon, "true")["state"] == "succeeded");
}

TEST_CASE("a script that fills its scratch space gets an error, not the host's disk", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const json run = run_script(daemon, "dd if=/dev/zero of=/tmp/big bs=1M count=2000; exit 4");
    CHECK(run["state"] == "failed_integration");
    CHECK(run["reason"] == "exited with code 4");
    const auto log = daemon.run_log(run["id"], "stderr");
    const bool refused = log.find("No space left") != std::string::npos ||
                         log.find("File size limit") != std::string::npos;
    INFO(log);
    CHECK(refused);
}

TEST_CASE("a limit of file size that ends a script is on its record and in its log", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const json run = run_script(daemon, "exec truncate -s 300M ~/big");
    CHECK(run["state"] == "failed_integration");
    CHECK(run["reason"] == "ended by signal 25 (SIGXFSZ)");
    CHECK(daemon.run_log(run["id"], "note") ==
          "a file would have grown over the limit of 256 MiB\n");
    const json within = run_script(daemon, "exec truncate -s 200M ~/big");  // the control
    CHECK(within["state"] == "succeeded");
    CHECK(daemon.run_log(within["id"], "note") == "");
}

TEST_CASE("a flood of output is cut once, and the run goes on to its end", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    CHECK(run_script(daemon, "head -c 20000000 /dev/zero >&2")["state"] == "succeeded");
    const char* const programs[] = {"berthd", "berth-runner"};
    std::map<std::string, std::uint64_t> before;
    for (const char* program : programs)
        before[program] = most_memory(daemon.pid_of(program));
    // One line of 1 GB on stderr, then the state.
    const json run = run_script(daemon, "head -c 1000000000 /dev/zero >&2; echo '{\"ok\":1}'");
    CHECK(run["state"] == "succeeded");
    CHECK(run["std_out"] == "{\"ok\":1}");
    CHECK(run["usage"]["log_bytes"].get<std::uint64_t>() >= 1'000'000'000U);
    const auto notes = daemon.run_log(run["id"], "note");
    CHECK(notes.find("limit") != std::string::npos);
    // AddressSanitizer keeps what was freed, up to 256 MiB.
    const std::uint64_t most = (std::getenv("BERTH_PROGRAMS") != nullptr ? 8U : 400U) * 1024;
    for (const char* program : programs) {
        const auto growth = most_memory(daemon.pid_of(program)) - before[program];
        std::cout << program << " grew by " << growth << " KiB under 1 GB of output\n";
        CHECK(growth <= most);
    }
    CHECK(daemon.run_log(run["id"]).size() < 20'000'000);
}

TEST_CASE("a state that cannot be kept fails the run and says why", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const json run = run_script(daemon, "head -c 200000 /dev/zero | tr '\\0' x");
    CHECK(run["state"] == "failed_integration");
    CHECK(run["reason"].get<std::string>().find("200000 bytes") != std::string::npos);
}

TEST_CASE("a script sees its release, its scratch space and nothing of the host", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const json run =
        run_script(daemon,
                   "pwd; ls -d /root /home /var /srv /opt 2>/dev/null; id -u; "
                   "touch /app/x 2>/dev/null && echo wrote; ls /proc/1/root 2>&1 | "
                   "grep -c etc; env | cut -d= -f1 | grep -v ^PAN_ | sort | tr '\\n' ' '");
    CHECK(run["state"] == "succeeded");
    INFO(daemon.run_log(run["id"]));
    CHECK(daemon.run_log(run["id"], "stdout") ==
          "/app\n1000\n0\nHOME LANG PATH PWD SHLVL TMPDIR TZ _ ");
}

TEST_CASE("network none reaches nothing; host is a grant on the record", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const std::string try_it =
        "python3 -c 'import socket; s=socket.socket(); s.settimeout(120)\n"
        "try:\n s.connect((\"127.0.0.1\", 1)); print(\"connected\")\n"
        "except OSError as e: print(e.errno)'; ls /sys/class/net 2>/dev/null; "
        "cat /proc/net/dev | grep -c :";
    const json none = run_script(daemon, try_it, {{"network", "none"}});
    CHECK(none["grants"] == json::array());
    CHECK(daemon.run_log(none["id"], "stdout") == "111\n1\n");
    const json host = run_script(daemon, "true", {{"network", "host"}});
    CHECK(host["grants"] == json{"host_network"});
}
