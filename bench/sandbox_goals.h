// The goals for a start in a sandbox, as ratios of medians within one measurement.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "bench/bench.h"

namespace berth::bench {

struct Measured {
    Samples first_byte, end;
    int not_quiet = 0;  // starts beside something else that wanted to run
};

// The cases of one program, by name.
using Cases = std::map<std::string, Measured>;

inline constexpr const char* kBare = "bare posix_spawn";
inline constexpr const char* kWarm = "berth, warm";  // complete when it is asked for
inline constexpr const char* kParked = "berth, warm, new request";
inline constexpr const char* kCold = "berth, cold";

struct Goal {
    std::string text;
    double limit = 0;
    double measured = 0;
    bool met() const { return measured <= limit; }
};

// Those for which `cases` has what it takes. `program`: `static`, `sh`, `python3`, `node`.
std::vector<Goal> goals_of(const std::string& program, const Cases& cases);

}  // namespace berth::bench
