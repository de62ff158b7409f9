// Scripts that take all they can get (sandbox.md T9, in the small).
#include <catch2/catch.hpp>
#include <fstream>

#include "tests/sandbox/sandbox.h"

using namespace berth;
using namespace berth::sandbox_test;
using Catch::Matchers::Contains;

TEST_CASE("a fork bomb stops at the limit of processes", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    ipc::BuildRequest request = launcher.request();
    request.assignment.limits.processes = 20;
    const Ended ended = launcher.run_with(request, probe({"fork"}));
    CHECK(ended.out == "19 EAGAIN\n");
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
