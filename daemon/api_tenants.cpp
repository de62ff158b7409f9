// Tenants, their settings and their metadata.
#include <nlohmann/json.hpp>
#include <utility>

#include "daemon/api_impl.h"
#include "source/config_schema.h"
#include "store/integrations.h"
#include "store/releases.h"
#include "store/runs.h"
#include "store/secrets.h"
#include "store/tenants.h"

namespace berth {
namespace {

Result<TenantView> view_tenant(Db& db, Tenant tenant) {
    auto connections = connections_of(db, tenant.id);
    if (!connections) return pass_on(connections);
    TenantView view;
    view.current_run = live_run_of(db, tenant.id);
    view.last_run = last_run(db, tenant.id);
    view.last_successful_run = last_successful_run(db, tenant.id);
    view.connections = std::move(*connections);
    view.waiting_triggers = waiting_triggers(db, tenant.id);
    view.tenant = std::move(tenant);
    return view;
}

Result<TenantView> view_tenant(Db& db, Result<Tenant> tenant) {
    if (!tenant) return pass_on(tenant);
    return view_tenant(db, std::move(*tenant));
}

// The tenant's settings against the schema of the release it would run.
Result<void> check_settings(Db& db, const Tenant& tenant, const Integration& integration) {
    auto release = release_for(db, tenant, integration);
    if (!release)
        return fail_at(FailureKind::unprocessable, "body.integration_release_id", "{}",
                       release.error().message);
    if (release->config_schema.empty()) return {};
    Json metadata = Json::object();
    if (tenant.id) {
        auto stored = get_metadata(db, tenant.id);
        if (!stored) return pass_on(stored);
        metadata = Json::parse(stored->data);
    }
    const auto problems =
        check_configs(Json::parse(release->config_schema), Json::parse(tenant.configs),
                      Json::parse(tenant.dynamic_configs), metadata);
    if (problems.empty()) return {};
    return fail_at(FailureKind::unprocessable,
                   problems.front().property.empty() ? std::string{"body.configs"}
                                                     : "body.configs." + problems.front().property,
                   "configs do not fit the settings of release '{}': {}", release->name,
                   join_problems(problems));
}

Result<void> apply(const TenantInput& input, Tenant& tenant) {
    if (input.release_id && input.release_channel)
        return fail_at(FailureKind::unprocessable, "body.integration_release_channel",
                       "give integration_release_id or integration_release_channel, not both");
    if (input.name) {
        auto good = check_slug("body.name", *input.name);  // contract section 9
        if (!good) return good;
        tenant.name = *input.name;
    }
    if (input.user_name) tenant.user_name = *input.user_name;
    if (input.configs) tenant.configs = *input.configs;
    if (input.paused) tenant.paused = *input.paused;
    if (input.archived) tenant.archived = *input.archived;
    if (input.user_schedule) tenant.user_schedule = *input.user_schedule;
    if (input.release_id) {
        tenant.release_id = input.release_id;
        tenant.release_channel.reset();
    }
    if (input.release_channel) {
        tenant.release_channel = input.release_channel;
        tenant.release_id.reset();
    }
    return {};
}

// A new tenant without a release or channel gets the integration's default, and
// stays on it when that is a release (contract 7: static default).
void take_default_release(const Integration& integration, Tenant& tenant) {
    if (tenant.release_id || tenant.release_channel) return;
    tenant.release_id = integration.default_release_id;
    if (!tenant.release_id)
        tenant.release_channel = integration.default_release_channel.value_or(Channel::Latest);
}

std::string metadata_form(const TenantMetadata& metadata) {
    const auto date = [](const std::optional<Time>& time) {
        return time ? Json(to_rfc3339(*time)) : Json(nullptr);
    };
    return to_text(Json{{"tenant_id", metadata.tenant_id.value},
                        {"data", Json::parse(metadata.data)},
                        {"created_date", date(metadata.created)},
                        {"modified_date", date(metadata.modified)}});
}

}  // namespace

void ApiImpl::list_tenants(TenantQuery query, Page page, Done<std::vector<TenantView>> done) {
    parts_.store.read(
        [query, page](Db& db) -> Result<std::vector<TenantView>> {
            auto tenants = berth::list_tenants(
                db, TenantFilter{query.integration_id, query.user_name, query.archived}, page);
            if (!tenants) return pass_on(tenants);
            std::vector<TenantView> views;
            for (Tenant& tenant : *tenants) {
                auto view = view_tenant(db, std::move(tenant));
                if (!view) return pass_on(view);
                views.push_back(std::move(*view));
            }
            return views;
        },
        std::move(done));
}

void ApiImpl::get_tenant(TenantId id, Done<TenantView> done) {
    parts_.store.read([id](Db& db) { return view_tenant(db, berth::get_tenant(db, id)); },
                      std::move(done));
}

void ApiImpl::create_tenant(Caller who, TenantInput input, Done<TenantView> done) {
    parts_.store.write(
        [by = by(who), input = std::move(input),
         texts = parts_.book.texts()](Db& db) -> Result<TenantView> {
            auto integration = berth::get_integration(db, input.integration_id.value());
            if (!integration)
                return fail_at(FailureKind::unprocessable, "body.integration_id", "{}",
                               integration.error().message);
            if (integration->archived)
                return fail_at(FailureKind::unprocessable, "body.integration_id",
                               "integration '{}' is archived", integration->name);
            Tenant wanted;
            wanted.integration_id = integration->id;
            auto applied = apply(input, wanted);
            if (!applied) return pass_on(applied);
            take_default_release(*integration, wanted);
            auto fits = check_settings(db, wanted, *integration);
            if (!fits) return pass_on(fits);
            auto made = berth::create_tenant(db, by, wanted);
            if (!made) return pass_on(made);
            auto follows = follow_user_schedule(db, by, made->id, *texts);
            if (!follows) return pass_on(follows);
            return view_tenant(db, berth::get_tenant(db, made->id));
        },
        [this, done = std::move(done)](Result<TenantView> made) mutable {
            if (made) parts_.schedules.kick();
            done(std::move(made));
        });
}

void ApiImpl::change_tenant(Caller who, TenantId id, TenantInput input, Done<TenantView> done) {
    parts_.store.write(
        [by = by(who), id, input = std::move(input),
         texts = parts_.book.texts()](Db& db) -> Result<TenantView> {
            auto tenant = berth::get_tenant(db, id);
            if (!tenant) return pass_on(tenant);
            auto applied = apply(input, *tenant);
            if (!applied) return pass_on(applied);
            // What is not touched is not checked: a tenant whose settings no longer fit a
            // newer release can still be paused or archived.
            if (input.configs || input.release_id || input.release_channel) {
                auto integration = berth::get_integration(db, tenant->integration_id);
                if (!integration) return pass_on(integration);
                auto fits = check_settings(db, *tenant, *integration);
                if (!fits) return pass_on(fits);
            }
            auto changed = update_tenant(db, by, *tenant);
            if (!changed) return pass_on(changed);
            if (input.user_schedule) {
                auto follows = follow_user_schedule(db, by, id, *texts);
                if (!follows) return pass_on(follows);
            }
            look_at_schedules(db, id, by.now);  // it may have been paused or archived until now
            return view_tenant(db, berth::get_tenant(db, id));
        },
        [this, done = std::move(done)](Result<TenantView> changed) mutable {
            if (changed) parts_.engine.kick();  // what waited while it was archived may run
            if (changed) parts_.schedules.kick();
            done(std::move(changed));
        });
}

void ApiImpl::get_metadata(TenantId id, Done<std::string> done) {
    parts_.store.read(
        [id](Db& db) -> Result<std::string> {
            auto metadata = berth::get_metadata(db, id);
            if (!metadata) return pass_on(metadata);
            return metadata_form(*metadata);
        },
        std::move(done));
}

void ApiImpl::patch_metadata(Caller who, TenantId id, std::string patch, Done<std::string> done) {
    parts_.store.write(
        [by = by(who), id, patch = std::move(patch)](Db& db) -> Result<std::string> {
            auto tenant = berth::get_tenant(db, id);
            if (!tenant) return pass_on(tenant);
            auto integration = berth::get_integration(db, tenant->integration_id);
            if (!integration) return pass_on(integration);
            auto release = release_for(db, *tenant, *integration);
            if (!release) return pass_on(release);
            if (release->metadata_schema.empty())
                return fail_at(
                    FailureKind::unprocessable, "body",
                    "release '{}' has no metadata_schema, so tenant '{}' has no metadata",
                    release->name, tenant->name);
            const auto problems =
                check_metadata(Json::parse(release->metadata_schema), Json::parse(patch));
            if (!problems.empty())
                return fail_at(FailureKind::unprocessable, "body." + problems.front().property,
                               "{}", join_problems(problems));
            auto merged = merge_metadata(db, by, id, patch);
            if (!merged) return pass_on(merged);
            return metadata_form(*merged);
        },
        std::move(done));
}

}  // namespace berth
