// What is too old, or too much for one tenant, is deleted: a slice at a time, so that
// nobody waits for more than a slice. Kept for ever are the audit trail, whatever
// still waits or runs, and of each tenant the last run and the last one that
// succeeded, since the next run is told of them, and what has reruns.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "model/values.h"
#include "store/db.h"

namespace berth {

struct RetentionPolicy {
    std::chrono::days runs{30};             // and their events, triggers, connections, logs
    std::chrono::days idempotency_keys{7};  // longer than any sender repeats itself
    std::chrono::days slots{30};            // of the schedules' ledger
    std::int64_t runs_of_tenant = 100'000;  // the newest so many
    std::uint64_t log_bytes_of_tenant = std::uint64_t{4} << 30;
};

// The instants before which things go.
struct RetentionCut {
    Time runs{};
    Time idempotency_keys{};
    Time logs{};  // a run's output can be older than its end
};
RetentionCut retention_cut(const RetentionPolicy& policy, Time now);

// A run that may go, with what its log store needs to know.
struct ExpiredRun {
    RunId id;
    Time created{};
    Time completed{};
};
// Where a search goes on from; a new one starts at the beginning.
struct AgeCursor {
    Time completed{};
    RunId id{};
};
// Up to `limit` ended runs older than the cut, oldest first; moves the cursor on.
// Empty: that was all.
std::vector<ExpiredRun> runs_past_age(Db& db, const RetentionCut& cut, AgeCursor& cursor,
                                      std::int64_t limit);
// Of the first tenant after `cursor`, its oldest runs past the quota; moves the cursor
// on. The tenant comes again as long as it has more; nothing: there is no tenant left.
std::optional<std::vector<ExpiredRun>> runs_past_quota(Db& db, const RetentionPolicy& policy,
                                                       TenantId& cursor, std::int64_t limit);

// A slice: deletes the first of them, until it has deleted enough rows or bytes for
// one turn, if need be within a run with large payloads: then it is done with none, and
// the same list goes on with the next slice. Those that may not go (live again, or a
// tenant's last) it leaves where they are.
struct RemovedRuns {
    std::size_t done = 0;
    std::int64_t removed = 0;
};
RemovedRuns remove_runs(Db& db, const std::vector<ExpiredRun>& runs);
// A slice: forgets up to `limit` keys; how many. Their triggers stay.
std::int64_t forget_idempotency_keys(Db& db, const RetentionCut& cut, std::int64_t limit);

// A slice: gives up to `pages` free pages back to the file system, which gets them at
// the next checkpoint. `spare` stay for what comes next. How many were given.
inline constexpr std::int64_t kSparePages = 256;
std::int64_t give_pages_back(Db& db, std::int64_t pages, std::int64_t spare = kSparePages);

}  // namespace berth
