// Integrations and connectors. Releases are in releases.cpp.
#include "cli/catalog.h"

#include <nlohmann/json.hpp>

#include "cli/fields.h"
#include "cli/resolve.h"

namespace berth {
namespace {

std::string connectors_text(const Json& integration) {
    std::string text;
    const Json& connectors = inner(integration, "connectors");
    if (!connectors.is_array()) return text;
    for (const Json& connector : connectors) {
        if (!text.empty()) text += ", ";
        text += field(connector, "name");
        if (flag(connector, "isGlobal")) text += " (global)";
    }
    return text;
}

std::string default_release_text(const Json& integration) {
    const std::string channel = field(integration, "default_release_channel");
    return channel.empty() ? field(integration, "default_release_id") : channel;
}

Cell integration_state(const Json& integration) {
    if (flag(integration, "archived")) return {"archived", Tone::faint};
    if (flag(integration, "paused")) return {"paused", Tone::warning};
    return {"active", Tone::good};
}

// With network egress: the names it lists, or any.
std::string reach_text(const Json& integration) {
    const Json& names = inner(integration, "egress_names");
    if (field(integration, "network") != "egress" || !names.is_array()) return "";
    std::string text;
    for (const Json& name : names)
        if (name.is_string()) text += (text.empty() ? "" : ", ") + name.get<std::string>();
    return text.empty() ? "any public name" : text;
}

Exit show(Session& session, const Json& integration) {
    if (session.json()) {
        session.print(integration);
        return Exit::ok;
    }
    Record record;
    record.line("id", field(integration, "id"));
    record.line("name", field(integration, "name"));
    record.line("long name", field(integration, "long_name"));
    record.line("state", integration_state(integration));
    record.line("connectors", connectors_text(integration));
    record.line("default release", default_release_text(integration));
    record.line("network", field(integration, "network"));
    record.line("may reach", reach_text(integration));
    record.line("when lost", field(integration, "on_lost"));
    if (const auto limit = field(integration, "wall_time_seconds"); !limit.empty())
        record.line("time limit", limit + " s");
    if (const auto limit = field(integration, "memory_mib"); !limit.empty())
        record.line("memory limit", limit + " MiB");
    record.line("repository", field(integration, "repository_url"));
    record.line("branch", field(integration, "repository_tracking_branch"));
    record.line("created", short_time(field(integration, "created_date")));
    record.line("modified", short_time(field(integration, "modified_date")));
    session.print(record);
    return Exit::ok;
}

// The fields that are given, under the API's names.
Json to_json(const IntegrationFields& fields) {
    Json body = Json::object();
    const auto put = [&](const char* name, const auto& value) {
        if (value) body[name] = *value;
    };
    put("long_name", fields.long_name);
    put("network", fields.network);
    if (fields.any_egress || !fields.egress_names.empty())
        body["egress_names"] = fields.egress_names;
    put("on_lost", fields.on_lost);
    put("wall_time_seconds", fields.wall_time_seconds);
    put("memory_mib", fields.memory_mib);
    put("default_release_channel", fields.channel);
    put("paused", fields.paused);
    put("archived", fields.archived);
    if (!fields.connectors.empty() || !fields.global_connectors.empty()) {
        Json& list = body["connectors"] = Json::array();
        for (const std::string& name : fields.connectors)
            list.push_back({{"name", name}, {"isGlobal", false}});
        for (const std::string& name : fields.global_connectors)
            list.push_back({{"name", name}, {"isGlobal", true}});
    }
    return body;
}

}  // namespace

Result<Exit> integration_list(Session& session, const ListOptions& options) {
    Pairs query = options.paging.query();
    if (options.archived) query.emplace_back("archived", "true");
    auto list = session.api().get(api_path({"integrations"}, query));
    if (!list) return pass_on(list);
    if (session.json()) {
        session.print(*list);
        return Exit::ok;
    }
    Table table{{"ID", "NAME", "STATE", "RELEASE", "NETWORK", "CONNECTORS"}};
    for (const Json& integration : *list)
        table.row({field(integration, "id"), field(integration, "name"),
                   integration_state(integration), default_release_text(integration),
                   field(integration, "network"), connectors_text(integration)});
    session.print_list(table, options.paging, list->size(),
                       "there are no integrations yet; 'berth integration create NAME' makes one");
    return Exit::ok;
}

Result<Exit> integration_show(Session& session, const std::string& integration) {
    auto found = find_integration(session.api(), integration);
    if (!found) return pass_on(found);
    return show(session, *found);
}

Result<Exit> integration_create(Session& session, const std::string& name,
                                const IntegrationFields& fields) {
    Json body = to_json(fields);
    body["name"] = name;
    auto made = session.api().send("POST", api_path({"integrations"}), to_text(body));
    if (!made) return pass_on(made);
    return show(session, *made);
}

Result<Exit> integration_update(Session& session, const std::string& integration,
                                const IntegrationFields& fields) {
    auto found = find_integration(session.api(), integration);
    if (!found) return pass_on(found);
    Json body = to_json(fields);
    if (fields.default_release) {
        auto release = find_release(session.api(), *found, *fields.default_release);
        if (!release) return pass_on(release);
        body["default_release_id"] = inner(*release, "id");
    }
    if (body.empty())
        return fail(FailureKind::invalid,
                    "nothing to change is given; 'berth integration update --help' lists what can "
                    "be");
    auto changed =
        session.api().send("PATCH", api_path({"integrations", field(*found, "id")}), to_text(body));
    if (!changed) return pass_on(changed);
    return show(session, *changed);
}

Result<Exit> connector_list(Session& session, const Paging& paging) {
    auto list = session.api().get(api_path({"connectors"}, paging.query()));
    if (!list) return pass_on(list);
    if (session.json()) {
        session.print(*list);
        return Exit::ok;
    }
    Table table{{"ID", "NAME", "KIND"}};
    for (const Json& connector : *list)
        table.row({field(connector, "id"), field(connector, "name"), field(connector, "kind")});
    session.print_list(table, paging, list->size(),
                       "there are no connectors yet; 'berth connector create NAME' makes one");
    return Exit::ok;
}

Result<Exit> connector_create(Session& session, const std::string& name, const std::string& kind) {
    Json body{{"name", name}};
    if (!kind.empty()) body["kind"] = kind;
    auto made = session.api().send("POST", api_path({"connectors"}), to_text(body));
    if (!made) return pass_on(made);
    if (session.json()) {
        session.print(*made);
        return Exit::ok;
    }
    Record record;
    record.line("id", field(*made, "id"));
    record.line("name", field(*made, "name"));
    record.line("kind", field(*made, "kind"));
    session.print(record);
    return Exit::ok;
}

Result<Exit> connector_attach(Session& session, const std::string& integration,
                              const std::string& connector, Sharing sharing) {
    auto found = find_integration(session.api(), integration);
    if (!found) return pass_on(found);
    const Json body{{"isGlobal", sharing == Sharing::global}};
    auto changed = session.api().send(
        "PUT", api_path({"integrations", field(*found, "id"), "connectors", connector}),
        to_text(body));
    if (!changed) return pass_on(changed);
    return show(session, *changed);
}

}  // namespace berth
