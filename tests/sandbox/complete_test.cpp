// Sandboxes that were taken ahead of their run, and what pid 2 leaves unread until it
// executes: the launcher's and the sandbox's part of it.
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "tests/sandbox/packets.h"
#include "tests/sandbox/sandbox.h"

using namespace berth;
using namespace berth::sandbox_test;
using ipc::Step;

namespace {

Sandbox completed(Launcher& launcher) {
    Sandbox sandbox = launcher.await_parked();
    launcher.take(sandbox, launcher.request().assignment);
    CHECK(launcher.await_attached().step == Step::none);
    return sandbox;
}

// pid 2 has the script's uid, pid 1 the one below it.
pid_t pid_two(const Sandbox& sandbox) {
    const auto found = processes_of(sandbox.reply.uid);
    REQUIRE(found.size() == 1);
    return found[0];
}

// How its plan socket ends: 0, or an errno value.
int end_of(const Sandbox& sandbox) {
    pollfd watched{sandbox.plan.get(), POLLIN, 0};
    REQUIRE(::poll(&watched, 1, kDeadlineMs) == 1);
    char byte = 0;
    const ssize_t n = ::recv(sandbox.plan.get(), &byte, sizeof byte, 0);
    REQUIRE(n <= 0);
    return n < 0 ? errno : 0;
}

// pid 2 holds the plan's pipes: it has looked at the plan. Asks again and again, since
// nothing tells of it.
void await_look(pid_t pid) {
    for (;;) {
        const auto folder = "/proc/" + std::to_string(pid) + "/fd";
        for (const auto& one : std::filesystem::directory_iterator{folder})
            if (std::filesystem::read_symlink(one).string().starts_with("pipe:")) return;
    }
}

}  // namespace

TEST_CASE("a complete sandbox has its release, and begins without the launcher", "[pool]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.pool = 1}};
    std::ofstream{launcher.release_path("probe") + "/mark"} << "x";
    Sandbox sandbox = completed(launcher);
    CHECK(std::filesystem::exists("/proc/" + std::to_string(pid_two(sandbox)) + "/root/app/mark"));
    ::kill(launcher.pid(), SIGSTOP);
    CHECK_FALSE(sandbox.start(probe({"call", "socket-inet"})));
    sandbox.end_input();
    const Ended ended = sandbox.finish();
    CHECK(ended.out == "ok\n");
    REQUIRE(ended.report);
    CHECK(ended.report->wait_status == 0);
    ::kill(launcher.pid(), SIGCONT);
}

TEST_CASE("a complete sandbox is the runner's: it ends with its sockets, not with the launcher",
          "[pool]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.pool = 1}};
    Sandbox sandbox = completed(launcher);
    launcher.kill();
    SECTION("and still runs a program") {
        CHECK_FALSE(sandbox.start(probe({"exit", "0"})));
        sandbox.end_input();
        CHECK(sandbox.finish().report);
    }
    SECTION("and ends when the runner lets it go") {
        sandbox.status.reset();
        sandbox.await_death();
    }
}

TEST_CASE("runs that find no slot have complete sandboxes let go, after all parked ones",
          "[pool]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.slots = 4, .pool = 1}};
    Sandbox complete = completed(launcher);
    Sandbox parked = launcher.await_parked();
    ipc::BuildRequest request = launcher.request();
    request.kind.network = ipc::Network::egress;  // the class that is parked; no second one
    std::vector<Sandbox> running;
    for (int i = 0; i < 2; ++i) {
        running.push_back(launcher.build(request));
        REQUIRE(running.back().reply.step == Step::none);
    }
    const std::uint64_t third = launcher.ask(request);
    const std::uint64_t serial = parked.reply.serial;
    CHECK(launcher.await_retire().serial == serial);
    parked = {};
    const Sandbox another = launcher.await_answer(third);
    CHECK(another.reply.step == Step::none);
    CHECK(launcher.await_retire().serial == serial);  // its end is told as well

    const std::uint64_t fourth = launcher.ask(request);
    const ipc::Retire retire = launcher.await_retire();
    CHECK(retire.serial == 0);
    CHECK(retire.complete == 1);
    complete = {};
    CHECK(launcher.await_answer(fourth).reply.step == Step::none);
}

TEST_CASE("SIGHUP has all complete sandboxes let go", "[pool]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.pool = 1}};
    const Sandbox sandbox = completed(launcher);
    const Sandbox parked = launcher.await_parked();
    ::kill(launcher.pid(), SIGHUP);
    CHECK(launcher.await_retire().serial == parked.reply.serial);
    const ipc::Retire retire = launcher.await_retire();
    CHECK(retire.serial == 0);
    CHECK(retire.complete >= 1);
}

TEST_CASE("what pid 2 was sent is unread until it executes: its end tells whether it did",
          "[pool]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.pool = 1}};
    SECTION("killed before it looked at the plan") {
        Sandbox sandbox = completed(launcher);
        const pid_t pid = pid_two(sandbox);
        ::kill(pid, SIGSTOP);
        sandbox.hand_over(probe({"exit", "0"}));
        ::kill(pid, SIGKILL);
        CHECK(end_of(sandbox) == ECONNRESET);
    }
    SECTION("killed when it had looked at its plan, and waited for its release") {
        Sandbox sandbox = launcher.await_parked();
        const pid_t pid = pid_two(sandbox);
        sandbox.hand_over(probe({"exit", "0"}));
        await_look(pid);
        ::kill(pid, SIGKILL);
        CHECK(end_of(sandbox) == ECONNRESET);
    }
    SECTION("executed") {  // the control
        Sandbox sandbox = completed(launcher);
        sandbox.hand_over(probe({"exit", "0"}));
        CHECK(end_of(sandbox) == 0);
    }
    SECTION("executed, the plan having come before the release") {
        Sandbox sandbox = launcher.await_parked();
        sandbox.hand_over(probe({"exit", "0"}));
        await_look(pid_two(sandbox));
        launcher.take(sandbox, launcher.request().assignment);
        CHECK(end_of(sandbox) == 0);
    }
    SECTION("not executed, and pid 2 says why") {
        Sandbox sandbox = completed(launcher);
        const auto failed = sandbox.start(Run{.argv = {"/app/absent"}, .env = {}, .files = {}});
        REQUIRE(failed);
        CHECK(failed->step == Step::exec);
        CHECK(failed->err == ENOENT);
    }
}
