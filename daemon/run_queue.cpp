#include "daemon/run_queue.h"

#include "base/log.h"
#include "model/limits.h"
#include "scheduler/bundle.h"
#include "scheduler/pick.h"
#include "store/integrations.h"
#include "store/releases.h"
#include "store/runs.h"
#include "store/tenants.h"
#include "store/triggers.h"

namespace berth {
namespace {

// How many ready tenants are looked at, beyond the places that are free: one whose
// run cannot be begun must not hold up those behind it.
constexpr int kSpare = 100;

std::vector<WaitingTenant> waiting_tenants(Db& db, int most) {
    std::vector<WaitingTenant> waiting;
    for (const TenantId id : tenants_ready(db, most)) {
        const auto tenant = get_tenant(db, id);
        const auto since = waiting_since(db, id);
        if (!tenant || !since) continue;
        waiting.push_back({id, tenant->integration_id, *since, /*held=*/false});
    }
    return waiting;
}

// The tenant's next run, moved to `preparing`.
Result<Run> begin(Db& db, TenantId id, Time now) {
    auto tenant = get_tenant(db, id);
    if (!tenant) return pass_on(tenant);
    auto integration = get_integration(db, tenant->integration_id);
    if (!integration) return pass_on(integration);
    auto release = release_for(db, *tenant, *integration);
    if (!release) return pass_on(release);
    const auto bundle =
        next_bundle(bundle_candidates(db, id, static_cast<std::int64_t>(limits::kTriggersPerRun)));
    if (!bundle)
        return fail(FailureKind::conflict, "tenant '{}' has nothing waiting", tenant->name);
    auto run = begin_run(db, id, release->id, bundle->mode, bundle->triggers, now);
    if (!run) return pass_on(run);
    return move_run(db, run->id, run->attempt, RunState::preparing, "", now);
}

std::vector<Run> begin_all(Db& db, int places, Time now) {
    std::vector<Run> begun;
    // Those that wait again, with another attempt, have waited longest.
    for (const Run& run : live_runs(db)) {
        if (run.state != RunState::queued || static_cast<int>(begun.size()) >= places) continue;
        auto moved = move_run(db, run.id, run.attempt, RunState::preparing, "", now);
        if (moved) begun.push_back(std::move(*moved));
    }
    const int look_at = places - static_cast<int>(begun.size()) + kSpare;
    for (const TenantId id : pick_startable(waiting_tenants(db, look_at), look_at)) {
        if (static_cast<int>(begun.size()) >= places) break;
        auto run = begin(db, id, now);
        if (run)
            begun.push_back(std::move(*run));
        else
            log_warning("cannot begin a run, its triggers go on waiting",
                        {{"tenant", id.str()}, {"reason", run.error().message}});
    }
    return begun;
}

}  // namespace

void RunQueue::begin_runs(int places, Callback<void(Result<std::vector<Run>>)> done) {
    store_.write([places, now = clock_.now()](Db& db) { return begin_all(db, places, now); },
                 std::move(done));
}

}  // namespace berth
