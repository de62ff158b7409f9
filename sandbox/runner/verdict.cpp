#include "sandbox/runner/verdict.h"

#include <fmt/format.h>
#include <seccomp.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <iterator>
#include <memory>

namespace berth::runner {
namespace {

using ipc::EndKind;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr int kShellSaysKilled = 128 + SIGKILL;  // of its child

Verdict out_of_memory(const CgroupCounters& counters, const ipc::SandboxLimits& limits) {
    if (counters.limit_hits > 0)
        return {EndKind::out_of_memory, static_cast<std::int64_t>(limits.memory_bytes), {}};
    return {EndKind::lost, 0,
            "the host ran out of memory, and its kernel killed the script; see that fewer runs "
            "may be live at once, or that they may take less memory each"};
}

}  // namespace

Verdict verdict_of(const ipc::EndReport& report, const CgroupCounters& counters,
                   const ipc::SandboxLimits& limits) {
    const int status = report.wait_status;
    const bool killed_for_memory = counters.oom_kills > 0;
    if (WIFEXITED(status)) {
        // Most scripts are started by a shell, which tells of its child's death like this.
        if (killed_for_memory && WEXITSTATUS(status) == kShellSaysKilled)
            return out_of_memory(counters, limits);
        return {EndKind::exited, WEXITSTATUS(status), {}};
    }
    if (!WIFSIGNALED(status)) return {EndKind::lost, 0, "the sandbox reported an end that is none"};
    if (WTERMSIG(status) == SIGKILL && killed_for_memory) return out_of_memory(counters, limits);
    return {EndKind::signalled, WTERMSIG(status), {}};
}

Verdict verdict_without_report(const CgroupCounters& counters, const ipc::SandboxLimits& limits,
                               bool executed) {
    if (counters.oom_kills > 0) return out_of_memory(counters, limits);
    if (!executed)
        return {EndKind::setup_failed, 0, "the sandbox died before it executed the program"};
    return {EndKind::lost, 0, "the sandbox was killed from outside before its script ended"};
}

std::vector<std::string> notes_of(const Verdict& verdict, const CgroupCounters& counters,
                                  const ipc::SandboxLimits& limits) {
    std::vector<std::string> notes;
    if (counters.oom_kills > 0 && counters.limit_hits > 0 && verdict.kind != EndKind::out_of_memory)
        notes.push_back(fmt::format("{} of its processes killed: out of memory at {} MiB",
                                    counters.oom_kills, limits.memory_bytes / kMiB));
    if (counters.forks_refused > 0)
        notes.push_back(
            fmt::format("it tried {} times to have more than its {} processes and threads",
                        counters.forks_refused, limits.processes));
    if (verdict.kind == EndKind::signalled && verdict.number == SIGXFSZ)
        notes.push_back(fmt::format("a file would have grown over the limit of {} MiB",
                                    limits.file_bytes / kMiB));
    if (verdict.kind == EndKind::signalled && verdict.number == SIGSYS)
        notes.push_back(
            "it made a system call by a foreign table (32-bit or x32), which no script may");
    return notes;
}

std::vector<std::string> refused_names(const ipc::EndReport& report) {
    std::vector<std::string> names;
    const std::size_t count =
        std::min<std::size_t>(report.refused_count, std::size(report.refused));
    for (std::size_t i = 0; i < count; ++i) {
        const int number = report.refused[i];
        const std::unique_ptr<char, decltype(&std::free)> name{
            ::seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number), std::free};
        names.push_back(name ? name.get() : fmt::format("system call {}", number));
    }
    return names;
}

}  // namespace berth::runner
