// Turns waiting triggers into runs: the scheduler's pure decisions applied to
// what is in the store, in one transaction.
#pragma once

#include "base/clock.h"
#include "scheduler/ports.h"
#include "store/store.h"

namespace berth {

// Thread: loop.
class RunQueue final : public RunStore {
public:
    // `starts_per_minute` of the host; 0: no cap.
    RunQueue(Store& store, const Clock& clock, std::int64_t starts_per_minute = 0)
        : store_{store}, clock_{clock}, starts_per_minute_{starts_per_minute} {}
    void begin_runs(int places, Callback<void(Result<Begun>)> done) override;

private:
    Store& store_;
    const Clock& clock_;
    const std::int64_t starts_per_minute_;
};

}  // namespace berth
