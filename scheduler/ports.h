// What the engines need from others; daemon/ implements it, and the simulator
// does with a clock of its own.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/callback.h"
#include "base/clock.h"
#include "base/error.h"
#include "model/values.h"

namespace berth {

// One-shot alarms. After an Alarm is gone its callback never runs. Thread: loop.
class Alarm {
public:
    virtual ~Alarm() = default;
    virtual void start(std::chrono::milliseconds delay) = 0;  // or starts anew
};
class Alarms {
public:
    virtual ~Alarms() = default;
    virtual std::unique_ptr<Alarm> make(std::function<void()> on_alarm) = 0;
};

class RunStore {
public:
    struct Begun {
        std::vector<Run> runs;
        bool more = false;  // it stopped at their number, not at the last that may begin
        // More may be begun then though nothing happens: a cap per minute, a retry.
        std::optional<std::chrono::milliseconds> again;
    };
    virtual ~RunStore() = default;
    // Makes at most `places` runs out of waiting triggers, in one transaction, and
    // hands them back in state `preparing`. Thread: loop; `done` too.
    virtual void begin_runs(int places, Callback<void(Result<Begun>)> done) = 0;
};

class Launcher {
public:
    virtual ~Launcher() = default;
    // Sees a run in state `preparing` through to its final state, and then calls
    // Engine::ended. Thread: loop.
    virtual void launch(const Run& run) = 0;
};

class ScheduleStore {
public:
    struct Look {
        std::int64_t seen = 0;       // schedules that were due and have been moved on
        std::int64_t fired = 0;      // triggers that were made
        std::optional<Time> next{};  // when the first of all is due; nothing: none is enabled
    };
    virtual ~ScheduleStore() = default;
    // Settles at most `most` schedules that are due, in one transaction: ledger,
    // triggers and cursors together. Thread: loop; `done` too.
    virtual void look(std::int64_t most, Callback<void(Result<Look>)> done) = 0;
    // The clock went back, or may have while nobody looked.
    virtual void rewind(Callback<void(Result<void>)> done) = 0;
    // Cuts the ledgers of some schedules more.
    virtual void prune(Callback<void(Result<void>)> done) = 0;
};

}  // namespace berth
