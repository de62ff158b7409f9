// How a run ended, told from what pid 1 reported and what its cgroup counted. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/ipc/launcher_protocol.h"
#include "sandbox/ipc/messages.h"
#include "sandbox/runner/cgroup_events.h"

namespace berth::runner {

struct Verdict {
    ipc::EndKind kind{};
    std::int64_t number = 0;
    std::string text;
    bool operator==(const Verdict&) const = default;
};

// The script's end as pid 1 saw it. Memory is told apart from other kills: the run's own
// limit (the script's fault), and a host without memory (not its fault).
Verdict verdict_of(const ipc::EndReport& report, const CgroupCounters& counters,
                   const ipc::SandboxLimits& limits);

// pid 1 has died without a report. `executed`: the script had begun.
Verdict verdict_without_report(const CgroupCounters& counters, const ipc::SandboxLimits& limits,
                               bool executed);

// What somebody who reads the log should know beyond the verdict, a line each: a limit
// that was reached, and what a signal of the kernel means.
std::vector<std::string> notes_of(const Verdict& verdict, const CgroupCounters& counters,
                                  const ipc::SandboxLimits& limits);

// The system calls that the filter refused, by name.
std::vector<std::string> refused_names(const ipc::EndReport& report);

}  // namespace berth::runner
