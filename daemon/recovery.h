// After a start: what was live when the last berthd ended, and what becomes of it.
// What it had handed over may still be running: only the runner knows.
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "model/values.h"
#include "store/db.h"

namespace berth {

// A run that is `starting` or `running`.
struct HandedOver {
    Run run;
    std::uint64_t connections = 0;  // of this attempt, that are on record
};

struct Recovered {
    int waiting_again = 0;  // had not been handed over
    std::vector<HandedOver> handed_over;
};

// In one transaction. Thread: store.
Recovered recover_runs(Db& db, Time now);

}  // namespace berth
