#include "cli/webhooks.h"

#include <nlohmann/json.hpp>

#include "cli/fields.h"
#include "cli/resolve.h"

namespace berth {
namespace {

Result<std::string> path_of(Session& session, const WebhookOf& of, const char* part = nullptr) {
    auto tenant = find_tenant(session.api(), of.tenant);
    if (!tenant) return pass_on(tenant);
    std::string path =
        api_path({"tenants", field(*tenant, "id"), "connectors", of.connector, "webhook"});
    if (part != nullptr) path += fmt::format("/{}", part);
    return path;
}

// Without a public address there is only the path to show.
std::string address_text(const Json& address) {
    const std::string url = field(address, "url");
    return url.empty() ? field(address, "path") : url;
}

Result<Exit> print(Session& session, Result<Json> webhook) {
    if (!webhook) return pass_on(webhook);
    if (session.json()) {
        session.print(*webhook);
        return Exit::ok;
    }
    Record record;
    record.line("connector", field(*webhook, "connector"));
    record.line("address", address_text(*webhook));
    record.line("created (UTC)", short_time(field(*webhook, "created_date")));
    record.line("signature in", field(*webhook, "signature_header"));
    const bool has_secret = flag(*webhook, "has_secret");
    record.line("secret", Cell{field(*webhook, "secret_field") + (has_secret ? "" : " (missing)"),
                               has_secret ? Tone::good : Tone::warning});
    const Json& replaced = inner(*webhook, "replaced");
    if (replaced.is_array())
        for (const Json& old : replaced)
            record.line("until " + short_time(field(old, "ends_date")), address_text(old));
    session.print(record);
    if (field(*webhook, "url").empty())
        session.remark("no 'public_url' is set: providers cannot reach this path");
    if (!has_secret)
        session.remark(
            "every delivery is refused until the secret is stored: 'berth connection "
            "set'");
    return Exit::ok;
}

Cell outcome_cell(const Json& delivery) {
    const std::string outcome = field(delivery, "outcome");
    if (outcome == "refused" || outcome == "limited") return {outcome, Tone::warning};
    if (outcome == "unavailable") return {outcome, Tone::bad};
    return {outcome, Tone::plain};
}

}  // namespace

Result<Exit> webhook_show(Session& session, const WebhookOf& of) {
    auto path = path_of(session, of);
    if (!path) return pass_on(path);
    return print(session, session.api().get(*path));
}

Result<Exit> webhook_create(Session& session, const WebhookOf& of) {
    auto path = path_of(session, of);
    if (!path) return pass_on(path);
    return print(session, session.api().send("PUT", *path, ""));
}

Result<Exit> webhook_rotate(Session& session, const WebhookOf& of,
                            std::optional<std::int64_t> overlap_seconds) {
    auto path = path_of(session, of);
    if (!path) return pass_on(path);
    Json body = Json::object();
    if (overlap_seconds) body["overlap_seconds"] = *overlap_seconds;
    return print(session, session.api().send("POST", *path, to_text(body)));
}

Result<Exit> webhook_revoke(Session& session, const WebhookOf& of) {
    auto path = path_of(session, of);
    if (!path) return pass_on(path);
    auto done = session.api().send("DELETE", *path, "");
    if (!done) return pass_on(done);
    if (session.json())
        session.print(*done);
    else
        session.remark(fmt::format("'{}' takes no more deliveries", of.connector));
    return Exit::ok;
}

Result<Exit> webhook_deliveries(Session& session, const WebhookOf& of, std::int64_t limit) {
    auto path = path_of(session, of, "deliveries");
    if (!path) return pass_on(path);
    auto list = session.api().get(fmt::format("{}?limit={}", *path, limit));
    if (!list) return pass_on(list);
    if (session.json()) {
        session.print(*list);
        return Exit::ok;
    }
    Table table{{"NUMBER", "TIME (UTC)", "OUTCOME", "EVENT", "DELIVERY", "FROM", "REASON"}};
    for (const Json& delivery : *list)
        table.row({field(delivery, "number"), short_time(field(delivery, "date")),
                   outcome_cell(delivery), field(delivery, "event"), field(delivery, "delivery_id"),
                   field(delivery, "client"), field(delivery, "reason")});
    session.print(table);
    return Exit::ok;
}

}  // namespace berth
