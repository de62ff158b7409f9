// The simulated world: one queue of events in virtual time, one source of chance,
// a clock that can be put wrong, and a log whose hash tells two runs apart.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "scheduler/ports.h"

namespace berth::sim {

using std::chrono::microseconds;

class World {
public:
    explicit World(std::uint64_t seed) : random_{seed} {}

    // --- time: steady time only moves with events
    microseconds steady() const { return steady_; }
    Time wall() const { return kBegin + steady_ + wrong_; }
    void put_clock(microseconds wrong) {
        wrong_ = wrong;
        ++clock_changes_;
    }
    std::uint64_t clock_changes() const { return clock_changes_; }

    // --- events
    void after(microseconds delay, std::function<void()> event);
    bool step();  // runs the next one; false: there is none
    microseconds next_at() const { return events_.begin()->first.first; }
    bool empty() const { return events_.empty(); }

    // --- chance
    std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
    bool one_in(std::uint64_t n) { return below(n) == 0; }
    microseconds between(microseconds least, microseconds most) {
        return least + microseconds{static_cast<std::int64_t>(
                           below(static_cast<std::uint64_t>((most - least).count()) + 1))};
    }

    // --- what is kept of it
    // Part of the log: the same seed gives the same ones.
    void log(std::string_view what, std::int64_t a = 0, std::int64_t b = 0);
    std::uint64_t hash() const { return hash_; }
    bool tells = false;  // prints the log

    // Branches that a good simulation meets again and again.
    void sometimes(const std::string& what) { ++met_[what]; }
    const std::map<std::string, std::uint64_t>& met() const { return met_; }

    // What must never be: remembered, and the simulation ends.
    void wrong(std::string what);
    const std::vector<std::string>& wrongs() const { return wrongs_; }

private:
    static constexpr Time kBegin{microseconds{1'806'282'000'000'000}};  // 2027-03-29 00:43 UTC

    microseconds steady_{0};
    microseconds wrong_{0};
    std::uint64_t clock_changes_ = 0;
    std::mt19937_64 random_;
    std::map<std::pair<microseconds, std::uint64_t>, std::function<void()>> events_;
    std::uint64_t events_made_ = 0;
    std::uint64_t hash_ = 1469598103934665603U;
    std::map<std::string, std::uint64_t> met_;
    std::vector<std::string> wrongs_;
};

class SimClock final : public Clock {
public:
    explicit SimClock(const World& world) : world_{world} {}
    Time now() const override { return world_.wall(); }
    SteadyTime steady() const override { return SteadyTime{world_.steady()}; }

private:
    const World& world_;
};

// Alarms of one daemon: they die with it.
class SimAlarms final : public Alarms {
public:
    explicit SimAlarms(World& world) : world_{world} {}
    std::unique_ptr<Alarm> make(std::function<void()> on_alarm) override;

private:
    World& world_;
};

}  // namespace berth::sim
