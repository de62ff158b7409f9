// Runs per second, and what a run costs in processor time: one after the other in several
// threads. The first ones are not counted.
#pragma once

#include <functional>

#include "bench/starts.h"

namespace berth::bench {

inline constexpr int kUncountedRuns = 20;

// Of this process and of all it has started and waited for, from its making on.
class CpuTime {
public:
    CpuTime();
    double ms_since() const;

private:
    double at_ms_;
};

struct Sustained {
    double per_second = 0;
    double cpu_ms_per_run = 0;
};

// After `count` counted runs took so long.
Sustained sustained(int count, Steady::duration took, const CpuTime& since);

Sustained sustain_commands(const std::function<Command()>& command, int in_flight, int count);

}  // namespace berth::bench
