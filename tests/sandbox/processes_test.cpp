// Descriptors, environments and the life and death of processes (sandbox.md T2, T6,
// T7, T8, T18, T23).
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <sstream>

#include "tests/isolation/outside.h"
#include "tests/sandbox/sandbox.h"

using namespace berth;
using namespace berth::sandbox_test;
using Catch::Matchers::Contains;

namespace {

Sandbox started(Launcher& launcher, const Run& run) {
    Sandbox sandbox = launcher.build();
    REQUIRE(sandbox.reply.step == ipc::Step::none);
    REQUIRE_FALSE(sandbox.start(run));
    return sandbox;
}

Sandbox waiting(Launcher& launcher, const char* how = "wait") {
    Sandbox sandbox = started(launcher, probe({how}));
    REQUIRE(sandbox.read_output(6) == "ready\n");
    return sandbox;
}

}  // namespace

TEST_CASE("a script has exactly its three pipes, however many sandboxes there are", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    std::vector<Sandbox> others;
    for (int i = 0; i < 3; ++i)
        others.push_back(launcher.build());
    others.push_back(waiting(launcher));
    std::istringstream lines{launcher.said({"fds"})};
    std::vector<std::string> seen;
    for (std::string line; std::getline(lines, line);)
        seen.push_back(line.substr(0, 7));
    std::sort(seen.begin(), seen.end());
    CHECK(seen == std::vector<std::string>{"0 pipe:", "1 pipe:", "2 pipe:"});
}

TEST_CASE("a script's environment is exactly the plan's", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    ::setenv("LEAKED", "from the launcher's environment", 1);
    Launcher launcher;
    Run run = probe({"env"});
    run.env = {"A=1", "PAN_SEC_KEY=se=cret", "EMPTY="};
    CHECK(launcher.run(run).out == "A=1\nPAN_SEC_KEY=se=cret\nEMPTY=\n");
}

TEST_CASE("a script sees no process but its own", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    Run other = probe({"wait"});
    other.env = {"SECRET=of-another-run"};
    Sandbox running = started(launcher, other);
    REQUIRE(running.read_output(6) == "ready\n");
    Run run = probe({"processes"});
    run.env = {"OWN=1"};
    const Ended ended = launcher.run(run);
    CHECK(ended.out == "self 6\n");
}

TEST_CASE("a script runs as its reserved user on the host, never as root", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    Sandbox sandbox = waiting(launcher);
    CHECK(sandbox.reply.uid >= launcher.first_uid());
    CHECK(sandbox.reply.uid < launcher.first_uid() + 16);
    CHECK(processes_of(sandbox.reply.uid).size() == 1);
    CHECK(processes_of(sandbox.reply.uid - 1).size() == 1);  // pid 1
}

TEST_CASE("each script has all its namespaces to itself", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    const Sandbox one = waiting(launcher);
    const Sandbox other = waiting(launcher);
    ipc::BuildRequest granted = launcher.request();
    granted.kind.network = ipc::Network::host;
    granted.kind.grants = ipc::grant_host_network;
    Sandbox wide = launcher.build(granted);
    REQUIRE_FALSE(wide.start(probe({"wait"})));
    REQUIRE(wide.read_output(6) == "ready\n");
    const auto of = [](const Sandbox& sandbox, const std::string& kind) {
        const auto pids = processes_of(sandbox.reply.uid);
        REQUIRE(pids.size() == 1);
        return std::filesystem::read_symlink("/proc/" + std::to_string(pids[0]) + "/ns/" + kind);
    };
    for (const char* kind : {"mnt", "pid", "net", "ipc", "uts", "cgroup", "user"}) {
        INFO(kind);
        const auto host = std::filesystem::read_symlink(std::string{"/proc/self/ns/"} + kind);
        CHECK(of(one, kind) != host);
        CHECK(of(other, kind) != host);
        CHECK(of(one, kind) != of(other, kind));
        // The control: a grant gives the host's network, and nothing else of it.
        CHECK((of(wide, kind) == host) == (kind == std::string{"net"}));
    }
}

TEST_CASE("what a script leaves behind dies with it", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    Sandbox sandbox = started(launcher, probe({"linger"}));
    // The grandchild holds the output, so its end tells that the grandchild is gone.
    const Ended ended = sandbox.finish();
    CHECK(ended.out == "left\n");
    REQUIRE(ended.report);
    CHECK(ended.report->wait_status == 0);
    CHECK(processes_of(sandbox.reply.uid).empty());
    // The control: without a sandbox the grandchild outlives the program, and SIGTERM.
    const uid_t free = launcher.first_uid() + 255;
    isolation::Outside outside{{launcher.release_path("probe/probe"), "linger"}, {}, free};
    REQUIRE(outside.read_line() == "left");
    REQUIRE(outside.await_end() == 0);
    for (const int signo : {SIGTERM, SIGKILL}) {
        const auto left = processes_of(free);
        REQUIRE(left.size() == 1);
        ::kill(left[0], signo);
    }
}

TEST_CASE("a signal is passed on to the script", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    Sandbox sandbox = waiting(launcher);
    sandbox.signal(SIGTERM);
    const Ended ended = sandbox.finish();
    REQUIRE(ended.report);
    CHECK(WIFSIGNALED(ended.report->wait_status));
    CHECK(WTERMSIG(ended.report->wait_status) == SIGTERM);
}

TEST_CASE("a script that ignores SIGTERM dies when the runner lets go", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    Sandbox sandbox = waiting(launcher, "wait-deaf");
    sandbox.signal(SIGTERM);
    CHECK(processes_of(sandbox.reply.uid).size() == 1);
    sandbox.status.reset();
    sandbox.await_death();
    CHECK(processes_of(sandbox.reply.uid).empty());
}

TEST_CASE("a script that makes orphans without end still dies when the runner lets go",
          "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    ipc::BuildRequest request = launcher.request();
    request.assignment.limits.processes = 800;
    Sandbox sandbox = launcher.build(request);
    REQUIRE(sandbox.reply.step == ipc::Step::none);
    REQUIRE_FALSE(sandbox.start(probe({"orphans", "400"})));
    REQUIRE(sandbox.read_output(6) == "ready\n");
    sandbox.status.reset();
    sandbox.await_death();
    CHECK(processes_of(sandbox.reply.uid).empty());
}

TEST_CASE("a nonsensical record to pid 1 ends the sandbox", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    Sandbox sandbox = waiting(launcher);
    REQUIRE(::write(sandbox.status.get(), "x", 1) == 1);
    CHECK_FALSE(sandbox.finish().report);
}

TEST_CASE("a running script survives the death of the launcher", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    Sandbox sandbox = waiting(launcher);
    launcher.kill();
    sandbox.end_input();
    const Ended ended = sandbox.finish();
    CHECK(ended.out == "end of input\n");
    REQUIRE(ended.report);
    CHECK(ended.report->wait_status == 0);
}

TEST_CASE("a new launcher does not use the uids of scripts that still run", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher first{{.slots = 2}};
    Sandbox running = waiting(first);
    first.kill();
    Launcher second{{.slots = 2}};
    REQUIRE(second.first_uid() == first.first_uid());
    const Sandbox one = second.build();
    REQUIRE(one.reply.step == ipc::Step::none);
    CHECK(one.reply.uid != running.reply.uid);
    CHECK(second.build().reply.step == ipc::Step::slot);

    running.status.reset();
    running.await_death();
    CHECK(second.build().reply.uid == running.reply.uid);
}

TEST_CASE("the launcher ends with its runner's socket, scripts do not", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    Sandbox sandbox = waiting(launcher);
    launcher.close_socket();
    CHECK(launcher.await_exit() == 0);
    sandbox.end_input();
    CHECK(sandbox.finish().report);
}

TEST_CASE("a sandbox that nobody wants any more ends before its plan", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    Sandbox sandbox = launcher.build();
    sandbox.plan.reset();
    const Ended ended = sandbox.finish();
    REQUIRE(ended.report);
    CHECK(ended.report->wait_status == 0);
}

TEST_CASE("a script has no capability, no new privileges and one filter", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    const std::string status = launcher.said({"read", "/proc/self/status"});
    for (const char* line :
         {"CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000",
          "CapBnd:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2",
          "SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000"})
        CHECK_THAT(status, Contains(line));
}
