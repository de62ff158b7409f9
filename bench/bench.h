// What the benchmarks share: times, percentiles and the printed table. Subject and
// reference always take turns in one process, so that ratios hold on a busy machine.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth::bench {

using Steady = std::chrono::steady_clock;

// Microseconds of one thing, many times.
class Samples {
public:
    void add(Steady::duration time);
    void add(const Samples& others);
    double percentile(double p) const;  // 0.5 is the median; 0 when there are none
    std::size_t size() const { return micros_.size(); }

private:
    std::vector<double> micros_;
};

// One line: p50, p90, p99, and their ratios to the reference's.
void print_head(std::string_view title, std::string_view unit);
void print_line(std::string_view name, const Samples& samples, const Samples& reference);

// Waits until nothing else wants to run, but at most `most`: a start beside a compiler
// measures the compiler. False when it was never quiet.
bool wait_for_quiet(std::chrono::milliseconds most = std::chrono::milliseconds{50});

// This program and all it starts go before others from now on, where that is allowed:
// politely (nice -20), or by real-time priority, on a machine that is busy otherwise.
enum class Precedence { nice, real_time };
bool go_first(Precedence how = Precedence::nice);

// The environment's BERTH_SEED, else a fresh one; printed, so that it can be given again.
std::uint64_t seed_of(std::uint64_t given);

// How many times; the environment's BERTH_BENCH_N, else `preset`.
int times(int preset);

// The first of `names` on PATH; empty when there is none.
std::string program_on_path(std::string_view name);

}  // namespace berth::bench
