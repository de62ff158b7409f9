// Live runs and the restarts of the daemons that look after them: every line a script
// printed is in its log once and in order, and its end is on its record.
#include <fmt/format.h>
#include <signal.h>

#include <catch2/catch.hpp>

#include "base/text.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"
#include "tests/support/seed.h"

using namespace berth::test;
using namespace std::chrono_literals;

namespace {

// Prints numbered lines until `go` is in its folder, and says how many.
constexpr const char* kCounts =
    "i=0; until [ -e go ]; do i=$((i+1)); echo line $i >&2; sleep 0.01; done; "
    "echo '{\"lines\":'$i'}'";

struct Script {
    std::string trigger;
    std::int64_t run = 0;
    std::int64_t release = 0;
};

Script start(Daemon& daemon, const Daemon::Installed& made) {
    Script script;
    script.trigger = daemon.sync(made.tenant);
    script.release = made.release;
    REQUIRE(eventually([&] {
        const auto answer =
            daemon.request("GET", "/v2/runs/triggers/" + script.trigger + "/status");
        if (answer.status != 200) return false;
        const json status = json::parse(answer.body);
        script.run = status["run_id"];
        return status["state"] == "running";
    }));
    return script;
}

std::vector<std::string> lines_of(Daemon& daemon, std::int64_t run) {
    const auto log = daemon.run_log(run, "stderr");
    auto lines = berth::split(log, '\n');
    REQUIRE_FALSE(lines.empty());
    lines.pop_back();  // after the last newline
    return {lines.begin(), lines.end()};
}

// Waits for more of its output: it is alive, and somebody stores what it prints.
void wait_for_more(Daemon& daemon, std::int64_t run) {
    const auto before = lines_of(daemon, run).size();
    REQUIRE(eventually([&] { return lines_of(daemon, run).size() > before + 5; }));
}

// Lets every script that counts come to its end.
void let_go(Daemon& daemon) {
    for (const auto& release : std::filesystem::directory_iterator{daemon.state_dir() / "releases"})
        berth::write_file_atomically(release.path() / "go", "", 0644);
}

// Ends it and checks that its log is what it printed, whole, once and in order.
void check_whole(Daemon& daemon, const Script& script) {
    const json run = daemon.wait_run(script.trigger);
    INFO(run.dump() << "\n" << daemon.log());
    REQUIRE(run["state"] == "succeeded");
    CHECK(run["attempt"] == 1);
    const auto lines = lines_of(daemon, script.run);
    const std::string last = json::parse(run["std_out"].get<std::string>())["lines"].dump();
    CHECK(std::to_string(lines.size()) == last);
    for (std::size_t i = 0; i < lines.size(); ++i)
        if (lines[i] != fmt::format("line {}", i + 1)) FAIL("line " << i + 1 << ": " << lines[i]);
}

void end_daemon(Daemon& daemon, const std::string& program, int signo) {
    const pid_t pid = daemon.pid_of(program);
    REQUIRE(pid > 0);
    REQUIRE(::kill(pid, signo) == 0);
    REQUIRE(eventually([&] { return daemon.pid_of(program) != pid; }));
}

}  // namespace

TEST_CASE("live runs survive a berthd that is killed or told to end, with every line", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const int signo = GENERATE(SIGKILL, SIGTERM);
    INFO("signal " << signo);
    Daemon daemon;
    const auto first = daemon.install("first", {{"PANDIUM.yaml", manifest(kCounts)}});
    const auto second = daemon.install("second", {{"PANDIUM.yaml", manifest(kCounts)}});
    const std::vector<Script> scripts{start(daemon, first), start(daemon, second)};
    for (int times = 0; times < 3; ++times) {
        end_daemon(daemon, "berthd", signo);
        daemon.wait_ready();
        for (const Script& script : scripts)
            wait_for_more(daemon, script.run);
    }
    let_go(daemon);
    for (const Script& script : scripts)
        check_whole(daemon, script);
}

TEST_CASE("what ends or runs out of time while berthd is away is on record when it is back",
          "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon{"pool_size = 0\n"};
    const auto ends = daemon.install("ends", {{"PANDIUM.yaml", manifest(kCounts)}});
    const auto late = daemon.install("late", {{"PANDIUM.yaml", manifest("sleep 600")}},
                                     {{"wall_time_seconds", 3}});
    const Script script = start(daemon, ends);
    const Script too_long = start(daemon, late);
    // Away for as long as the supervisor is stopped.
    REQUIRE(::kill(daemon.supervisor(), SIGSTOP) == 0);
    REQUIRE(::kill(daemon.pid_of("berthd"), SIGKILL) == 0);
    let_go(daemon);
    CHECK(daemon.nothing_sandboxed());
    REQUIRE(::kill(daemon.supervisor(), SIGCONT) == 0);
    daemon.wait_ready();
    check_whole(daemon, script);
    const json run = daemon.wait_run(too_long.trigger);
    INFO(run.dump());
    CHECK(run["state"] == "failed_timeout");
}

TEST_CASE("a run that came through a restart can be cancelled", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon{"pool_size = 0\n"};
    const auto made = daemon.install("cancelled", {{"PANDIUM.yaml", manifest("sleep 600")}});
    const Script script = start(daemon, made);
    daemon.kill_daemon("berthd");
    daemon.wait_ready();
    daemon.must("POST", fmt::format("/v2/runs/{}/cancel", script.run));
    CHECK(daemon.wait_run(script.trigger)["state"] == "cancelled");
    CHECK(daemon.sandboxed_processes().empty());
}
