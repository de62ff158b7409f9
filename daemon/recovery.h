// After a start: what was running when the last berthd ended, and what becomes of
// it. The runner ends every sandbox when its daemon goes away, so no process of
// these runs is left.
#pragma once

#include "base/clock.h"
#include "store/db.h"

namespace berth {

struct Recovered {
    int waiting_again = 0;  // had not been handed over, or `on_lost: retry`
    int failed = 0;         // failed_platform, with the reason on their record
};

// In one transaction. Thread: store.
Recovered recover_runs(Db& db, Time now);

}  // namespace berth
