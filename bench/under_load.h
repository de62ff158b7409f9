// What becomes of starts when more and more is asked for: at shares of what berthd can keep
// up with, and past it (reliability.md L1, L3). All of berthd's settings are as they come.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "bench/endtoend.h"
#include "bench/figures.h"
#include "bench/offer.h"

namespace berth::bench {

struct LoadOptions {
    int tenants = 400;
    std::chrono::seconds time{20};  // of each step
    std::uint64_t seed = 0;
};

class UnderLoad {
public:
    UnderLoad(const LoadOptions& options, Figures& figures);

    // From the API to the first byte, at 50, 80 and 100 % of the capacity.
    void curve();
    // Runs at twice and ten times the capacity; clients at twice and ten times as many as
    // 64, which keep berthd busy: what is refused and how, what is lost, what it costs.
    void overload();

private:
    struct Step {
        std::string name;
        Offer offer;
        double peak = 0;  // what berthd does at its best of what `done` counts; 0: not asked
        enum class Done { runs, accepted } done = Done::runs;
    };

    Offer triggers(double per_second, int connections, Steady::duration time) const;
    double runs_ended();
    double resident() const;
    double step(const Step& step);
    Steady::duration until_normal();
    std::int64_t lost(const std::vector<Accepted>& accepted);

    const LoadOptions options_;
    Figures& figures_;
    EndToEnd berth_;
    double capacity_ = 0;  // runs a second
    double resident_before_ = 0;
    Samples quiet_;
};

}  // namespace berth::bench
