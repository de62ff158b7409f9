#include "store/connectors.h"

#include <array>

#include "store/integrations.h"
#include "store/sql.h"

namespace berth {
namespace {

constexpr std::string_view kSelect = "select id, name, kind, created from connectors";
constexpr std::array kSortFields{
    SortField{"id", "id"},
    SortField{"name", "name"},
    SortField{"created_date", "created"},
};

Connector read_connector(const Row& row) {
    Columns c{row};
    Connector connector;
    connector.id = c.id<ConnectorId>();
    connector.name = c.text();
    connector.kind = c.text();
    connector.created = c.time();
    return connector;
}

}  // namespace

Result<Connector> create_connector(Db& db, const By& by, std::string_view name,
                                   std::string_view kind) {
    if (auto ok = check_slug("name", name); !ok) return pass_on(ok);
    if (auto ok = check_slug("kind", kind); !ok) return pass_on(ok);
    const auto row = db.one(
        "insert into connectors (name, kind, created) values ($1, $2, $3)"
        " on conflict do nothing returning id, name, kind, created",
        {name, kind, by.now});
    if (!row)
        return fail_at(FailureKind::conflict, "name",
                       "there is a connector '{}' already; choose another 'name'", name);
    audit(db, by, "connector.create", fmt::format("connector {}", row->integer(0)), name);
    return read_connector(*row);
}

Result<Connector> get_connector(Db& db, std::string_view name) {
    const auto row = db.one(fmt::format("{} where name = $1", kSelect), {name});
    if (!row) return fail(FailureKind::not_found, "there is no connector '{}'", printable(name));
    return read_connector(*row);
}

Result<std::vector<Connector>> list_connectors(Db& db, const Page& page) {
    ListQuery query{kSelect};
    if (auto ok = query.order(page, kSortFields); !ok) return pass_on(ok);
    return read_rows(query.run(db), read_connector);
}

Result<void> attach_connector(Db& db, const By& by, IntegrationId integration,
                              const IntegrationConnector& connector) {
    if (!db.one("select 1 from integrations where id = $1", {integration}))
        return fail(FailureKind::not_found, "there is no integration '{}'", integration.value);
    auto found = get_connector(db, connector.name);
    if (!found) found = create_connector(db, by, connector.name, "custom");
    if (!found) return pass_on(found);

    const auto now = db.one(
        "select is_global from integration_connectors where integration_id = $1"
        " and connector_id = $2",
        {integration, found->id});
    if (now && (now->integer(0) != 0) == connector.is_global) return {};
    if (now && db.one("select 1 from connections where integration_id = $1 and connector_id = $2"
                      " and part = 'connection'"
                      " and status <> 'disconnected'",
                      {integration, found->id}))
        return fail_at(FailureKind::conflict, "isGlobal",
                       "connector '{}' holds secrets; disconnect it before you change 'isGlobal'",
                       connector.name);
    db.exec(
        "insert into integration_connectors (integration_id, connector_id, is_global)"
        " values ($1, $2, $3) on conflict (integration_id, connector_id)"
        " do update set is_global = excluded.is_global",
        {integration, found->id, connector.is_global});
    audit(db, by, "integration.connector", fmt::format("integration {}", integration.value),
          fmt::format("{} {}", connector.name, connector.is_global ? "global" : "per tenant"));
    return {};
}

std::vector<IntegrationConnector> connectors_of(Db& db, IntegrationId integration) {
    return read_rows(db.query("select connectors.name, is_global from integration_connectors"
                              " join connectors on connectors.id = connector_id"
                              " where integration_id = $1 order by connectors.name",
                              {integration}),
                     [](const Row& row) {
                         return IntegrationConnector{row.text(0), row.integer(1) != 0};
                     });
}

}  // namespace berth
