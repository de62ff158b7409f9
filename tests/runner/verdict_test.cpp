// Every way a run can end, told apart (sandbox.md T28, T34).
#include "sandbox/runner/verdict.h"

#include <fcntl.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>

#include "base/fd.h"
#include "base/file.h"

using namespace berth;
using namespace berth::runner;
using ipc::EndKind;

namespace {

constexpr ipc::SandboxLimits kLimits{
    .memory_bytes = 256 << 20, .processes = 64, .file_bytes = 32 << 20};
constexpr CgroupCounters kQuiet{};
constexpr CgroupCounters kOwnLimit{.oom_kills = 1, .limit_hits = 3};
constexpr CgroupCounters kHostMemory{.oom_kills = 1, .limit_hits = 0};

ipc::EndReport exited(int code) {
    ipc::EndReport report;
    report.wait_status = code << 8;
    return report;
}
ipc::EndReport killed(int signo) {
    ipc::EndReport report;
    report.wait_status = signo;
    return report;
}

struct Group {
    TempDir folder{"cgroup"};
    Fd dir{::open(folder.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    void file(const char* name, const std::string& content) {
        std::ofstream{folder.path() / name} << content;
    }
};

}  // namespace

TEST_CASE("a script that ends by itself keeps its exit code", "[runner]") {
    CHECK(verdict_of(exited(0), kQuiet, kLimits) == Verdict{EndKind::exited, 0, ""});
    CHECK(verdict_of(exited(137), kQuiet, kLimits) == Verdict{EndKind::exited, 137, ""});
}

TEST_CASE("four ways to be killed have four different results", "[runner]") {
    const Verdict memory = verdict_of(killed(SIGKILL), kOwnLimit, kLimits);
    CHECK(memory == Verdict{EndKind::out_of_memory, 256 << 20, ""});

    const Verdict child = verdict_of(exited(3), kOwnLimit, kLimits);
    CHECK(child == Verdict{EndKind::exited, 3, ""});
    CHECK(notes_of(child, kOwnLimit, kLimits) ==
          std::vector<std::string>{"1 of its processes killed: out of memory at 256 MiB"});

    const Verdict itself = verdict_of(killed(SIGKILL), kQuiet, kLimits);
    CHECK(itself == Verdict{EndKind::signalled, SIGKILL, ""});

    const Verdict host = verdict_without_report(kQuiet, kLimits, true);
    CHECK(host ==
          Verdict{EndKind::lost, 0, "the sandbox was killed from outside before its script ended"});
}

TEST_CASE("a whole group that is killed for memory is never lost", "[runner]") {
    CHECK(verdict_without_report(kOwnLimit, kLimits, true) ==
          Verdict{EndKind::out_of_memory, 256 << 20, ""});
    CHECK(verdict_without_report(kOwnLimit, kLimits, false).kind == EndKind::out_of_memory);
}

TEST_CASE("a shell that tells of its killed child was out of memory too", "[runner]") {
    CHECK(verdict_of(exited(137), kOwnLimit, kLimits) ==
          Verdict{EndKind::out_of_memory, 256 << 20, ""});
    CHECK(notes_of(verdict_of(exited(137), kOwnLimit, kLimits), kOwnLimit, kLimits).empty());
}

TEST_CASE("a host without memory is not the script's fault", "[runner]") {
    const Verdict verdict = verdict_of(killed(SIGKILL), kHostMemory, kLimits);
    CHECK(verdict.kind == EndKind::lost);
    CHECK(verdict.text.rfind("the host ran out of memory", 0) == 0);
    CHECK(verdict_without_report(kHostMemory, kLimits, true).kind == EndKind::lost);
}

TEST_CASE("a sandbox that dies before its script has not been set up", "[runner]") {
    CHECK(verdict_without_report(kQuiet, kLimits, false) ==
          Verdict{EndKind::setup_failed, 0, "the sandbox died before it executed the program"});
}

TEST_CASE("the log says which limit was reached and what a signal means", "[runner]") {
    const auto notes = [](int signo, const CgroupCounters& counters) {
        return notes_of(verdict_of(killed(signo), counters, kLimits), counters, kLimits);
    };
    CHECK(notes(SIGXFSZ, kQuiet) ==
          std::vector<std::string>{"a file would have grown over the limit of 32 MiB"});
    CHECK(notes(SIGSYS, kQuiet) ==
          std::vector<std::string>{
              "it made a system call by a foreign table (32-bit or x32), which no script may"});
    CHECK(notes(SIGTERM, {.forks_refused = 7}) ==
          std::vector<std::string>{
              "it tried 7 times to have more than its 64 processes and threads"});
    CHECK(notes(SIGTERM, kQuiet).empty());
}

TEST_CASE("refused system calls are told by name", "[runner]") {
    ipc::EndReport report;
    report.refused_count = 3;
    report.refused[0] = 101;
    report.refused[1] = 165;
    report.refused[2] = 9999;
#if defined(__x86_64__)
    CHECK(refused_names(report) == std::vector<std::string>{"ptrace", "mount", "system call 9999"});
#endif
    report.refused_count = 4'000'000'000;  // from a pid 1 that is not ours
    CHECK(refused_names(report).size() == 14);
    CHECK(refused_names({}).empty());
}

TEST_CASE("the counters of v2 are read from its files", "[runner]") {
    Group group;
    group.file("memory.events", "low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\noom_group_kill 1\n");
    group.file("memory.peak", "1048576\n");
    group.file("pids.events", "max 5\n");
    group.file("io.stat", "8:0 rbytes=100 wbytes=20 rios=1 dbytes=7\n259:1 rbytes=11 wbytes=2\n");
    group.file("cpu.stat", "usage_usec 30\nuser_usec 20\nsystem_usec 10\n");
    group.file("cgroup.events", "populated 0\nfrozen 0\n");
    const CgroupCounters c = read_counters(group.dir.get());
    CHECK(c.oom_kills == 1);
    CHECK(c.limit_hits == 2);
    CHECK(c.memory_peak_bytes == 1048576);
    CHECK(c.forks_refused == 5);
    CHECK(c.io_read_bytes == 111);
    CHECK(c.io_write_bytes == 22);
    CHECK(c.user_us == 20);
    CHECK(c.system_us == 10);
    CHECK(c.known_empty);
    group.file("cgroup.events", "populated 1\nfrozen 0\n");
    CHECK_FALSE(read_counters(group.dir.get()).known_empty);
}

TEST_CASE("the counters of v1 are read from its files", "[runner]") {
    Group group;
    group.file("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
    group.file("memory.failcnt", "0\n");  // though it was reached
    group.file("memory.limit_in_bytes", "50331648\n");
    group.file("memory.max_usage_in_bytes", "50327552\n");
    const CgroupCounters c = read_counters(group.dir.get());
    CHECK(c.oom_kills == 2);
    CHECK(c.limit_hits == 1);
    CHECK(c.memory_peak_bytes == 50327552);
    CHECK_FALSE(c.known_empty);
    group.file("memory.max_usage_in_bytes", "20000000\n");  // the host's memory, then
    CHECK(read_counters(group.dir.get()).limit_hits == 0);
}

TEST_CASE("without a cgroup nothing is known, and nothing is killed", "[runner]") {
    const CgroupCounters c = read_counters(-1);
    CHECK(c.oom_kills == 0);
    CHECK_FALSE(c.known_empty);
    kill_all_in(-1);

    Group group;  // a kernel that counts nothing
    CHECK(read_counters(group.dir.get()).oom_kills == 0);
    group.file("cgroup.kill", "");
    kill_all_in(group.dir.get());
    CHECK(read_file(group.folder.path() / "cgroup.kill", 10).value() == "1");
}
