// Bombs: scripts that take all there is of something, alone and eight at once beside
// a neighbour that goes on with its work (sandbox.md T9).
#include <sys/wait.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iostream>
#include <thread>

#include "tests/sandbox/sandbox.h"

using namespace berth;
using namespace berth::sandbox_test;
using Catch::Matchers::Contains;

namespace {

struct Bomb {
    const char* name;
    std::vector<std::string> act;
    const char* stopped_by;  // what the probe saw last
    std::uint64_t open_files = 128;
};

const Bomb kBombs[] = {
    {"processes", {"fork"}, "EAGAIN"},
    {"memory", {"allocate", "4096"}, "ENOMEM"},
    {"descriptors", {"open-files"}, "EMFILE"},
    {"inodes", {"make-files", "/work"}, "ENOSPC"},
    {"disk", {"fill", "/tmp/x"}, "ENOSPC"},
    {"shared memory", {"shared-memory"}, "ENOSPC"},
    {"queues", {"ipc-objects"}, "ENOSPC"},
    {"pipes", {"fill-pipes"}, "EMFILE"},
    {"Unix sockets", {"fill-unix-sockets"}, "EMFILE"},
    {"connections", {"fill-connections"}, "EMFILE", 32},  // the host's memory for TCP is one
    {"files in memory", {"fill-memfds"}, "EMFILE"},
};

ipc::BuildRequest small(const Launcher& launcher, const Bomb& bomb) {
    ipc::BuildRequest request = launcher.request();
    request.assignment.limits.memory_bytes = 128 << 20;
    request.assignment.limits.open_files = bomb.open_files;
    // Without a group this times the open files is what files in memory may have.
    if (bomb.name == std::string{"files in memory"}) request.assignment.limits.file_bytes = 1 << 20;
    return request;
}

// Its limit stopped it, or, with a cgroup, the kernel did.
void check_stopped(const Bomb& bomb, const Ended& ended) {
    INFO(bomb.name << ": " << ended.out);
    if (!ended.report) {  // pid 1 went with its group
        CHECK(bomb.name == std::string{"memory"});
        return;
    }
    const int status = ended.report->wait_status;
    if (WIFSIGNALED(status)) {
        CHECK(bomb.name == std::string{"memory"});
        CHECK(WTERMSIG(status) == SIGKILL);
        return;
    }
    CHECK(status == 0);
    CHECK_THAT(ended.out, Contains(bomb.stopped_by));
}

// What the bombs' memory is charged as once their processes are dead: tmpfs pages.
long shared_memory_kib() {
    std::ifstream info{"/proc/meminfo"};
    for (std::string line; std::getline(info, line);)
        if (line.rfind("Shmem:", 0) == 0) return std::stol(line.substr(6));
    return 0;
}

// The kernel takes a dead sandbox's mounts apart in the background, and others use this
// machine too: true as soon as no more than `kib` are left over `before`.
bool comes_back_to(long before, long kib) {
    for (int i = 0; i < 600; ++i) {
        if (shared_memory_kib() <= before + kib) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds{100});
    }
    return false;
}

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

// The median time of a run that does nothing.
double neighbour_ms(Launcher& launcher, int times) {
    std::vector<double> all;
    for (int i = 0; i < times; ++i) {
        const auto begun = Clock::now();
        CHECK(launcher.said({"euid"}) == "1000\n");
        all.push_back(Milliseconds{Clock::now() - begun}.count());
    }
    std::sort(all.begin(), all.end());
    return all[all.size() / 2];
}

}  // namespace

TEST_CASE("each bomb is stopped by its limit and leaves nothing", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    for (const Bomb& bomb : kBombs) {
        Sandbox sandbox = launcher.build(small(launcher, bomb));
        REQUIRE(sandbox.reply.step == ipc::Step::none);
        REQUIRE_FALSE(sandbox.start(probe(bomb.act)));
        check_stopped(bomb, sandbox.finish());
        CHECK(processes_of(sandbox.reply.uid).empty());
        CHECK(processes_of(sandbox.reply.uid - 1).empty());
    }
}

TEST_CASE("eight bombs at once do not stop a neighbour", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.slots = 32}};
    const double quiet = neighbour_ms(launcher, 9);
    const long before = shared_memory_kib();
    for (const Bomb& bomb : kBombs) {
        std::vector<Sandbox> all;
        for (int i = 0; i < 8; ++i) {
            all.push_back(launcher.build(small(launcher, bomb)));
            REQUIRE(all.back().reply.step == ipc::Step::none);
        }
        for (Sandbox& sandbox : all)
            REQUIRE_FALSE(sandbox.start(probe(bomb.act)));
        const double beside = neighbour_ms(launcher, 5);
        for (Sandbox& sandbox : all) {
            check_stopped(bomb, sandbox.finish());
            CHECK(processes_of(sandbox.reply.uid).empty());
        }
        std::cout << "8 x " << bomb.name << ": a neighbour's run takes " << beside << " ms, "
                  << beside / quiet << " of its quiet time\n";
    }
    // What they had is free again.
    CHECK(comes_back_to(before, 256 << 10));
    CHECK(neighbour_ms(launcher, 3) > 0);  // the launcher serves on
}
