// `berth connection`: credentials go in, and never come out again.
#include <nlohmann/json.hpp>

#include "cli/fields.h"
#include "cli/input.h"
#include "cli/resolve.h"
#include "cli/tenants.h"

namespace berth {
namespace {

std::string names_text(const Json& connection) {
    std::string text;
    const Json& secrets = inner(connection, "secrets");
    if (!secrets.is_array()) return text;
    for (const Json& name : secrets)
        if (name.is_string()) text += (text.empty() ? "" : ", ") + name.get<std::string>();
    return text;
}

Cell status_cell(const Json& connection) {
    const std::string status = field(connection, "status");
    return {status, status == "connected" ? Tone::good : Tone::warning};
}

}  // namespace

Result<Exit> connection_list(Session& session, const std::string& tenant) {
    auto found = find_tenant(session.api(), tenant);
    if (!found) return pass_on(found);
    auto list = session.api().get(api_path({"tenants", field(*found, "id"), "connectors"}));
    if (!list) return pass_on(list);
    if (session.json()) {
        session.print(*list);
        return Exit::ok;
    }
    if (list->empty()) {
        session.remark("its integration has no connectors; 'berth connector attach' adds one");
        return Exit::ok;
    }
    Table table{{"CONNECTOR", "SHARED", "STATUS", "FIELDS", "CHANGED (UTC)", "REASON"}};
    for (const Json& connection : *list)
        table.row({field(connection, "connector"), flag(connection, "isGlobal") ? "global" : "no",
                   status_cell(connection), names_text(connection),
                   short_time(field(connection, "last_change")), field(connection, "reason")});
    session.print(table);
    return Exit::ok;
}

Result<Exit> connection_show(Session& session, const std::string& tenant,
                             const std::string& connector) {
    auto found = find_tenant(session.api(), tenant);
    if (!found) return pass_on(found);
    auto story = session.api().get(
        api_path({"tenants", field(*found, "id"), "connectors", connector, "connection"}));
    if (!story) return pass_on(story);
    if (session.json()) {
        session.print(*story);
        return Exit::ok;
    }
    Record record;
    record.line("tenant", field(*found, "name"));
    record.line("connector", field(*story, "connector"));
    record.line("kind", field(*story, "kind"));
    record.line("status", status_cell(*story));
    record.line("reason", field(*story, "reason"));
    record.line("since", short_time(field(*story, "last_change")));
    record.line("secrets", names_text(*story));
    const Json& open = inner(*story, "fields");
    if (open.is_object())
        for (const auto& [name, value] : open.items())
            record.line(name, field(open, name));
    session.print(record);
    const Json& history = inner(*story, "history");
    if (!history.is_array() || history.empty()) return Exit::ok;
    Table table{{"WHEN (UTC)", "STATUS", "BY", "REASON"}};
    for (const Json& event : history)
        table.row({short_time(field(event, "date")), status_cell(event), field(event, "by"),
                   field(event, "reason")});
    session.print(table);
    return Exit::ok;
}

Result<Exit> connection_set(Session& session, const ConnectionSet& set) {
    // Found first: nobody is to type a secret for a tenant that is not there.
    auto owner = set.global ? find_integration(session.api(), set.owner)
                            : find_tenant(session.api(), set.owner);
    if (!owner) return pass_on(owner);
    auto fields = read_secrets(session.io, set.fields, set.prompts);
    if (!fields) return pass_on(fields);

    std::string body = secrets_body(*fields);
    auto connection =
        session.api().send("PUT",
                           api_path({set.global ? "integrations" : "tenants", field(*owner, "id"),
                                     "connectors", set.connector, "connection"}),
                           body);
    cleanse(body.data(), body.size());
    if (!connection) return pass_on(connection);
    if (session.json()) {
        session.print(*connection);
        return Exit::ok;
    }
    Record record;
    record.line(set.global ? "integration" : "tenant", field(*owner, "name"));
    record.line("connector", field(*connection, "connector"));
    record.line("status", status_cell(*connection));
    record.line("fields", names_text(*connection));
    session.print(record);
    return Exit::ok;
}

Result<Exit> connection_disconnect(Session& session, const std::string& tenant,
                                   const std::string& connector) {
    auto found = find_tenant(session.api(), tenant);
    if (!found) return pass_on(found);
    auto done = session.api().send(
        "PATCH", api_path({"tenants", field(*found, "id"), "connectors", connector, "disconnect"}),
        "");
    if (!done) return pass_on(done);
    if (session.json())
        session.print(*done);
    else
        session.remark(
            fmt::format("'{}' of tenant '{}' is disconnected", connector, field(*found, "name")));
    return Exit::ok;
}

}  // namespace berth
