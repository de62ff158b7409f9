// Whom a run spoke to, or was not let speak to: rows of run_connections.
#pragma once

#include <cstdint>
#include <vector>

#include "base/error.h"
#include "model/limits.h"
#include "model/values.h"
#include "store/db.h"

namespace berth {

// berth-egress tells at most limits::kRunConnections one by one, then how often each
// refusal was repeated, and two sums of the rest. This holds if it tells more.
inline constexpr std::size_t kConnectionRows = 2 * limits::kRunConnections + 2;

// Adds them to the record of their run, all of this attempt; conflict when the run
// is at another one. Past kConnectionRows of an attempt they are dropped: the answer is
// how many were.
Result<std::int64_t> add_run_connections(Db& db, RunId run, int attempt,
                                         const std::vector<RunConnection>& connections);

// In the order they ended; sorted by date, port, sent_bytes or received_bytes when the
// page says so. not_found when there is no such run.
Result<std::vector<RunConnection>> list_run_connections(Db& db, RunId run, const Page& page);

// How many of this attempt are on record.
std::uint64_t count_run_connections(Db& db, RunId run, int attempt);

}  // namespace berth
