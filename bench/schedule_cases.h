// What the scheduler costs, by the parts that berthd is made of: engine, book, queue and
// store on their own loop. Each case runs in a process of its own.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "bench/bench.h"

namespace berth::bench {

// So many schedules in a store, of which few are due.
struct ScheduleFigures {
    double open_ms = 0;        // the store, with its checks
    double armed_ms = 0;       // from the engine's opening until it knows the next instant
    double resident_mib = 0;   // that it took, the burst left out
    double disk_bytes = 0;     // of each
    double look_cpu_us = 0;    // of each firing, in the burst
    double burst_seconds = 0;  // from the instant of all until the last is durable
    Samples late;              // from the due instant until the firing is durable
};
struct ScheduleCase {
    std::int64_t schedules = 0;
    std::int64_t firings = 0;  // spread over `window`
    std::chrono::seconds window{0};
    std::int64_t burst = 0;  // due in one instant
};
ScheduleFigures measure_schedules(const ScheduleCase& wanted);

// One run picked and begun, durable, of so many tenants that wait.
struct PickFigures {
    double open_ms = 0;
    double first_ms = 0;  // recovery and the first pick, in the store just opened
    double resident_mib = 0;
    Samples took, cpu;
};
std::map<std::int64_t, PickFigures> measure_picks(const std::vector<std::int64_t>& waiting,
                                                  int rounds, std::uint64_t seed);

// One tenant has `many` triggers waiting when `others` come with one each: after how many
// picks has the last of these begun its run?
struct Fairness {
    int picks = 0;
    int others_begun = 0;
    std::int64_t waiting = 0;  // of the one, when it began
};
Fairness measure_fairness(int others, std::int64_t many);

}  // namespace berth::bench
