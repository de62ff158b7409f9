#include "daemon/run_queue.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/log.h"
#include "model/limits.h"
#include "scheduler/bundle.h"
#include "scheduler/pick.h"
#include "store/integrations.h"
#include "store/releases.h"
#include "store/reruns.h"
#include "store/runs.h"
#include "store/schedules.h"
#include "store/shares.h"
#include "store/tenants.h"
#include "store/triggers.h"

namespace berth {
namespace {

using namespace std::chrono_literals;

Result<Release> release_of(Db& db, RunId id) {
    auto run = get_run(db, id);
    if (!run) return pass_on(run);
    return get_release(db, run->release_id);
}

// The tenant's next run, moved to `preparing`.
Result<Run> begin(Db& db, TenantId id, Time now) {
    auto tenant = get_tenant(db, id);
    if (!tenant) return pass_on(tenant);
    auto integration = get_integration(db, tenant->integration_id);
    if (!integration) return pass_on(integration);
    const auto bundle =
        next_bundle(bundle_candidates(db, id, static_cast<std::int64_t>(limits::kTriggersPerRun)));
    if (!bundle)
        return fail(FailureKind::conflict, "tenant '{}' has nothing waiting", tenant->name);
    const auto rerun = bundle->rerun ? rerun_of(db, bundle->triggers.front()) : std::nullopt;
    auto release = rerun && rerun->release_from == GivenFrom::original
                       ? release_of(db, rerun->origin)
                       : release_for(db, *tenant, *integration);
    if (!release) return pass_on(release);
    auto run = begin_run(db, id, release->id, bundle->mode, bundle->triggers, now, rerun);
    if (!run) return pass_on(run);
    return move_run(db, run->id, run->attempt, RunState::preparing, "", now);
}

// One pass: what may begin, within all caps.
class Pass {
public:
    Pass(Db& db, int places, std::int64_t starts_per_minute, Time now)
        : db_{db}, now_{now}, places_{places} {
        if (starts_per_minute <= 0) return;
        const Starts starts = starts_of_host(db, now, starts_per_minute);
        places_ =
            static_cast<int>(std::min<std::int64_t>(places_, left(starts_per_minute, starts)));
    }

    RunStore::Begun run(const RunQueue::GoOn& go_on) {
        begin_again();
        begin_waiting();
        if (go_on)
            for (Run& run : begun_.runs)
                go_on(db_, run, now_);
        if (again_at_) {
            const auto delay = std::chrono::ceil<std::chrono::milliseconds>(*again_at_ - now_);
            begun_.again = std::clamp<std::chrono::milliseconds>(delay, 1ms, 1min);
        }
        return std::move(begun_);
    }

private:
    int places() const { return places_ - static_cast<int>(begun_.runs.size()); }

    void again_at(Time at) { again_at_ = again_at_ ? std::min(*again_at_, at) : at; }

    std::int64_t left(std::int64_t most, const Starts& starts) {
        const Rate rate = rate_left(most, starts.count, starts.oldest);
        if (rate.left == 0) again_at(rate.next);
        return rate.left;
    }

    // Runs that wait for another attempt have their place already.
    void begin_again() {
        for (const Run& run : queued_runs(db_, now_, std::max(places(), 0))) {
            auto moved = move_run(db_, run.id, run.attempt, RunState::preparing, "", now_);
            if (moved) begun_.runs.push_back(std::move(*moved));
        }
        if (const auto next = next_retry(db_, now_)) again_at(*next);
    }

    std::int64_t running(IntegrationId id) {
        if (!running_) {
            running_.emplace();
            for (const Run& run : live_runs(db_))
                ++(*running_)[run.integration_id];
        }
        return (*running_)[id];
    }

    // What an integration may still begin; nothing: it has no cap.
    std::optional<std::int64_t> cap_of(IntegrationId id, const IntegrationPolicy& policy) {
        std::optional<std::int64_t> cap;
        if (policy.most_running > 0) cap = policy.most_running - running(id);
        if (policy.starts_per_minute > 0) {
            const Starts starts = starts_of(db_, id, now_, policy.starts_per_minute);
            const auto rest = left(policy.starts_per_minute, starts);
            cap = cap ? std::min(*cap, rest) : rest;
        }
        return cap;
    }

    void begin_waiting() {
        for (const IntegrationId id : integrations_waiting(db_)) {
            policies_[id] = get_policy(db_, id);
            if (const auto cap = cap_of(id, policies_[id])) caps_[id] = *cap;
        }
        // Those that cannot begin are put behind the others, who come next.
        int round = 0;
        while (places() > 0 && begin_some())
            if (++round == kRounds) return again_at(now_);
    }

    // False when nobody is left who was not asked.
    bool begin_some() {
        std::vector<WaitingTenant> waiting;
        for (const auto& [id, policy] : policies_) {
            const auto cap = caps_.find(id);
            if (cap != caps_.end() && cap->second <= 0) continue;
            for (const Turn& turn : turns(db_, id, places()))
                if (!asked_.contains(turn.tenant))
                    waiting.push_back(
                        {turn.tenant, turn.integration, turn.virtual_time, turn.oldest_seq});
        }
        bool more = false;
        for (const WaitingTenant& tenant : pick_startable(waiting, {places(), caps_})) {
            asked_.insert(tenant.tenant);
            more = begin_one(tenant) || more;
        }
        return more;
    }

    // False when it has begun; true when it was put behind the others.
    bool begin_one(const WaitingTenant& tenant) {
        const std::int64_t most = policies_[tenant.integration].tenant_starts_per_minute;
        if (most > 0 && left(most, starts_of(db_, tenant.tenant, now_, most)) == 0) {
            postpone(db_, tenant.tenant, tenant.integration);
            return true;
        }
        auto run = begin(db_, tenant.tenant, now_);
        if (!run) {
            log_warning("cannot begin a run, its triggers go on waiting",
                        {{"tenant", tenant.tenant.str()}, {"reason", run.error().message}});
            postpone(db_, tenant.tenant, tenant.integration);
            return true;
        }
        if (const auto cap = caps_.find(tenant.integration); cap != caps_.end()) --cap->second;
        begun_.runs.push_back(std::move(*run));
        return false;
    }

    static constexpr int kRounds = 100;

    Db& db_;
    const Time now_;
    int places_;
    RunStore::Begun begun_;
    std::optional<Time> again_at_;
    std::optional<std::map<IntegrationId, std::int64_t>> running_;  // counted when a cap asks
    std::map<IntegrationId, IntegrationPolicy> policies_;
    std::map<IntegrationId, std::int64_t> caps_;
    std::set<TenantId> asked_;
};

}  // namespace

void RunQueue::begin_runs(int places, Callback<void(Result<Begun>)> done) {
    places = std::min(places, kAtOnce);
    store_.write(
        [places, most = starts_per_minute_, go_on = go_on_, now = clock_.now()](Db& db) {
            Begun begun = Pass{db, places, most, now}.run(go_on);
            begun.more = std::ssize(begun.runs) == places;
            return begun;
        },
        std::move(done));
}

}  // namespace berth
