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
    RunQueue(Store& store, const Clock& clock) : store_{store}, clock_{clock} {}
    void begin_runs(int places, Callback<void(Result<std::vector<Run>>)> done) override;

private:
    Store& store_;
    const Clock& clock_;
};

}  // namespace berth
