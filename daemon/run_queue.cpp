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

// How many waiting tenants are looked at for one place; those of paused
// integrations among them are passed over.
constexpr int kLookedAt = 1000;

std::vector<WaitingTenant> waiting_tenants(Db& db) {
    std::vector<WaitingTenant> waiting;
    for (const TenantId id : tenants_ready(db, kLookedAt)) {
        auto tenant = get_tenant(db, id);
        const auto oldest = list_waiting_triggers(db, id, 1);
        if (!tenant || oldest.empty()) continue;
        auto integration = get_integration(db, tenant->integration_id);
        if (!integration) continue;
        waiting.push_back({id, integration->id, oldest.front().created,
                           integration->paused || integration->archived});
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
    const auto bundle = next_bundle(list_waiting_triggers(
        db, id, static_cast<std::int64_t>(limits::kWaitingTriggersPerTenant)));
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
    for (const TenantId id :
         pick_startable(waiting_tenants(db), places - static_cast<int>(begun.size()))) {
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
