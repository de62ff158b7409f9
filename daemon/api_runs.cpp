// Triggers, runs and their logs.
#include <utility>

#include "base/crypto.h"
#include "base/text.h"
#include "daemon/api_impl.h"
#include "daemon/run_end.h"
#include "store/integrations.h"
#include "store/releases.h"
#include "store/run_connections.h"
#include "store/runs.h"
#include "store/tenants.h"
#include "store/triggers.h"

namespace berth {

ApiImpl::ApiImpl(Parts parts)
    : parts_{std::move(parts)}, started_{parts_.clock.now()}, link_key_{random_bytes(32)} {}

void ApiImpl::accept(std::function<Result<Tenant>(Db&)> find, SyncInput input,
                     Done<TriggerId> done) {
    Trigger trigger;
    trigger.id = TriggerId::make();
    trigger.source = input.source;
    trigger.mode = input.mode;
    trigger.payload = std::move(input.payload);
    trigger.body = std::move(input.body);
    trigger.idempotency_key = std::move(input.idempotency_key);
    trigger.created = parts_.clock.now();
    parts_.store.write(
        [find = std::move(find), trigger = std::move(trigger),
         caps = parts_.config.waiting](Db& db) mutable -> Result<TriggerId> {
            auto tenant = find(db);
            if (!tenant) return pass_on(tenant);
            auto integration = berth::get_integration(db, tenant->integration_id);
            if (!integration) return pass_on(integration);
            if (integration->archived)
                return fail(FailureKind::conflict, "integration '{}' is archived and starts no run",
                            integration->name);
            // A trigger that nothing could ever run is refused, not kept.
            auto release = release_for(db, *tenant, *integration);
            if (!release)
                return fail(FailureKind::unprocessable, "tenant '{}' cannot run: {}", tenant->name,
                            release.error().message);
            trigger.tenant_id = tenant->id;
            auto accepted = accept_trigger(db, trigger, caps);
            if (!accepted) return pass_on(accepted);
            return accepted->id;
        },
        std::move(done));
    // Right behind it, so that the run begins in the commit that accepts the trigger.
    parts_.engine.kick();
}

void ApiImpl::sync(Caller, TenantId id, SyncInput input, Done<TriggerId> done) {
    accept([id](Db& db) { return berth::get_tenant(db, id); }, std::move(input), std::move(done));
}

void ApiImpl::sync_user(Caller, IntegrationId id, std::string user_name, SyncInput input,
                        Done<TriggerId> done) {
    accept(
        [id, user_name = std::move(user_name)](Db& db) -> Result<Tenant> {
            auto integration = berth::get_integration(db, id);
            if (!integration) return pass_on(integration);
            return find_tenant_of_user(db, id, user_name);
        },
        std::move(input), std::move(done));
}

void ApiImpl::trigger_status(TriggerId id, Done<TriggerStatus> done) {
    parts_.store.read(
        [id](Db& db) -> Result<TriggerStatus> {
            auto trigger = get_trigger(db, id);
            if (!trigger) return pass_on(trigger);
            if (!trigger->run_id)
                return fail(FailureKind::not_found, "trigger '{}' has no run yet", id.str());
            auto run = berth::get_run(db, *trigger->run_id);
            if (!run) return pass_on(run);
            return TriggerStatus{run->id, run->state};
        },
        std::move(done));
}

void ApiImpl::list_runs(RunQuery query, Page page, Done<std::vector<RunView>> done) {
    parts_.store.read(
        [query, page](Db& db) -> Result<std::vector<RunView>> {
            if (query.tenant_id) {
                auto tenant = berth::get_tenant(db, *query.tenant_id);
                if (!tenant) return pass_on(tenant);
            }
            auto runs = berth::list_runs(
                db, RunFilter{query.tenant_id, query.integration_id, query.state}, page);
            if (!runs) return pass_on(runs);
            std::vector<RunView> views;
            for (Run& run : *runs) {
                auto triggers = triggers_of_run(db, run.id);
                views.push_back({std::move(run), std::move(triggers)});
            }
            return views;
        },
        std::move(done));
}

void ApiImpl::get_run(RunId id, Done<RunView> done) {
    parts_.store.read([id](Db& db) { return view_run(db, id); }, std::move(done));
}

void ApiImpl::run_events(RunId id, Done<std::vector<RunEvent>> done) {
    parts_.store.read(
        [id](Db& db) -> Result<std::vector<RunEvent>> {
            auto run = berth::get_run(db, id);
            if (!run) return pass_on(run);
            return list_run_events(db, id);
        },
        std::move(done));
}

void ApiImpl::run_connections(RunId id, Page page, Done<std::vector<RunConnection>> done) {
    parts_.store.read([id, page](Db& db) { return list_run_connections(db, id, page); },
                      std::move(done));
}

void ApiImpl::cancel_run(Caller who, RunId id, Done<RunView> done) {
    parts_.flow.cancel(by(who), id, std::move(done));
}

void ApiImpl::read_log(RunId id, std::uint64_t after,
                       std::function<void(std::vector<LogChunk>)> more, Done<void> done) {
    get_run(id, [this, after, more = std::move(more),
                 done = std::move(done)](Result<RunView> view) mutable {
        if (!view) return done(pass_on(view));
        parts_.hub.read(view->run, after, parts_.clock.now(), std::move(more), std::move(done));
    });
}

void ApiImpl::follow_log(RunId id, std::uint64_t after, std::shared_ptr<LogFollower> follower,
                         Done<FollowHandle> done) {
    // Watched before the run is read: what comes in between is kept, not missed.
    FollowHandle handle = parts_.hub.watch(id, after, std::move(follower));
    get_run(id, [this, handle, done = std::move(done)](Result<RunView> view) mutable {
        if (!view) return done(pass_on(view));
        done(handle);
        parts_.hub.begin(handle, *view, parts_.clock.now());
    });
}

std::string ApiImpl::sign(const std::string& text) { return to_hex(hmac_sha256(link_key_, text)); }

}  // namespace berth
