// Turns waiting triggers into runs: the scheduler's pure decisions applied to
// what is in the store, in one transaction.
#pragma once

#include <functional>
#include <utility>

#include "base/clock.h"
#include "scheduler/ports.h"
#include "store/store.h"

namespace berth {

// Thread: loop.
class RunQueue final : public RunStore {
public:
    // Begun in one transaction: the first of many need not wait for the last, nor other writers.
    static constexpr int kAtOnce = 32;
    // Takes a run further in the transaction that has begun it. Thread: store.
    using GoOn = std::function<void(Db&, Run&, Time)>;
    // `starts_per_minute` of the host; 0: no cap.
    RunQueue(Store& store, const Clock& clock, std::int64_t starts_per_minute = 0, GoOn go_on = {})
        : store_{store},
          clock_{clock},
          starts_per_minute_{starts_per_minute},
          go_on_{std::move(go_on)} {}
    void begin_runs(int places, Callback<void(Result<Begun>)> done) override;

private:
    Store& store_;
    const Clock& clock_;
    const std::int64_t starts_per_minute_;
    const GoOn go_on_;
};

}  // namespace berth
