// What a run finds in a sandbox that was parked for it: its own limits and release, nothing of
// others (sandbox.md T2, T21, T24, T32).
#include <sys/socket.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/sandbox/parked.h"
#include "tests/support/seed.h"

using namespace berth;
using namespace berth::sandbox_test;
using ipc::Step;

TEST_CASE("a release that is not there fails the run with its step, and leaves nothing", "[pool]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.pool = 1}};
    Sandbox parked = launcher.await_parked();
    ipc::Assignment assignment = launcher.request().assignment;
    std::strcpy(assignment.release, "absent");
    launcher.take(parked, assignment);
    const auto failed = parked.start(probe({"exit", "0"}));
    REQUIRE(failed);
    CHECK(failed->step == Step::release);
    CHECK(failed->err == ENOENT);
    const ipc::Attached answer = launcher.await_attached();
    CHECK(answer.step == Step::release);
    CHECK(answer.err == ENOENT);
    const uid_t uid = parked.reply.uid;
    parked = {};
    // Slots go round: when its slot is parked again, all of it was reaped.
    for (;;) {
        Sandbox next = launcher.await_parked();
        if (next.reply.uid == uid) break;
        CHECK(run_parked(launcher, next, probe({"exit", "0"})).report);
    }
}

TEST_CASE("limits are the run's, whatever the sandbox was parked with", "[pool]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.pool = 1}};
    Sandbox parked = launcher.await_parked();
    ipc::Assignment assignment = launcher.request().assignment;
    assignment.limits.open_files = 17;
    assignment.limits.scratch_bytes = 1 << 20;
    parked.limits = assignment.limits;
    launcher.take(parked, assignment);
    Run run;
    run.argv = {"/bin/sh", "-c",
                "ulimit -n; head -c 2000000 /dev/zero > /tmp/x 2>/dev/null; wc -c < /tmp/x"};
    run.env = {"PATH=/usr/bin:/bin"};
    CHECK_FALSE(parked.start(run));
    CHECK(launcher.await_attached().step == Step::none);
    parked.end_input();
    CHECK(parked.finish().out == "17\n1048576\n");
}

TEST_CASE("before it is taken a parked sandbox shows no release", "[pool]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.pool = 1}};
    std::ofstream{launcher.release_path("probe") + "/mark"} << "x";
    Sandbox parked = launcher.await_parked();
    for (const pid_t pid : processes_of(parked.reply.uid)) {
        const std::string root = "/proc/" + std::to_string(pid) + "/root/app";
        CHECK(std::filesystem::is_empty(root));
    }
    launcher.take(parked, launcher.request().assignment);
    CHECK(launcher.await_attached().step == Step::none);
    for (const pid_t pid : processes_of(parked.reply.uid))  // the same look finds it now
        CHECK(std::filesystem::exists("/proc/" + std::to_string(pid) + "/root/app/mark"));
}

TEST_CASE("nothing that one run wrote is there for the next one on the same slot", "[pool]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.slots = 4, .pool = 1}};
    std::set<std::uint32_t> used;
    bool again = false;
    for (int i = 0; i < 9; ++i) {
        Sandbox parked = launcher.await_parked();
        again = again || !used.insert(parked.reply.slot).second;
        Run run;
        run.argv = {"/bin/sh", "-c",
                    "ls -A /tmp /work /dev/shm | grep left; touch /tmp/left /work/left "
                    "/dev/shm/left; ls /tmp"};
        run.env = {"PATH=/usr/bin:/bin"};
        CHECK(run_parked(launcher, parked, run).out == "left\n");
    }
    CHECK(again);
}

TEST_CASE("a script in a parked sandbox holds its three streams and nothing else", "[pool]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.slots = 160, .pool = 40}};
    auto parked = await_parked(launcher, 40);
    std::vector<Sandbox> running;
    for (int i = 0; i < 8; ++i) {
        running.push_back(std::move(parked.back()));
        parked.pop_back();
        launcher.take(running.back(), launcher.request().assignment);
        Run cat;
        cat.argv = {"/bin/cat"};
        CHECK_FALSE(running.back().start(cat));
        CHECK(launcher.await_attached().step == Step::none);
    }
    std::istringstream lines{run_parked(launcher, parked.back(), probe({"fds"})).out};
    std::set<std::string> seen;
    for (std::string line; std::getline(lines, line);)
        seen.insert(line.substr(0, 7));
    CHECK(seen == std::set<std::string>{"0 pipe:", "1 pipe:", "2 pipe:"});
}

TEST_CASE("what a compromised runner may send harms only itself", "[pool]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.slots = 16, .pool = 2}};
    auto parked = await_parked(launcher, 2);
    auto random = test::seeded_random("hostile takes");
    const auto some = [&](std::uint64_t below) { return random() % below; };
    for (int i = 0; i < 300; ++i) {
        ipc::TakeRequest take;
        take.slot = static_cast<std::uint32_t>(some(2) == 0 ? some(20) : random());
        take.serial = 1000 + some(1'000'000);  // of none that there is
        take.assignment = launcher.request().assignment;
        auto* bytes = reinterpret_cast<unsigned char*>(&take.assignment);
        for (std::uint64_t n = some(3); n > 0; --n)
            bytes[some(sizeof take.assignment)] = static_cast<unsigned char>(random());
        if (some(10) == 0) take.header.version = static_cast<std::uint16_t>(random());
        const std::string sent{reinterpret_cast<const char*>(&take), sizeof take};
        REQUIRE(::send(launcher.socket(), sent.data(), sent.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(sent.size()));
        const Step step = launcher.await_attached().step;
        CHECK((step == Step::slot || step == Step::request));
    }
    for (Sandbox& one : parked)
        CHECK(run_parked(launcher, one, probe({"call", "socket-inet"})).out == "ok\n");
}
