#include "store/secrets.h"

#include <algorithm>

#include "model/limits.h"
#include "store/connectors.h"
#include "store/sql.h"

namespace berth {
namespace {

constexpr std::string_view kSelect =
    "select connections.id, connector_id, connectors.name, integration_id, tenant_id, status,"
    " reason, last_change from connections join connectors on connectors.id = connector_id";

Connection read_connection(Db& db, const Row& row) {
    Columns c{row};
    Connection connection;
    connection.id = c.id<ConnectionId>();
    connection.connector_id = c.id<ConnectorId>();
    connection.connector_name = c.text();
    connection.integration_id = c.id<IntegrationId>();
    connection.tenant_id = c.maybe_id<TenantId>();
    connection.status = c.word(parse_connection_status);
    connection.reason = c.text();
    connection.last_change = c.time();
    connection.fields =
        read_rows(db.query("select field from secrets where connection_id = $1 order by field",
                           {connection.id}),
                  [](const Row& field) { return field.text(0); });
    return connection;
}

Result<Connection> get_connection_by_id(Db& db, ConnectionId id) {
    const auto row = db.one(fmt::format("{} where connections.id = $1", kSelect), {id});
    if (!row) return fail(FailureKind::not_found, "there is no connection '{}'", id.value);
    return read_connection(db, *row);
}

KeyScope scope_of(const Connection& connection) {
    if (connection.tenant_id) return {KeyScope::Kind::tenant, connection.tenant_id->value};
    return {KeyScope::Kind::integration, connection.integration_id.value};
}

// The connector's id, when the owner may hold secrets of it.
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

std::string object_of(const Connection& connection) {
    const KeyScope scope = scope_of(connection);
    return fmt::format("{} {} connector {}", to_string(scope.kind), scope.id,
                       connection.connector_name);
}

std::optional<Row> find_connection(Db& db, const ConnectionOwner& owner, ConnectorId connector) {
    if (owner.tenant_id)
        return db.one(fmt::format("{} where tenant_id = $1 and connector_id = $2", kSelect),
                      {owner.tenant_id, connector});
    return db.one(
        fmt::format("{} where tenant_id is null and integration_id = $1 and connector_id = $2",
                    kSelect),
        {owner.integration_id, connector});
}

Result<void> check_fields(const std::vector<SealedField>& fields) {
    if (fields.empty())
        return fail_at(FailureKind::unprocessable, "secrets", "no secrets were given");
    for (const SealedField& sealed : fields)
        if (sealed.field.empty() || sealed.field.size() > limits::kNameBytes)
            return fail_at(FailureKind::unprocessable, "secrets",
                           "secret '{}': a name has 1 to {} bytes", printable(sealed.field),
                           limits::kNameBytes);
    return {};
}

// Upserts one field. conflict past a later version, or when the one-time key was
// used before.
Result<void> put_secret(Db& db, const Connection& connection, std::uint64_t version,
                        const SealedField& sealed) {
    const auto head = read_envelope_head(sealed.envelope);
    if (!head) return tl::unexpected<Failure>{head.error()};
    const auto stored =
        db.one("select version from secrets where connection_id = $1 and field = $2",
               {connection.id, sealed.field});
    if (stored && static_cast<std::uint64_t>(stored->integer(0)) >= version)
        return fail(FailureKind::conflict,
                    "secret '{}' of connector '{}' was changed by somebody else meanwhile; look "
                    "and try again",
                    sealed.field, connection.connector_name);
    if (db.one("select 1 from secrets where key_id = $1 and salt = $2",
               {head->key_id, Bytes{head->salt}}))
        return fail(FailureKind::conflict,
                    "the envelope of secret '{}' uses a salt that was used before; check the "
                    "random generator of this machine",
                    sealed.field);
    db.exec(
        "insert into secrets (connection_id, field, tenant_id, version, envelope, key_id, salt)"
        " values ($1, $2, $3, $4, $5, $6, $7) on conflict (connection_id, field) do update set"
        " version = excluded.version, envelope = excluded.envelope, key_id = excluded.key_id,"
        " salt = excluded.salt",
        {connection.id, sealed.field, connection.tenant_id, version, Bytes{sealed.envelope},
         head->key_id, Bytes{head->salt}});
    return {};
}

}  // namespace

Result<SecretReservation> reserve_secrets(Db& db, const By& by, const ConnectionOwner& owner,
                                          std::string_view connector) {
    const auto id = check_owner(db, owner, connector);
    if (!id) return tl::unexpected<Failure>{id.error()};
    db.exec(
        "insert into connections (connector_id, integration_id, tenant_id, status, reason,"
        " last_version, last_change) values ($1, $2, $3, 'disconnected', '', 0, $4)"
        " on conflict do nothing",
        {*id, owner.integration_id, owner.tenant_id, by.now});
    SecretReservation reservation;
    reservation.connection = read_connection(db, *find_connection(db, owner, *id));
    reservation.scope = scope_of(reservation.connection);
    const auto version = db.must(
        "update connections set last_version = last_version + 1 where id = $1"
        " returning last_version",
        {reservation.connection.id});
    reservation.version = static_cast<std::uint64_t>(version.integer(0));
    return reservation;
}

Result<Connection> set_secrets(Db& db, const By& by, ConnectionId id, std::uint64_t version,
                               const std::vector<SealedField>& fields) {
    auto connection = get_connection_by_id(db, id);
    if (!connection) return pass_on(connection);
    if (auto ok = check_fields(fields); !ok) return pass_on(ok);
    const auto last = db.must("select last_version from connections where id = $1", {id});
    if (version == 0 || version > static_cast<std::uint64_t>(last.integer(0)))
        return fail(FailureKind::invalid, "version {} of connection '{}' was never given out",
                    version, id.value);
    std::string names;
    for (const SealedField& sealed : fields) {
        if (auto ok = put_secret(db, *connection, version, sealed); !ok) return pass_on(ok);
        names += fmt::format("{}{}", names.empty() ? "" : ", ", sealed.field);
    }
    db.exec(
        "update connections set status = 'connected', reason = '', last_change = $2 where id = $1",
        {id, by.now});
    audit(db, by, "secret.set", object_of(*connection),
          fmt::format("fields {} version {}", names, version));
    auto written = get_connection_by_id(db, id);
    if (written && written->fields.size() > limits::kSecretFields)
        return fail_at(FailureKind::over_limit, "secrets",
                       "connector '{}' would hold {} secrets; at most {} are allowed",
                       connection->connector_name, written->fields.size(), limits::kSecretFields);
    return written;
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
        never.integration_id = integration;
        never.tenant_id = owner.tenant_id;
        connections.push_back(std::move(never));
    }
    return connections;
}

Result<void> disconnect(Db& db, const By& by, const ConnectionOwner& owner,
                        std::string_view connector, std::string_view reason) {
    const auto id = check_owner(db, owner, connector);
    if (!id) return tl::unexpected<Failure>{id.error()};
    const auto row = find_connection(db, owner, *id);
    if (!row) return {};
    const Connection connection = read_connection(db, *row);
    if (connection.status == ConnectionStatus::disconnected && connection.fields.empty()) return {};
    db.exec("delete from secrets where connection_id = $1", {connection.id});
    db.exec(
        "update connections set status = 'disconnected', reason = $2, last_change = $3"
        " where id = $1",
        {connection.id, reason, by.now});
    audit(db, by, "connection.disconnect", object_of(connection), reason);
    return {};
}

Result<std::vector<RunSecret>> secrets_for_run(Db& db, const By& by, RunId run) {
    const auto owner = db.one("select tenant_id, integration_id from runs where id = $1", {run});
    if (!owner) return fail(FailureKind::not_found, "there is no run '{}'", run.value);
    const TenantId tenant{owner->integer(0)};
    const IntegrationId integration{owner->integer(1)};
    // Only what the integration uses now: secrets of a connector that was global
    // before, or the other way round, stay out.
    const auto rows = db.query(
        "select connectors.id, connectors.name, connections.tenant_id, secrets.field,"
        " secrets.version, secrets.envelope from integration_connectors as used"
        " join connectors on connectors.id = used.connector_id"
        " join connections on connections.integration_id = used.integration_id"
        "  and connections.connector_id = used.connector_id"
        " join secrets on secrets.connection_id = connections.id"
        " where used.integration_id = $1 and connections.status = 'connected'"
        "  and ((used.is_global = 0 and connections.tenant_id = $2)"
        "   or (used.is_global = 1 and connections.tenant_id is null))"
        " order by connectors.name, secrets.field",
        {integration, tenant});
    auto secrets = read_rows(rows, [&](const Row& row) {
        Columns c{row};
        RunSecret secret;
        secret.connector_id = c.id<ConnectorId>();
        secret.connector_name = c.text();
        secret.scope = c.maybe_id<TenantId>()
                           ? KeyScope{KeyScope::Kind::tenant, tenant.value}
                           : KeyScope{KeyScope::Kind::integration, integration.value};
        secret.field = c.text();
        secret.version = static_cast<std::uint64_t>(c.integer());
        secret.envelope = c.text();
        return secret;
    });
    if (secrets.empty()) return secrets;
    std::string names;
    for (const RunSecret& secret : secrets)
        names +=
            fmt::format("{}{}.{}", names.empty() ? "" : ", ", secret.connector_name, secret.field);
    audit(db, by, "secret.use", fmt::format("run {} tenant {}", run.value, tenant.value), names);
    return secrets;
}

}  // namespace berth
