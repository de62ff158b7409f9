#include "store/secrets.h"

#include <algorithm>

#include "model/limits.h"
#include "store/connection_rows.h"

namespace berth {
namespace {

Result<void> check_write(const ConnectionWrite& write) {
    if (write.sealed.empty() && write.readable.empty() && write.status)
        return fail_at(FailureKind::unprocessable, "secrets", "no secrets were given");
    for (const SealedField& sealed : write.sealed)
        if (sealed.field.empty() || sealed.field.size() > limits::kNameBytes)
            return fail_at(FailureKind::unprocessable, "secrets",
                           "secret '{}': a name has 1 to {} bytes", printable(sealed.field),
                           limits::kNameBytes);
    return {};
}

// What runs get: connected, and used now: secrets of a connector that was global before,
// or the other way round, stay out.
constexpr std::string_view kOfRun =
    " from integration_connectors as used"
    " join connectors on connectors.id = used.connector_id"
    " join connections on connections.integration_id = used.integration_id"
    "  and connections.connector_id = used.connector_id"
    "  and connections.part = 'connection' and connections.status = 'connected'"
    "  and ((used.is_global = 0 and connections.tenant_id = $2)"
    "   or (used.is_global = 1 and connections.tenant_id is null))";

}  // namespace

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
    // What it was before the kind called it a secret.
    db.exec("delete from connection_fields where connection_id = $1 and field = $2",
            {connection.id, sealed.field});
    return {};
}

Result<void> check_version(Db& db, ConnectionId id, std::uint64_t version) {
    const auto last = db.must("select last_version from connections where id = $1", {id});
    if (version != 0 && version <= static_cast<std::uint64_t>(last.integer(0))) return {};
    return fail(FailureKind::invalid, "version {} of connection '{}' was never given out", version,
                id.value);
}

std::uint64_t next_version(Db& db, ConnectionId id) {
    const auto version = db.must(
        "update connections set last_version = last_version + 1 where id = $1"
        " returning last_version",
        {id});
    return static_cast<std::uint64_t>(version.integer(0));
}

Result<SecretReservation> reserve_secrets(Db& db, const By& by, const ConnectionOwner& owner,
                                          std::string_view connector) {
    auto connection = open_connection(db, by, owner, connector);
    if (!connection) return pass_on(connection);
    SecretReservation reservation;
    reservation.connection = std::move(*connection);
    reservation.scope = scope_of(reservation.connection);
    reservation.version = next_version(db, reservation.connection.id);
    return reservation;
}

Result<Connection> set_secrets(Db& db, const By& by, ConnectionId id, std::uint64_t version,
                               const ConnectionWrite& write) {
    auto connection = get_connection(db, id);
    if (!connection) return pass_on(connection);
    if (auto ok = check_write(write); !ok) return pass_on(ok);
    if (auto ok = check_version(db, id, version); !ok) return pass_on(ok);
    std::string names;
    for (const SealedField& sealed : write.sealed) {
        if (auto ok = put_secret(db, *connection, version, sealed); !ok) return pass_on(ok);
        names += fmt::format("{}{}", names.empty() ? "" : ", ", sealed.field);
    }
    write_fields(db, id, write.readable);
    for (const auto& [field, value] : write.readable)
        names += fmt::format("{}{}", names.empty() ? "" : ", ", field);
    if (write.status) {
        db.exec("update connections set status = $2, reason = $3, last_change = $4 where id = $1",
                {id, to_string(*write.status), write.reason, by.now});
        add_event(db, by, id, *write.status, write.reason);
    }
    audit(db, by, "secret.set", object_of(*connection),
          fmt::format("fields {} version {}", names, version));
    auto written = get_connection(db, id);
    if (written && written->fields.size() > limits::kSecretFields)
        return fail_at(FailureKind::over_limit, "secrets",
                       "connector '{}' would hold {} secrets; at most {} are allowed",
                       connection->connector_name, written->fields.size(), limits::kSecretFields);
    return written;
}

Result<Connection> set_secrets(Db& db, const By& by, ConnectionId id, std::uint64_t version,
                               const std::vector<SealedField>& fields) {
    return set_secrets(db, by, id, version, ConnectionWrite{fields});
}

Result<std::vector<RunSecret>> secrets_for_run(Db& db, const By& by, RunId run,
                                               const InRuns& in_runs) {
    const auto owner = db.one("select tenant_id, integration_id from runs where id = $1", {run});
    if (!owner) return fail(FailureKind::not_found, "there is no run '{}'", run.value);
    const TenantId tenant{owner->integer(0)};
    const IntegrationId integration{owner->integer(1)};
    const auto rows = db.query(
        fmt::format("select connectors.id, connectors.name, connectors.kind,"
                    " connections.tenant_id, secrets.field, secrets.version, secrets.envelope{}"
                    " join secrets on secrets.connection_id = connections.id"
                    " where used.integration_id = $1 order by connectors.name, secrets.field",
                    kOfRun),
        {integration, tenant});
    std::vector<RunSecret> secrets;
    std::string names;
    for (const Row& row : rows) {
        Columns c{row};
        RunSecret secret;
        secret.connector_id = c.id<ConnectorId>();
        secret.connector_name = c.text();
        secret.kind = c.text();
        secret.scope = c.maybe_id<TenantId>()
                           ? KeyScope{KeyScope::Kind::tenant, tenant.value}
                           : KeyScope{KeyScope::Kind::integration, integration.value};
        secret.field = c.text();
        secret.version = static_cast<std::uint64_t>(c.integer());
        secret.envelope = c.text();
        if (in_runs && !in_runs(secret.kind, secret.field)) continue;
        names +=
            fmt::format("{}{}.{}", names.empty() ? "" : ", ", secret.connector_name, secret.field);
        secrets.push_back(std::move(secret));
    }
    if (!secrets.empty())
        audit(db, by, "secret.use", fmt::format("run {} tenant {}", run.value, tenant.value),
              names);
    return secrets;
}

Result<std::vector<RunField>> fields_for_run(Db& db, RunId run, const InRuns& in_runs) {
    const auto owner = db.one("select tenant_id, integration_id from runs where id = $1", {run});
    if (!owner) return fail(FailureKind::not_found, "there is no run '{}'", run.value);
    std::vector<RunField> fields;
    for (const Row& row :
         db.query(fmt::format("select connectors.name, connectors.kind, connection_fields.field,"
                              " connection_fields.value{}"
                              " join connection_fields"
                              "  on connection_fields.connection_id = connections.id"
                              " where used.integration_id = $1"
                              " order by connectors.name, connection_fields.field",
                              kOfRun),
                  {owner->integer(1), owner->integer(0)}))
        if (!in_runs || in_runs(row.text(1), row.text(2)))
            fields.push_back({row.text(0), row.text(1), row.text(2), row.text(3)});
    return fields;
}

}  // namespace berth
