// `berth tenant`. Its connections are in connections.cpp.
#include "cli/tenants.h"

#include <map>
#include <nlohmann/json.hpp>

#include "base/crypto.h"
#include "cli/fields.h"
#include "cli/follow.h"
#include "cli/input.h"
#include "cli/resolve.h"

namespace berth {
namespace {

Cell tenant_state(const Json& tenant) {
    if (flag(tenant, "archived")) return {"archived", Tone::faint};
    if (flag(tenant, "paused")) return {"paused", Tone::warning};
    return {"active", Tone::good};
}

Cell connected(const Json& tenant) {
    if (flag(tenant, "status.auth.connected")) return {"yes", Tone::good};
    std::string missing;
    const Json& connectors = inner(tenant, "status.auth.connectors");
    if (connectors.is_array())
        for (const Json& connector : connectors)
            if (field(connector, "status") == "disconnected")
                missing += (missing.empty() ? "no: " : ", ") + field(connector, "name");
    return {missing.empty() ? "no" : missing, Tone::warning};
}

std::string release_text(const Json& tenant) {
    const std::string channel = field(tenant, "integration_release_channel");
    return channel.empty() ? field(tenant, "integration_release_id") : channel;
}

Cell last_run(const Json& tenant) {
    const Json& current = inner(tenant, "status.current_run");
    if (current.is_object() && !current.empty()) return state_cell(current);
    return state_cell(inner(tenant, "status.last_run"));
}

// An id as its integration's name; the id itself when it cannot be looked up.
class IntegrationNames {
public:
    explicit IntegrationNames(Api& api) : api_{api} {}
    std::string of(const std::string& id) {
        const auto [entry, fresh] = names_.try_emplace(id, id);
        if (!fresh || id.empty()) return entry->second;
        if (auto found = api_.get(api_path({"integrations", id}))) {
            const std::string name = field(*found, "name");
            if (!name.empty()) entry->second = name;
        }
        return entry->second;
    }

private:
    Api& api_;
    std::map<std::string, std::string> names_;
};

void run_line(Record& record, const char* name, const Json& run) {
    if (!run.is_object() || run.empty()) return;
    Cell state = state_cell(run);
    std::string text = fmt::format("{}, {}", field(run, "id"), state.text);
    if (const auto started = field(run, "startTime"); !started.empty())
        text += fmt::format(", started {}", short_time(started));
    record.line(name, {std::move(text), state.tone});
}

Exit show(Session& session, const Json& tenant) {
    if (session.json()) {
        session.print(tenant);
        return Exit::ok;
    }
    Record record;
    record.line("id", field(tenant, "id"));
    record.line("name", field(tenant, "name"));
    record.line("integration", IntegrationNames{session.api()}.of(field(tenant, "integration_id")));
    record.line("user", field(tenant, "user_name"));
    record.line("state", tenant_state(tenant));
    record.line("connected", connected(tenant));
    record.line("release", release_text(tenant));
    record.line("schedule", field(tenant, "schedule"));
    record.line("own schedule", field(tenant, "user_schedule"));
    record.line("configs", field(tenant, "configs"));
    record.line("waiting triggers", field(tenant, "status.waiting_triggers"));
    run_line(record, "current run", inner(tenant, "status.current_run"));
    run_line(record, "last run", inner(tenant, "status.last_run"));
    run_line(record, "last success", inner(tenant, "status.last_successful_run"));
    record.line("created", short_time(field(tenant, "created_date")));
    record.line("modified", short_time(field(tenant, "modified_date")));
    session.print(record);
    return Exit::ok;
}

// The fields that are given, under the API's names.
Result<Json> to_json(Session& session, const TenantFields& fields, const Json& integration) {
    Json body = Json::object();
    const auto put = [&](const char* name, const auto& value) {
        if (value) body[name] = *value;
    };
    put("name", fields.name);
    put("user_name", fields.user_name);
    put("user_schedule", fields.schedule);
    put("integration_release_channel", fields.channel);
    put("paused", fields.paused);
    put("archived", fields.archived);
    if (fields.release) {
        auto release = find_release(session.api(), integration, *fields.release);
        if (!release) return pass_on(release);
        body["integration_release_id"] = inner(*release, "id");
    }
    if (fields.configs) {
        auto text = json_argument(session.io, "--configs", *fields.configs);
        if (!text) return pass_on(text);
        body["configs"] = parse_json(*text).value();
    }
    return body;
}

}  // namespace

Result<Exit> tenant_list(Session& session, const TenantFilter& filter) {
    Pairs query = filter.paging.query();
    if (!filter.integration.empty()) {
        auto integration = find_integration(session.api(), filter.integration);
        if (!integration) return pass_on(integration);
        query.emplace_back("integration_id", field(*integration, "id"));
    }
    if (!filter.user_name.empty()) query.emplace_back("user_name", filter.user_name);
    if (filter.archived) query.emplace_back("archived", "true");
    auto list = session.api().get(api_path({"tenants"}, query));
    if (!list) return pass_on(list);
    if (session.json()) {
        session.print(*list);
        return Exit::ok;
    }
    IntegrationNames names{session.api()};
    Table table{
        {"ID", "NAME", "INTEGRATION", "STATE", "CONNECTED", "RELEASE", "SCHEDULE", "LAST RUN"}};
    for (const Json& tenant : *list)
        table.row({field(tenant, "id"), field(tenant, "name"),
                   names.of(field(tenant, "integration_id")), tenant_state(tenant),
                   connected(tenant), release_text(tenant), field(tenant, "schedule"),
                   last_run(tenant)});
    session.print_list(
        table, filter.paging, list->size(),
        "there are no tenants here; 'berth tenant create NAME --integration I' makes one");
    return Exit::ok;
}

Result<Exit> tenant_show(Session& session, const std::string& tenant) {
    auto found = find_tenant(session.api(), tenant);
    if (!found) return pass_on(found);
    return show(session, *found);
}

Result<Exit> tenant_create(Session& session, const std::string& name,
                           const std::string& integration, const TenantFields& fields) {
    auto owner = find_integration(session.api(), integration);
    if (!owner) return pass_on(owner);
    auto body = to_json(session, fields, *owner);
    if (!body) return pass_on(body);
    (*body)["name"] = name;
    (*body)["integration_id"] = inner(*owner, "id");
    auto made = session.api().send("POST", api_path({"tenants"}), to_text(*body));
    if (!made) return pass_on(made);
    show(session, *made);
    if (!session.json() && flag(*made, "paused")) {
        const bool ready = flag(*made, "status.auth.connected");
        session.remark(
            fmt::format("{}'berth tenant sync {}' runs it; its schedule is paused until 'berth "
                        "tenant resume {}'",
                        ready ? "" : "'berth connection set' connects it; ", name, name));
    }
    return Exit::ok;
}

Result<Exit> tenant_update(Session& session, const std::string& tenant,
                           const TenantFields& fields) {
    auto found = find_tenant(session.api(), tenant);
    if (!found) return pass_on(found);
    const Json integration{{"id", inner(*found, "integration_id")}};
    auto body = to_json(session, fields, integration);
    if (!body) return pass_on(body);
    if (body->empty())
        return fail(FailureKind::invalid,
                    "nothing to change is given; 'berth tenant update --help' lists what can be");
    auto changed =
        session.api().send("PATCH", api_path({"tenants", field(*found, "id")}), to_text(*body));
    if (!changed) return pass_on(changed);
    return show(session, *changed);
}

Result<Exit> tenant_sync(Session& session, const std::string& tenant, const SyncOptions& options) {
    std::string payload;
    if (options.payload) {
        auto text = json_argument(session.io, "--payload", *options.payload);
        if (!text) return pass_on(text);
        payload = std::move(*text);
    }
    auto found = find_tenant(session.api(), tenant);
    if (!found) return pass_on(found);
    // Always with a key: whoever repeats the request gets the same trigger.
    const std::string key = options.idempotency_key.value_or(random_id());
    auto accepted = session.api().send(
        "POST", api_path({"tenants", field(*found, "id"), "sync"}, {{"mode", options.mode}}),
        payload, {{"Idempotency-Key", key}});
    if (!accepted) return pass_on(accepted);
    return after_trigger(session, *accepted, options.after);
}

Result<Exit> tenant_metadata(Session& session, const std::string& tenant,
                             const std::optional<std::string>& set) {
    std::string change;
    if (set) {
        auto text = json_argument(session.io, "--set", *set);
        if (!text) return pass_on(text);
        change = std::move(*text);
    }
    auto found = find_tenant(session.api(), tenant);
    if (!found) return pass_on(found);
    const std::string path = api_path({"tenants", field(*found, "id"), "metadata"});
    auto metadata = set ? session.api().send("PATCH", path, change) : session.api().get(path);
    if (!metadata) return pass_on(metadata);
    session.print(session.json() ? *metadata : inner(*metadata, "data"));
    return Exit::ok;
}

}  // namespace berth
