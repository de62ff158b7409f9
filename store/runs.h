// Runs and their events. A run's state is changed in one function, move_run;
// every change carries the attempt as its fence and writes its event in the same
// transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/rerun.h"
#include "model/values.h"
#include "store/db.h"

namespace berth {

// Makes a queued run and binds these waiting triggers to it. conflict when the
// tenant has a live run already, when a trigger has a run already, or when the
// tenant is archived.
// `rerun`: what it repeats.
Result<Run> begin_run(Db& db, TenantId tenant, ReleaseId release, RunMode mode,
                      const std::vector<TriggerId>& triggers, Time now,
                      const std::optional<Rerun>& rerun = {});

// What is known when a run moves on; members left empty keep what is stored.
struct RunEnd {
    std::optional<std::string> reason{};
    std::optional<std::string> std_out{};
    std::optional<std::string> grants{};
    std::optional<bool> warm{};
    std::optional<std::vector<std::string>> refused_syscalls{};
    std::optional<bool> tree_empty{};
    std::optional<Usage> usage{};  // of this attempt; network bytes are counted as they come
};
// THE function that changes the state of a run. conflict when `attempt` is not
// the run's attempt, another host has it (leases.h) or may_become forbids the change. `running`
// sets started, a final state sets completed, and `queued` begins the next attempt: from then on
// what the old one says is refused.
Result<Run> move_run(Db& db, RunId id, int attempt, RunState to, std::string_view note, Time now,
                     const RunEnd& end = {});

Result<Run> get_run(Db& db, RunId id);
std::vector<Run> live_runs(Db& db);      // every run that is not final, oldest first
std::vector<Run> own_live_runs(Db& db);  // of these, this host's and nobody's
// A queued run that is to wait for its next attempt; those that may begin, the
// oldest first; and when the first of the others may.
void put_off(Db& db, RunId id, Time now, Time until);
std::vector<Run> queued_runs(Db& db, Time now, std::int64_t limit);
std::optional<Time> next_retry(Db& db, Time now);
std::optional<Run> live_run_of(Db& db, TenantId tenant);

struct RunFilter {
    std::optional<TenantId> tenant_id{};
    std::optional<IntegrationId> integration_id{};
    std::optional<RunState> state{};
};
// Sorted by id, created_date, started_date or completed_date; newest first when
// the page names no field.
Result<std::vector<Run>> list_runs(Db& db, const RunFilter& filter, const Page& page);
std::vector<RunEvent> list_run_events(Db& db, RunId run);

// The tenant's last run that has ended, and its last one that succeeded, before
// `before` (0: any), of those whose state is kept; for PAN_CTX_LAST_*.
std::optional<Run> last_run(Db& db, TenantId tenant, RunId before = {});
std::optional<Run> last_successful_run(Db& db, TenantId tenant, RunId before = {});

// How many runs are in each state that has any.
std::vector<std::pair<RunState, std::int64_t>> count_runs(Db& db);

}  // namespace berth
