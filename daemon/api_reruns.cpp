// Reruns: what is asked for is checked against the release that it would run with,
// so that a run that can only fail is refused instead.
#include <nlohmann/json.hpp>
#include <utility>

#include "daemon/api_impl.h"
#include "source/config_schema.h"
#include "store/given.h"
#include "store/integrations.h"
#include "store/releases.h"
#include "store/reruns.h"
#include "store/runs.h"
#include "store/tenants.h"

namespace berth {
namespace {

Result<Release> release_of(Db& db, const Rerun& wish, const Run& origin, const Tenant& tenant,
                           const Integration& integration) {
    if (wish.release_from == GivenFrom::original) return get_release(db, origin.release_id);
    auto release = release_for(db, tenant, integration);
    if (release) return release;
    return fail_at(FailureKind::unprocessable, "body.release_from", "tenant '{}' cannot run: {}",
                   tenant.name, release.error().message);
}

Result<std::string> configs_of(Db& db, const Rerun& wish, const Tenant& tenant) {
    switch (wish.configs_from) {
        case GivenFrom::current: return tenant.configs;
        case GivenFrom::custom: return wish.configs;
        case GivenFrom::original: break;
    }
    auto given = get_given(db, wish.origin);
    // accept_rerun says why.
    return given ? given->configs : "{}";
}

Result<void> check_configs_of(Db& db, const Rerun& wish, const Tenant& tenant,
                              const Release& release) {
    if (release.config_schema.empty()) return {};
    auto configs = configs_of(db, wish, tenant);
    if (!configs) return pass_on(configs);
    auto metadata = get_metadata(db, tenant.id);
    if (!metadata) return pass_on(metadata);
    const auto problems =
        check_configs(Json::parse(release.config_schema), Json::parse(*configs),
                      Json::parse(tenant.dynamic_configs), Json::parse(metadata->data));
    if (problems.empty()) return {};
    return fail_at(FailureKind::unprocessable, "body.configs",
                   "the {} configs do not fit the settings of release '{}': {}; give others, or "
                   "another release",
                   to_string(wish.configs_from), release.name, join_problems(problems));
}

Result<Trigger> take(Db& db, const Rerun& wish, const Trigger& trigger, const WaitingCaps& caps) {
    auto origin = get_run(db, wish.origin);
    if (!origin) return pass_on(origin);
    auto tenant = get_tenant(db, origin->tenant_id);
    if (!tenant) return pass_on(tenant);
    auto integration = get_integration(db, origin->integration_id);
    if (!integration) return pass_on(integration);
    if (integration->archived)
        return fail(FailureKind::conflict, "integration '{}' is archived and starts no run",
                    integration->name);
    auto release = release_of(db, wish, *origin, *tenant, *integration);
    if (!release) return pass_on(release);
    if (auto fits = check_configs_of(db, wish, *tenant, *release); !fits) return pass_on(fits);
    return accept_rerun(db, trigger, wish, caps);
}

}  // namespace

void ApiImpl::rerun(Caller, Rerun wish, std::string idempotency_key, Done<TriggerId> done) {
    Trigger trigger;
    trigger.id = TriggerId::make();
    trigger.source = TriggerSource::manual;
    trigger.idempotency_key = std::move(idempotency_key);
    trigger.created = parts_.clock.now();
    parts_.store.write(
        [wish = std::move(wish), trigger = std::move(trigger),
         caps = parts_.config.waiting](Db& db) -> Result<TriggerId> {
            auto accepted = take(db, wish, trigger, caps);
            if (!accepted) return pass_on(accepted);
            return accepted->id;
        },
        std::move(done));
    parts_.engine.kick();  // as with any trigger
}

}  // namespace berth
