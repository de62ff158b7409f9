// Sandboxes that die between two looks of the launcher, with their last word unread: by
// then its slot may be another's, and it must not be parked under its number.
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <string>

#include "tests/sandbox/sandbox.h"
#include "tests/support/seed.h"

using namespace berth;
using namespace berth::sandbox_test;
using Clock = std::chrono::steady_clock;

namespace {

constexpr unsigned kSlots = 8;

std::string status_of(pid_t pid) {
    std::ifstream file{"/proc/" + std::to_string(pid) + "/status"};
    return {std::istreambuf_iterator<char>{file}, {}};
}

// It has loaded its filter: it says nothing more but that it is ready.
bool is_confined(pid_t pid) {
    const std::string status = status_of(pid);
    return status.find("Seccomp:\t2") != std::string::npos &&
           status.find("State:\tS") != std::string::npos;
}

// pid 1 of a sandbox whose two processes wait for a run; -1: there is none.
pid_t finished_sandbox(const Launcher& launcher) {
    for (unsigned slot = 0; slot < kSlots; ++slot) {
        const uid_t uid = launcher.first_uid() + 2 * slot;
        const auto init = processes_of(uid);
        const auto script = processes_of(uid + 1);
        if (init.size() == 1 && script.size() == 1 && is_confined(init[0]) &&
            is_confined(script[0]))
            return init[0];
    }
    return -1;
}

void stop(const Launcher& launcher) {
    REQUIRE(::kill(launcher.pid(), SIGSTOP) == 0);
    int status = 0;
    REQUIRE(::waitpid(launcher.pid(), &status, WUNTRACED) == launcher.pid());
    REQUIRE(WIFSTOPPED(status));
}

}  // namespace

TEST_CASE("a sandbox that died before its last word was read is not parked for ever", "[pool]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.slots = kSlots, .pool = 1}};
    auto random = test::seeded_random("moments of a build");
    int died_in_time = 0;
    // Where none was met after as many tries, more are made: on a slow machine the moment is rare.
    const auto end = Clock::now() + std::chrono::minutes{3};
    for (int i = 0; died_in_time < 3 && (i < 300 || (died_in_time == 0 && Clock::now() < end));
         ++i) {
        Sandbox parked = launcher.await_parked();
        parked.status.reset();
        parked.await_death();
        // Said of every one that was handed over, also of one that was dead by then.
        CHECK(launcher.await_retire().serial == parked.reply.serial);
        // Some moment of the next one's building, which takes about as long as this one's did.
        const std::size_t span = std::max<std::size_t>(6000, 2 * parked.reply.build_us);
        const auto moment = Clock::now() + std::chrono::microseconds{test::below(random, span)};
        while (Clock::now() < moment) {
        }
        stop(launcher);
        // It gets ready by itself, or waits for the launcher.
        pid_t init = finished_sandbox(launcher);
        for (int looks = 0; init < 0 && looks < 20; ++looks)
            init = finished_sandbox(launcher);
        if (init > 0 && launcher.unread() == 0) {
            ++died_in_time;
            REQUIRE(::kill(init, SIGKILL) == 0);
            while (status_of(init).find("State:\tZ") == std::string::npos) {
            }
        }
        REQUIRE(::kill(launcher.pid(), SIGCONT) == 0);
    }
    CHECK(died_in_time > 0);
}
