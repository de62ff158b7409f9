// Scripts that take all they can get (sandbox.md T9, in the small).
#include <catch2/catch.hpp>
#include <fstream>

#include "tests/isolation/outside.h"
#include "tests/sandbox/sandbox.h"

using namespace berth;
using namespace berth::sandbox_test;
using Catch::Matchers::Contains;

TEST_CASE("a bomb of processes or threads stops at the limit of processes", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    ipc::BuildRequest request = launcher.request();
    request.assignment.limits.processes = 20;
    CHECK(launcher.run_with(request, probe({"fork"})).out == "19 EAGAIN\n");
    CHECK(launcher.run_with(request, probe({"threads"})).out == "19 EAGAIN\n");
}

TEST_CASE("a full scratch space is full for all its folders", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    ipc::BuildRequest request = launcher.request();
    request.assignment.limits.scratch_bytes = 4 << 20;
    for (const char* path : {"/tmp/x", "/work/x", "/dev/shm/x"}) {
        const Ended ended = launcher.run_with(request, probe({"fill", path}));
        CHECK(ended.out == "ENOSPC 4194304\n");
    }
}

TEST_CASE("files without content run out too", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    ipc::BuildRequest request = launcher.request();
    request.assignment.limits.scratch_inodes = 100;
    const Ended ended = launcher.run_with(request, probe({"make-files", "/work"}));
    CHECK_THAT(ended.out, Contains("ENOSPC"));
    CHECK(std::stoi(ended.out) < 100);
}

TEST_CASE("a script opens no more files than it may", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    ipc::BuildRequest request = launcher.request();
    request.assignment.limits.open_files = 32;
    CHECK(launcher.run_with(request, probe({"open-files"})).out == "29 EMFILE\n");
}

TEST_CASE("without a cgroup the memory of a process is limited", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    ipc::BuildRequest request = launcher.request();
    request.assignment.limits.memory_bytes = 64 << 20;
    CHECK(launcher.run_with(request, probe({"allocate", "32"})).out == "ok\n");
    CHECK(launcher.run_with(request, probe({"allocate", "80"})).out == "ENOMEM\n");
}

TEST_CASE("shared memory and queues of System V have limits too", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    ipc::BuildRequest request = launcher.request();
    request.assignment.limits.memory_bytes = 64 << 20;
    CHECK(launcher.run_with(request, probe({"shared-memory"})).out == "64 ENOSPC\n");
    CHECK(launcher.run_with(request, probe({"ipc-objects"})).out == "32 64 ENOSPC\n");
    // The limits are those of one sandbox: the host's stay as they were.
    CHECK(launcher.said({"read", "/proc/sys/kernel/msgmni"}) == "64\n");
    std::ifstream host{"/proc/sys/kernel/msgmni"};
    int queues = 0;
    CHECK((host >> queues && queues != 64));
}

TEST_CASE("memory that is locked, timers and POSIX queues have limits too", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    const auto outside = [&](const char* act) {
        return isolation::Outside{{launcher.release_path("probe/probe"), act}, {}}.read_all();
    };
    CHECK(launcher.said({"lock-memory"}) == "65536 ENOMEM\n");
    CHECK(launcher.said({"timers"}) == "1024 EAGAIN\n");
    CHECK(launcher.said({"message-queues"}) == "0 EMFILE\n");
    // The control: root outside has more of each.
    CHECK(outside("lock-memory") == "67108864 ok\n");
    CHECK(std::stoi(outside("timers")) > 1024);
    CHECK(std::stoi(outside("message-queues")) > 0);
}

TEST_CASE("where a limit is twice as far the same act gets twice as far", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    const auto said = [&](std::vector<std::string> act, void (*change)(ipc::SandboxLimits&)) {
        ipc::BuildRequest request = launcher.request();
        change(request.assignment.limits);
        return launcher.run_with(request, probe(std::move(act))).out;
    };
    CHECK(said({"fork"}, [](auto& limits) { limits.processes = 40; }) == "39 EAGAIN\n");
    CHECK(said({"threads"}, [](auto& limits) { limits.processes = 40; }) == "39 EAGAIN\n");
    CHECK(said({"open-files"}, [](auto& limits) { limits.open_files = 64; }) == "61 EMFILE\n");
    CHECK(said({"fill", "/tmp/x"}, [](auto& limits) { limits.scratch_bytes = 8 << 20; }) ==
          "ENOSPC 8388608\n");
    const auto files = [&](void (*change)(ipc::SandboxLimits&)) {
        return std::stoi(said({"make-files", "/work"}, change));
    };
    CHECK(files([](auto& limits) { limits.scratch_inodes = 200; }) -
              files([](auto& limits) { limits.scratch_inodes = 100; }) ==
          100);
    CHECK(said({"allocate", "80"}, [](auto& limits) { limits.memory_bytes = 128 << 20; }) ==
          "ok\n");
}

TEST_CASE("one sandbox at its limits does not touch another", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    ipc::BuildRequest request = launcher.request();
    request.assignment.limits.processes = 8;
    Sandbox first = launcher.build(request);
    Sandbox second = launcher.build(request);
    CHECK_FALSE(first.start(probe({"fork"})));
    CHECK_FALSE(second.start(probe({"fork"})));
    CHECK(first.finish().out == "7 EAGAIN\n");
    CHECK(second.finish().out == "7 EAGAIN\n");
}
