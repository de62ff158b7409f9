// A run at its limits, as its record tells it: real programs, with whatever cgroups
// this machine has (sandbox.md T27, T28).
#include <catch2/catch.hpp>
#include <csignal>
#include <string>

#include "tests/runner/real_programs.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using ipc::EndKind;
using ipc::StreamKind;

namespace {

constexpr std::uint64_t kMemory = 48 << 20;

// `tail` keeps a line until it ends, which /dev/zero's does not.
ipc::Start greedy(const RealPrograms& berth, std::int64_t run, const std::string& text) {
    ipc::Start start = berth.script(run, text);
    start.memory_bytes = kMemory;
    return start;
}

bool has_memory_group(const RealPrograms& berth) {
    return (berth.heard.started.at(0).protections & ipc::protection_cgroup_memory) != 0;
}

}  // namespace

#define BERTH_NEEDS_MEMORY_GROUP(berth)                                 \
    if (!has_memory_group(berth)) {                                     \
        WARN("skipped: this machine has no cgroup that limits memory"); \
        return;                                                         \
    }

TEST_CASE("a run out of memory, its child, its own kill and a limit are four different ends",
          "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth;
    const auto& itself = berth.run(greedy(berth, 1, "kill -KILL $$"));
    CHECK(itself.kind == EndKind::signalled);
    CHECK(itself.number == SIGKILL);
    BERTH_NEEDS_MEMORY_GROUP(berth);

    const auto& payload = berth.run(greedy(berth, 2, "exec tail /dev/zero"));
    CHECK(payload.kind == EndKind::out_of_memory);
    CHECK(payload.number == static_cast<std::int64_t>(kMemory));

    const auto& told_by_shell = berth.run(greedy(berth, 3, "tail /dev/zero"));
    CHECK(told_by_shell.kind == EndKind::out_of_memory);

    // With v2 the whole group goes; with v1 the script lives, and the log tells.
    const auto& child = berth.run(greedy(berth, 4, "tail /dev/zero; exit 3"));
    if (child.kind == EndKind::exited) {
        CHECK(child.number == 3);
        CHECK(berth.heard.printed(4, StreamKind::note) ==
              "1 of its processes killed: out of memory at 48 MiB\n");
    } else {
        CHECK(child.kind == EndKind::out_of_memory);
    }
}

TEST_CASE("a run whose files fill its memory before its program begins has not started",
          "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth{{}, RealPrograms::HostNetwork::refused, 2};
    CHECK(berth.run(berth.script(1, "exit 0")).kind == EndKind::exited);
    BERTH_NEEDS_MEMORY_GROUP(berth);
    berth.heard.started.clear();
    auto start = greedy(berth, 2, "exit 0");
    start.files = {{"small", "x"}, {"large", std::string(40 << 20, 'x')}};
    SECTION("more than it has") {
        start.memory_bytes = 16 << 20;
        CHECK(berth.run(start).kind == EndKind::out_of_memory);
        CHECK(berth.heard.started.empty());
    }
    SECTION("and not where they fit") {  // the control
        start.memory_bytes = 128 << 20;
        CHECK(berth.run(start).kind == EndKind::exited);
        CHECK(berth.heard.started.size() == 1);
    }
}

TEST_CASE("the memory of a run is that of all its processes", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth;
    const auto& small = berth.run(greedy(berth, 1, "exit 0"));
    CHECK(small.kind == EndKind::exited);
    BERTH_NEEDS_MEMORY_GROUP(berth);
    CHECK(small.memory_peak_bytes > 0);
    CHECK(small.memory_peak_bytes < kMemory);
    // Each file in scratch space is within the limit, and together they are not.
    const auto& both = berth.run(
        greedy(berth, 2, "f() { head -c 30000000 /dev/zero > /dev/shm/$1; }; f a; f b; echo both"));
    CHECK(both.kind != EndKind::exited);
    CHECK(both.memory_peak_bytes > kMemory / 2);
}

TEST_CASE("who fills pipes, sockets or memfds with more than his memory is out of memory",
          "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth;
    std::filesystem::copy_file(BERTH_BINARY_DIR "/bin/sandbox_probe", berth.release() / "probe");
    const auto fill = [&](std::int64_t run, const std::string& kind, std::uint64_t mib) {
        auto start = berth.script(run, "exec /app/probe fill-" + kind);
        start.memory_bytes = mib << 20;
        return berth.run(start);
    };
    // The control: with more memory the next limit, of open files, is what stops it.
    const auto free = fill(1, "pipes", 256);
    CHECK(free.kind == EndKind::exited);
    CHECK_THAT(berth.out(1), Catch::Contains("EMFILE"));
    BERTH_NEEDS_MEMORY_GROUP(berth);
    std::int64_t run = 1;
    for (const char* kind : {"pipes", "unix-sockets", "memfds"}) {
        INFO(kind);
        const auto ended = fill(++run, kind, 48);
        CHECK(ended.kind == EndKind::out_of_memory);
        CHECK(ended.number == std::int64_t{48} << 20);
        CHECK(berth.out(run) == "");
    }
}

TEST_CASE("a run that was stopped says that nothing of it is left", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth;
    ipc::Start start = berth.script(1, "trap '' TERM; sleep 1000 & echo ready; sleep 1000; wait");
    berth.berthd->send(start);
    berth.wait_for_output(1, "ready");
    berth.berthd->send(ipc::Cancel{1, 1});
    const auto& cancelled = berth.ended(1);
    CHECK(cancelled.kind == EndKind::cancelled);
    CHECK(cancelled.tree_empty);
    CHECK(berth.sandbox_processes().empty());
}

TEST_CASE("refused calls are on the record by name", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth;
    const auto& refused =
        berth.run(berth.script(1, "unshare -U true; /usr/sbin/chroot /tmp true; exit 0"));
    CHECK(refused.kind == EndKind::exited);
    CHECK(refused.refused_syscalls == std::vector<std::string>{"unshare", "chroot"});
    const auto& plain = berth.run(berth.script(2, "true"));
    CHECK(plain.refused_syscalls.empty());
}
