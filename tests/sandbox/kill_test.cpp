// The end of a sandbox that does not depend on its pid 1: the launcher kills what the
// runner names, and nothing else (sandbox.md T8, T24).
#include <poll.h>
#include <signal.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/sandbox/sandbox.h"
#include "tests/support/seed.h"

using namespace berth;
using namespace berth::sandbox_test;

namespace {

// A script that waits for the end of its input.
void start_cat(Sandbox& sandbox) {
    REQUIRE(sandbox.reply.step == ipc::Step::none);
    Run cat;
    cat.argv = {"/bin/cat"};
    REQUIRE_FALSE(sandbox.start(cat));
}

bool is_alive(const Sandbox& sandbox) {
    pollfd ended{sandbox.pidfd.get(), POLLIN, 0};
    return ::poll(&ended, 1, 0) == 0;
}

// The first uid of a pair is pid 1's.
pid_t init_of(const Sandbox& sandbox) {
    const auto found = processes_of(sandbox.reply.uid - 1);
    REQUIRE(found.size() == 1);
    return found[0];
}

// Stands for a pid 1 that does not do what it is for.
void stop_init(const Sandbox& sandbox) {
    const pid_t init = init_of(sandbox);
    REQUIRE(::kill(init, SIGSTOP) == 0);
    // The signal is acted upon when the process next runs.
    for (std::string state; state != "T";) {
        std::ifstream stat{"/proc/" + std::to_string(init) + "/stat"};
        std::string pid, name;
        REQUIRE(stat >> pid >> name >> state);
    }
}

// Answers come in order, so what was sent before has been read.
void await_read(Launcher& launcher) {
    ipc::BuildRequest refused = launcher.request();
    std::string{"no-such-release"}.copy(refused.assignment.release, 64);
    CHECK(launcher.build(refused).reply.step == ipc::Step::release);
}

}  // namespace

TEST_CASE("a sandbox is killed though its pid 1 does nothing any more", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    Sandbox sandbox = launcher.build();
    start_cat(sandbox);
    stop_init(sandbox);
    const uid_t uid = sandbox.reply.uid;
    sandbox.status.reset();  // what ends every other one
    await_read(launcher);
    CHECK(is_alive(sandbox));
    CHECK(processes_of(uid).size() == 1);

    launcher.kill_sandbox(sandbox);
    sandbox.await_death();
    CHECK(processes_of(uid).empty());
    CHECK(processes_of(uid - 1).empty());
}

TEST_CASE("a kill names one sandbox, and harms no other one of its slot", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.slots = 1}};
    Sandbox first = launcher.build();
    start_cat(first);
    launcher.kill_sandbox(first);
    first.await_death();

    Sandbox second = launcher.build();
    start_cat(second);
    REQUIRE(second.reply.slot == first.reply.slot);
    CHECK(second.reply.serial != first.reply.serial);
    launcher.kill_sandbox(first);
    launcher.kill_sandbox(second, 0);
    await_read(launcher);
    CHECK(is_alive(second));
    launcher.kill_sandbox(second);
    second.await_death();
}

TEST_CASE("a sandbox of an earlier launcher is killed by the next one", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher first{{.slots = 4}};
    Sandbox sandbox = first.build();
    Sandbox other = first.build();
    start_cat(sandbox);
    start_cat(other);
    stop_init(sandbox);
    first.kill();
    sandbox.status.reset();

    Launcher second{{.slots = 4}};
    REQUIRE(second.first_uid() == first.first_uid());
    CHECK(is_alive(sandbox));
    second.kill_sandbox(sandbox);
    sandbox.await_death();
    CHECK(is_alive(other));
    // Another serial, should the slot be used again: two launchers never give the same.
    Sandbox next = second.build();
    REQUIRE(next.reply.step == ipc::Step::none);
    CHECK(next.reply.serial > other.reply.serial);
}

TEST_CASE("kills of sandboxes that there are not are passed over", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.slots = 4}};
    Sandbox sandbox = launcher.build();
    start_cat(sandbox);
    auto random = test::seeded_random("hostile kills");
    Sandbox named;
    for (int i = 0; i < 300; ++i) {
        named.reply.slot = static_cast<std::uint32_t>(
            test::below(random, 2) == 0 ? test::below(random, 6) : random());
        const std::uint64_t serial = random();
        launcher.kill_sandbox(named, serial == sandbox.reply.serial ? 0 : serial);
    }
    await_read(launcher);
    CHECK(is_alive(sandbox));
    sandbox.end_input();
    CHECK(sandbox.finish().report);
}
