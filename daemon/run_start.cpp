#include "daemon/run_start.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/connections.h"
#include "daemon/manifests.h"
#include "daemon/run_env.h"
#include "daemon/tokens.h"
#include "model/json.h"
#include "sandbox/ipc/launcher_protocol.h"
#include "source/config_schema.h"
#include "source/runtime.h"
#include "store/integrations.h"
#include "store/releases.h"
#include "store/reruns.h"
#include "store/runs.h"
#include "store/store_failures.h"
#include "store/tenants.h"
#include "store/triggers.h"

namespace berth {
namespace {

constexpr std::size_t kSmall = 64 * 1024;  // bytes; takes well under a millisecond

// The identity a secret is opened under: from the run's own tenant and
// integration, never from the row (reliability.md 1.1).
Result<ipc::FieldRef> identity(const RunMaterial& material, const RunSecret& secret) {
    const KeyScope own = secret.scope.kind == KeyScope::Kind::tenant
                             ? KeyScope{KeyScope::Kind::tenant, material.tenant.id.value}
                             : KeyScope{KeyScope::Kind::integration, material.integration.id.value};
    if (own != secret.scope)
        return fail(FailureKind::denied, "a secret of '{}' does not belong to tenant '{}'",
                    secret.connector_name, material.tenant.name);
    return ipc::FieldRef{scope_for_runner(own), secret.connector_id.value, secret.field,
                         secret.version};
}

ipc::Network to_ipc(NetworkMode mode) {
    switch (mode) {
        case NetworkMode::none: return ipc::Network::none;
        case NetworkMode::egress: return ipc::Network::egress;
        case NetworkMode::host: return ipc::Network::host;
    }
    std::abort();
}

// The weakenings that the run gets, in words. What the configuration has taken back
// since the integration was made is refused here, and by the launcher.
Result<std::vector<std::string>> set_network_and_grants(ipc::Start& start,
                                                        const Integration& integration,
                                                        const GrantTable& table) {
    const Granted& granted = granted_to(table, integration.name);
    std::vector<std::string> words;
    start.network = static_cast<std::uint32_t>(to_ipc(integration.network));
    if (integration.network == NetworkMode::egress) start.egress_names = integration.egress_names;
    if (integration.network == NetworkMode::host) {
        if (auto may = may_use_host_network(granted, integration.name); !may) return pass_on(may);
        start.grants |= ipc::grant_host_network;
        words.emplace_back("host_network");
    }
    if (!granted.writable_path.empty()) {
        start.grants |= ipc::grant_writable_path;
        start.writable_path = folder_name(granted.writable_path);
        words.push_back("writable_path:" + granted.writable_path.string());
    }
    if (!granted.extra_syscalls.empty()) {
        start.grants |= ipc::grant_extra_syscalls;
        start.extra_syscalls = syscalls_name(granted.extra_syscalls);
        words.push_back("extra_syscalls:" + join_calls(granted.extra_syscalls));
    }
    return words;
}

// What is put together into an environment and files.
std::size_t size_of(const RunMaterial& material) {
    std::size_t bytes = material.given.configs.size() + material.release.config_schema.size();
    if (material.given.metadata) bytes += material.given.metadata->size();
    for (const Trigger& trigger : material.triggers)
        bytes += trigger.payload.size() + trigger.body.size() + trigger.headers.size();
    return bytes;
}

// Puts what the rerun asks for in the place of what any run would be given now.
Result<void> choose_given(Db& db, const Rerun& rerun, Given& given) {
    Given original;
    if (rerun.configs_from == GivenFrom::original || rerun.state_from == GivenFrom::original) {
        auto kept = get_given(db, rerun.origin);
        if (!kept) return pass_on(kept);
        original = std::move(*kept);
    }
    switch (rerun.configs_from) {
        case GivenFrom::original: given.configs = original.configs; break;
        case GivenFrom::current: break;
        case GivenFrom::custom: given.configs = rerun.configs; break;
    }
    switch (rerun.state_from) {
        case GivenFrom::original:
            // A release that had no metadata then may have some now.
            if (given.metadata && original.metadata) given.metadata = original.metadata;
            given.last_run = original.last_run;
            given.last_successful_run = original.last_successful_run;
            break;
        case GivenFrom::current: break;
        case GivenFrom::custom:
            for (auto* last : {&given.last_run, &given.last_successful_run}) {
                if (!*last && rerun.state.empty()) continue;
                if (!*last) last->emplace().state = RunState::succeeded;
                (*last)->std_out = rerun.state;
            }
            break;
    }
    return {};
}

// While a data key is being replaced, the secrets of a scope are under two.
Result<void> add_keys(Db& db, const std::vector<RunSecret>& secrets, RunMaterial& material) {
    for (const RunSecret& secret : secrets) {
        auto key = data_key_of(db, secret.scope, secret.envelope);
        if (!key) return pass_on(key);
        material.data_keys.push_back(std::move(*key));
        if (auto added = add_manifest(db, secret.scope, material.manifests); !added) return added;
    }
    return {};
}

}  // namespace

Result<RunMaterial> gather(Db& db, RunId id, Time now, const RunSettings& settings) {
    RunMaterial material;
    auto run = get_run(db, id);
    if (!run) return pass_on(run);
    auto tenant = get_tenant(db, run->tenant_id);
    if (!tenant) return pass_on(tenant);
    auto integration = get_integration(db, run->integration_id);
    if (!integration) return pass_on(integration);
    auto release = get_release(db, run->release_id);
    if (!release) return pass_on(release);
    auto metadata = get_metadata(db, run->tenant_id);
    if (!metadata) return pass_on(metadata);
    std::string unknown;  // a kind that is not there
    InRuns wanted;
    if (settings.kinds != nullptr)
        wanted = [&](std::string_view kind, std::string_view field) {
            if (!settings.kinds->knows(kind)) unknown = kind;
            return in_runs(*settings.kinds, kind, field);
        };
    auto secrets = secrets_for_run(db, By{"berthd", now}, id, wanted);
    if (!secrets) return pass_on(secrets);
    auto open_fields = fields_for_run(db, id, wanted);
    if (!open_fields) return pass_on(open_fields);
    if (!unknown.empty())
        return fail(FailureKind::unavailable,
                    "the connector kind '{}' is not there; 'berth doctor' says why", unknown);

    const auto rerun = rerun_of(db, id);
    material.triggers = triggers_of_run(db, rerun ? rerun->triggers_of : id);
    material.given.configs = tenant->configs;
    if (!release->metadata_schema.empty()) material.given.metadata = std::move(metadata->data);
    material.given.last_run = last_run(db, run->tenant_id, id);
    material.given.last_successful_run = last_successful_run(db, run->tenant_id, id);
    if (rerun)
        if (auto chosen = choose_given(db, *rerun, material.given); !chosen) return pass_on(chosen);
    keep_given(db, *run, material.given);
    if (auto keys = add_keys(db, *secrets, material); !keys) return pass_on(keys);
    material.run = std::move(*run);
    material.tenant = std::move(*tenant);
    material.integration = std::move(*integration);
    material.release = std::move(*release);
    material.secrets = std::move(*secrets);
    material.open_fields = std::move(*open_fields);
    return material;
}

Result<PreparedStart> make_start(const RunMaterial& material, const RunSettings& settings) {
    RunEnvInput input;
    input.integration = material.integration;
    input.tenant = material.tenant;
    input.run = material.run;
    input.triggers = material.triggers;
    input.last_run = material.given.last_run;
    input.last_successful_run = material.given.last_successful_run;
    input.metadata = material.given.metadata;
    input.environment = settings.environment;
    const auto schema = material.release.config_schema.empty()
                            ? Json::object()
                            : Json::parse(material.release.config_schema);
    input.configs = to_text(with_defaults(schema, Json::parse(material.given.configs)));
    const auto variable = [&](const std::string& kind, const std::string& field) {
        return settings.kinds == nullptr ? field : env_field(*settings.kinds, kind, field);
    };
    for (const RunSecret& secret : material.secrets)
        input.secrets.push_back({secret.connector_name, variable(secret.kind, secret.field)});
    for (const RunField& open : material.open_fields)
        input.open_fields.push_back(
            {{open.connector_name, variable(open.kind, open.field)}, open.value});
    auto env = make_run_env(input);
    if (!env) return pass_on(env);

    PreparedStart prepared;
    ipc::Start& start = prepared.start;
    start.run_id = material.run.id.value;
    start.attempt = material.run.attempt;
    // bash, since dash drops variables whose names have a hyphen (contract 3.2).
    start.argv = {"/bin/bash", "-c", material.release.run_command};
    start.env = std::move(env->entries);
    start.working_folder = "";  // /app itself
    for (auto& file : env->files)
        start.files.push_back({std::move(file.name), std::move(file.content)});
    for (std::size_t i = 0; i < material.secrets.size(); ++i) {
        const RunSecret& secret = material.secrets[i];
        auto where = identity(material, secret);
        if (!where) return pass_on(where);
        const DataKeyRow& key = material.data_keys.at(i);
        start.secrets.push_back({std::move(env->secret_names[i]),
                                 std::move(*where),
                                 {key.id, key.envelope},
                                 secret.envelope});
    }
    start.manifests = material.manifests;
    // `host python 3.11.2`: the launcher is asked for the first word.
    start.runtime =
        material.release.runtime.substr(0, material.release.runtime.find_first_of(" :"));
    start.release = material.release.content_hash;
    start.memory_bytes = material.integration.memory_bytes;
    start.wall_time_s = material.integration.wall_time.count();
    auto grants = set_network_and_grants(start, material.integration, settings.grants);
    if (!grants) return pass_on(grants);
    prepared.grants = list_text(*grants);
    return prepared;
}

std::optional<PreparedStart> start_at_once(Db& db, Run& run, const RunSettings& settings,
                                           Time now) {
    const auto start = [&]() -> Result<PreparedStart> {
        if (!tokens_serve(db, run, now))
            return fail(FailureKind::busy, "run '{}' needs a fresh token", run.id.value);
        auto material = gather(db, run.id, now, settings);
        if (!material) return pass_on(material);
        if (size_of(*material) > kSmall)
            return fail(FailureKind::over_limit, "run '{}' is prepared on its own", run.id.value);
        auto prepared = make_start(*material, settings);
        if (!prepared) return prepared;
        RunEnd known;
        known.grants = prepared->grants;
        auto moved = move_run(db, run.id, run.attempt, RunState::starting, "", now, known);
        if (!moved) return pass_on(moved);
        run = std::move(*moved);
        return prepared;
    };
    db.savepoint();  // a trouble of this run is its own affair
    try {
        if (auto prepared = start()) {
            db.release_savepoint();
            return std::move(*prepared);
        }
    } catch (const StoreError& error) {
        if (breaks_store(error) || is_full(error) || !db.in_transaction()) throw;
    } catch (const std::exception&) {  // of a value that cannot be read
    }
    db.rollback_to_savepoint();
    return {};
}

}  // namespace berth
