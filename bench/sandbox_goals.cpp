#include "bench/sandbox_goals.h"

namespace berth::bench {
namespace {

enum class Of { first_byte, end };

struct Wanted {
    const char* program;
    const char* text;
    const char* subject;
    Of what;
    double percentile;
    const char* reference;
    double limit;
};

constexpr Wanted kWanted[] = {
    {"static", "warm, first byte p50 / bare", kWarm, Of::first_byte, 0.5, kBare, 1.2},
    {"static", "warm, first byte p99 / bare", kWarm, Of::first_byte, 0.99, kBare, 2},
    {"static", "warm, end reported p50 / bare", kWarm, Of::end, 0.5, kBare, 1.3},
    {"static", "cold, first byte p50 / bare", kCold, Of::first_byte, 0.5, kBare, 4.5},
    {"static", "warm, first byte p50 / bubblewrap", kWarm, Of::first_byte, 0.5, "bubblewrap", 0.12},
    {"static", "warm, first byte p50 / crun", kWarm, Of::first_byte, 0.5, "crun, userns, seccomp",
     0.09},
    {"sh", "warm, first byte p50 / bare", kWarm, Of::first_byte, 0.5, kBare, 1.3},
    {"python3", "warm, first byte p50 / bare", kWarm, Of::first_byte, 0.5, kBare, 1.1},
    {"node", "warm, first byte p50 / bare", kWarm, Of::first_byte, 0.5, kBare, 1.08},
};

double figure(const Measured& measured, const Wanted& wanted) {
    return (wanted.what == Of::end ? measured.end : measured.first_byte)
        .percentile(wanted.percentile);
}

}  // namespace

std::vector<Goal> goals_of(const std::string& program, const Cases& cases) {
    std::vector<Goal> goals;
    for (const Wanted& wanted : kWanted) {
        const auto subject = cases.find(wanted.subject);
        const auto reference = cases.find(wanted.reference);
        if (program != wanted.program || subject == cases.end() || reference == cases.end())
            continue;
        const double base = figure(reference->second, wanted);
        if (base > 0)
            goals.push_back({program + ": " + wanted.text, wanted.limit,
                             figure(subject->second, wanted) / base});
    }
    return goals;
}

}  // namespace berth::bench
