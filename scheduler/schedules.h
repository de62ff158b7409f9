// Fires schedules: looks when the first is due, again while more are due, and
// once a minute whatever it believes. What is armed stands in the store, ordered
// by time, so a million schedules cost no memory here, and none can be forgotten.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "scheduler/ports.h"

namespace berth {

// Thread: loop.
class ScheduleEngine {
public:
    // `fired`: triggers were made; somebody may begin runs.
    ScheduleEngine(Alarms& alarms, const Clock& clock, ScheduleStore& store,
                   std::function<void()> fired);

    void open();
    void close();
    // A schedule was changed, or a tenant may go on.
    void kick();

    // Schedules settled in one transaction: other writers wait no longer than it takes.
    static constexpr std::int64_t kAtOnce = 500;

private:
    enum class Step { rewind, look, prune };
    void proceed();
    void ask(Step step);
    void looked(const ScheduleStore::Look& look);
    void failed(const Failure& why);
    void tick();
    bool clock_went_back();

    const Clock& clock_;
    ScheduleStore& store_;
    const std::function<void()> fired_;
    bool open_ = false;
    bool asking_ = false;
    bool look_ = false;   // something may be due
    bool rewind_ = true;  // the clock may stand before what was settled
    bool prune_ = false;
    bool stuck_ = false;
    std::optional<Time> next_;
    Time highest_{};  // that the clock has shown
    Time asked_at_{};
    SteadyTime looked_at_{};
    SteadyTime pruned_at_{};
    std::chrono::milliseconds backoff_;
    std::unique_ptr<Alarm> tick_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

public:
    ~ScheduleEngine() { *alive_ = false; }
    ScheduleEngine(const ScheduleEngine&) = delete;
    ScheduleEngine& operator=(const ScheduleEngine&) = delete;
};

}  // namespace berth
