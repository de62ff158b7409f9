#include "store/connections.h"

#include "model/limits.h"
#include "store/connection_rows.h"
#include "store/connectors.h"

namespace berth {

std::string_view to_string(Part part) {
    switch (part) {
        case Part::connection: return "connection";
        case Part::provisioning: return "provisioning";
    }
    std::abort();
}

Connection read_connection(Db& db, const Row& row) {
    Columns c{row};
    Connection connection;
    connection.id = c.id<ConnectionId>();
    connection.connector_id = c.id<ConnectorId>();
    connection.connector_name = c.text();
    connection.kind = c.text();
    connection.integration_id = c.id<IntegrationId>();
    connection.tenant_id = c.maybe_id<TenantId>();
    connection.status = c.word(parse_connection_status);
    connection.reason = c.text();
    connection.last_change = c.time();
    connection.fields = secret_names(db, connection.id);
    connection.readable = read_fields(db, connection.id);
    return connection;
}

std::optional<Row> find_connection(Db& db, const ConnectionOwner& owner, ConnectorId connector) {
    if (owner.tenant_id)
        return db.one(fmt::format("{} where tenant_id = $1 and connector_id = $2"
                                  " and part = 'connection'",
                                  kSelectConnection),
                      {owner.tenant_id, connector});
    return db.one(
        fmt::format("{} where tenant_id is null and integration_id = $1 and connector_id = $2"
                    " and part = 'connection'",
                    kSelectConnection),
        {owner.integration_id, connector});
}

Result<ConnectorId> check_owner(Db& db, const ConnectionOwner& owner, std::string_view connector) {
    if (owner.tenant_id) {
        const auto tenant =
            db.one("select archived from tenants where id = $1 and integration_id = $2",
                   {owner.tenant_id, owner.integration_id});
        if (!tenant)
            return fail(FailureKind::not_found, "there is no tenant '{}'", owner.tenant_id->value);
        if (tenant->integer(0) != 0)
            return fail(FailureKind::conflict, "tenant '{}' is archived; restore it first",
                        owner.tenant_id->value);
    }
    const auto row = db.one(
        "select connector_id, is_global from integration_connectors"
        " join connectors on connectors.id = connector_id"
        " where integration_id = $1 and connectors.name = $2",
        {owner.integration_id, connector});
    if (!row)
        return fail(FailureKind::not_found, "integration '{}' does not use connector '{}'",
                    owner.integration_id.value, printable(connector));
    const bool is_global = row->integer(1) != 0;
    if (is_global && owner.tenant_id)
        return fail_at(FailureKind::unprocessable, "connector",
                       "connector '{}' is global: its secrets belong to integration '{}', not to "
                       "a tenant",
                       connector, owner.integration_id.value);
    if (!is_global && !owner.tenant_id)
        return fail_at(FailureKind::unprocessable, "connector",
                       "connector '{}' is not global: each tenant of integration '{}' has its own "
                       "secrets",
                       connector, owner.integration_id.value);
    return ConnectorId{row->integer(0)};
}

KeyScope scope_of(const Connection& connection) {
    if (connection.tenant_id) return {KeyScope::Kind::tenant, connection.tenant_id->value};
    return {KeyScope::Kind::integration, connection.integration_id.value};
}

std::string object_of(const Connection& connection) {
    const KeyScope scope = scope_of(connection);
    return fmt::format("{} {} connector {}", to_string(scope.kind), scope.id,
                       connection.connector_name);
}

std::vector<std::string> secret_names(Db& db, ConnectionId id) {
    return read_rows(
        db.query("select field from secrets where connection_id = $1 order by field", {id}),
        [](const Row& row) { return row.text(0); });
}

std::map<std::string, std::string> read_fields(Db& db, ConnectionId id) {
    std::map<std::string, std::string> fields;
    for (const Row& row :
         db.query("select field, value from connection_fields where connection_id = $1", {id}))
        fields.emplace(row.text(0), row.text(1));
    return fields;
}

void write_fields(Db& db, ConnectionId id, const std::map<std::string, std::string>& fields) {
    for (const auto& [field, value] : fields)
        if (value.empty())
            db.exec("delete from connection_fields where connection_id = $1 and field = $2",
                    {id, field});
        else
            db.exec(
                "insert into connection_fields (connection_id, field, value) values ($1, $2, $3)"
                " on conflict (connection_id, field) do update set value = excluded.value",
                {id, field, value});
}

void add_event(Db& db, const By& by, ConnectionId id, ConnectionStatus status,
               std::string_view reason) {
    db.exec(
        "insert into connection_events (connection_id, status, reason, actor, time)"
        " values ($1, $2, $3, $4, $5)",
        {id, to_string(status), reason, by.actor, by.now});
    db.exec(
        "delete from connection_events where connection_id = $1 and id <="
        " (select id from connection_events where connection_id = $1 order by id desc"
        " limit 1 offset $2)",
        {id, limits::kConnectionEvents});
}

Result<Connection> open_connection(Db& db, const By& by, const ConnectionOwner& owner,
                                   std::string_view connector) {
    const auto id = check_owner(db, owner, connector);
    if (!id) return tl::unexpected<Failure>{id.error()};
    db.exec(
        "insert into connections (connector_id, integration_id, tenant_id, status, reason,"
        " last_version, last_change) values ($1, $2, $3, 'disconnected', '', 0, $4)"
        " on conflict do nothing",
        {*id, owner.integration_id, owner.tenant_id, by.now});
    return read_connection(db, *find_connection(db, owner, *id));
}

Result<Connection> get_connection(Db& db, const ConnectionOwner& owner,
                                  std::string_view connector) {
    const auto found = get_connector(db, connector);
    const auto row = found ? find_connection(db, owner, found->id) : std::nullopt;
    if (!row)
        return fail(FailureKind::not_found, "connector '{}' is not connected",
                    printable(connector));
    return read_connection(db, *row);
}

Result<Connection> get_connection(Db& db, ConnectionId id) {
    const auto row = db.one(
        fmt::format("{} where connections.id = $1 and part = 'connection'", kSelectConnection),
        {id});
    if (!row) return fail(FailureKind::not_found, "there is no connection '{}'", id.value);
    return read_connection(db, *row);
}

Result<Connection> look_at_connection(Db& db, const ConnectionOwner& owner,
                                      std::string_view connector) {
    const auto id = check_owner(db, owner, connector);
    if (!id) return tl::unexpected<Failure>{id.error()};
    if (const auto row = find_connection(db, owner, *id)) return read_connection(db, *row);
    auto known = get_connector(db, connector);
    if (!known) return pass_on(known);
    Connection never;
    never.connector_id = known->id;
    never.connector_name = known->name;
    never.kind = known->kind;
    never.integration_id = owner.integration_id;
    never.tenant_id = owner.tenant_id;
    return never;
}

Result<std::vector<Connection>> connections_of(Db& db, TenantId tenant) {
    const auto row = db.one("select integration_id from tenants where id = $1", {tenant});
    if (!row) return fail(FailureKind::not_found, "there is no tenant '{}'", tenant.value);
    const IntegrationId integration{row->integer(0)};

    std::vector<Connection> connections;
    for (const IntegrationConnector& used : connectors_of(db, integration)) {
        const auto connector = get_connector(db, used.name);
        if (!connector) return tl::unexpected<Failure>{connector.error()};
        ConnectionOwner owner{integration, {}};
        if (!used.is_global) owner.tenant_id = tenant;
        if (const auto found = find_connection(db, owner, connector->id)) {
            connections.push_back(read_connection(db, *found));
            continue;
        }
        Connection never;
        never.connector_id = connector->id;
        never.connector_name = connector->name;
        never.kind = connector->kind;
        never.integration_id = integration;
        never.tenant_id = owner.tenant_id;
        connections.push_back(std::move(never));
    }
    return connections;
}

Result<Connection> set_connection_status(Db& db, const By& by, ConnectionId id,
                                         ConnectionStatus status, std::string_view reason) {
    auto connection = get_connection(db, id);
    if (!connection || (connection->status == status && connection->reason == reason))
        return connection;
    db.exec("update connections set status = $2, reason = $3, last_change = $4 where id = $1",
            {id, to_string(status), reason, by.now});
    add_event(db, by, id, status, reason);
    audit(db, by, "connection.status", object_of(*connection),
          fmt::format("{} {}", to_string(status), reason));
    return get_connection(db, id);
}

void end_attempts(Db& db, TenantId tenant) {
    db.exec(
        "delete from oauth_attempts where connection_id in"
        " (select id from connections where tenant_id = $1)",
        {tenant});
}

Result<void> disconnect(Db& db, const By& by, const ConnectionOwner& owner,
                        std::string_view connector, std::string_view reason) {
    const auto id = check_owner(db, owner, connector);
    if (!id) return tl::unexpected<Failure>{id.error()};
    const auto row = find_connection(db, owner, *id);
    if (!row) return {};
    const Connection connection = read_connection(db, *row);
    // Who is on the way to the provider does not connect it again.
    db.exec("delete from oauth_attempts where connection_id = $1", {connection.id});
    if (connection.status == ConnectionStatus::disconnected && connection.fields.empty() &&
        connection.readable.empty())
        return {};
    db.exec("delete from secrets where connection_id = $1", {connection.id});
    db.exec("delete from connection_fields where connection_id = $1", {connection.id});
    db.exec("delete from oauth_tokens where connection_id = $1", {connection.id});
    db.exec(
        "update connections set status = 'disconnected', reason = $2, last_change = $3"
        " where id = $1",
        {connection.id, reason, by.now});
    add_event(db, by, connection.id, ConnectionStatus::disconnected, reason);
    audit(db, by, "connection.disconnect", object_of(connection), reason);
    return {};
}

std::vector<ConnectionEvent> connection_history(Db& db, ConnectionId id) {
    return read_rows(db.query("select status, reason, actor, time from connection_events"
                              " where connection_id = $1 order by id desc",
                              {id}),
                     [](const Row& row) {
                         Columns c{row};
                         ConnectionEvent event;
                         event.status = c.word(parse_connection_status);
                         event.reason = c.text();
                         event.actor = c.text();
                         event.time = c.time();
                         return event;
                     });
}

std::map<ConnectionStatus, std::int64_t> count_connections(Db& db) {
    std::map<ConnectionStatus, std::int64_t> counts;
    for (const Row& row : db.query("select status, count(*) from connections"
                                   " where part = 'connection' group by status")) {
        Columns c{row};
        const auto status = c.word(parse_connection_status);
        counts[status] = c.integer();
    }
    return counts;
}

}  // namespace berth
