// Whom a run spoke to, or was not let speak to: rows of run_connections.
#pragma once

#include <cstdint>
#include <vector>

#include "base/error.h"
#include "model/values.h"
#include "store/db.h"

namespace berth {

// Adds them to the record of their run, all of this attempt; conflict when the run
// is at another one. Past limits::kRunConnections of an attempt they are dropped: the
// answer is how many were.
Result<std::int64_t> add_run_connections(Db& db, RunId run, int attempt,
                                         const std::vector<RunConnection>& connections);

// In the order they ended; sorted by date, port, sent_bytes or received_bytes when the
// page says so. not_found when there is no such run.
Result<std::vector<RunConnection>> list_run_connections(Db& db, RunId run, const Page& page);

}  // namespace berth
