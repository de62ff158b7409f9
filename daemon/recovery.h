// After a start: what was live when the last berthd ended, and what becomes of it.
// What it had handed over may still be running: only the runner knows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/values.h"
#include "store/db.h"

namespace berth {

// A run that is `starting` or `running`.
struct HandedOver {
    Run run;
    std::uint64_t connections = 0;         // of this attempt, that are on record
    std::optional<std::string> cancel_by;  // who wants its end
};

struct Recovered {
    int waiting_again = 0;  // had not been handed over
    std::vector<HandedOver> handed_over;
};

// What is this host's or nobody's, in one transaction; its leases are renewed. A run
// whose end was asked for and that was not handed over is ended. Thread: store.
Recovered recover_runs(Db& db, Time now);

// Runs that another host had and does not hold any more: lost, or they wait again. How
// many. Thread: store.
int recover_lapsed_runs(Db& db, Time now);

}  // namespace berth
