// Numbers over all tenants, for metrics. Each is answered from what is live or waits,
// never from the whole history.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "model/run_state.h"
#include "store/db.h"

namespace berth {

// Of the runs that have not ended: how many are in each state that has any.
std::vector<std::pair<RunState, std::int64_t>> count_live_runs(Db& db);
// Accepted triggers of all tenants that have no run yet.
std::int64_t count_waiting_triggers(Db& db);

}  // namespace berth
