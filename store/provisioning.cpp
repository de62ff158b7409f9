#include "store/provisioning.h"

#include "store/connection_rows.h"
#include "store/connectors.h"

namespace berth {
namespace {

constexpr std::string_view kPrefix = "provisioning/";
constexpr std::string_view kStatus = "provisioned";  // no ConnectionStatus

struct Used {
    Connector connector;
    bool is_global = false;
};

Result<Used> find_used(Db& db, IntegrationId integration, std::string_view connector) {
    for (const IntegrationConnector& used : connectors_of(db, integration)) {
        if (used.name != connector) continue;
        auto known = get_connector(db, connector);
        if (!known) return pass_on(known);
        return Used{std::move(*known), used.is_global};
    }
    return fail(FailureKind::not_found, "integration '{}' does not use connector '{}'",
                integration.value, printable(connector));
}

std::string object_of(IntegrationId integration, std::string_view connector) {
    return fmt::format("integration {} connector {}", integration.value, connector);
}

}  // namespace

std::string provisioned_name(std::string_view field) { return fmt::format("{}{}", kPrefix, field); }

std::string plain_name(std::string_view sealed_as) {
    if (sealed_as.starts_with(kPrefix)) sealed_as.remove_prefix(kPrefix.size());
    return std::string{sealed_as};
}

Result<Provisioning> get_provisioning(Db& db, IntegrationId integration,
                                      std::string_view connector) {
    auto used = find_used(db, integration, connector);
    if (!used) return pass_on(used);
    Provisioning provisioning;
    provisioning.integration_id = integration;
    provisioning.connector_id = used->connector.id;
    provisioning.connector_name = used->connector.name;
    provisioning.kind = used->connector.kind;
    provisioning.is_global = used->is_global;
    const auto row = db.one(
        "select id, last_change from connections where integration_id = $1"
        " and connector_id = $2 and tenant_id is null and part = 'provisioning'",
        {integration, used->connector.id});
    if (!row) return provisioning;
    Columns c{*row};
    provisioning.id = c.id<ConnectionId>();
    provisioning.last_change = c.time();
    provisioning.readable = read_fields(db, provisioning.id);
    for (const std::string& name : secret_names(db, provisioning.id))
        provisioning.secrets.push_back(plain_name(name));
    return provisioning;
}

Result<SecretReservation> reserve_provisioning(Db& db, const By& by, IntegrationId integration,
                                               std::string_view connector) {
    auto used = find_used(db, integration, connector);
    if (!used) return pass_on(used);
    db.exec(
        "insert into connections (connector_id, integration_id, tenant_id, status, reason,"
        " last_version, last_change, part) values ($1, $2, null, $3, '', 0, $4, 'provisioning')"
        " on conflict do nothing",
        {used->connector.id, integration, kStatus, by.now});
    const auto provisioning = get_provisioning(db, integration, connector);
    SecretReservation reservation;
    reservation.connection.id = provisioning->id;
    reservation.connection.connector_id = used->connector.id;
    reservation.connection.connector_name = used->connector.name;
    reservation.connection.kind = used->connector.kind;
    reservation.connection.integration_id = integration;
    reservation.scope = {KeyScope::Kind::integration, integration.value};
    reservation.version = next_version(db, provisioning->id);
    return reservation;
}

Result<Provisioning> set_provisioning(Db& db, const By& by, ConnectionId id, std::uint64_t version,
                                      const std::vector<SealedField>& sealed,
                                      const std::map<std::string, std::string>& readable) {
    const auto row = db.one(
        "select integration_id, connector_id, connectors.name from connections"
        " join connectors on connectors.id = connector_id"
        " where connections.id = $1 and part = 'provisioning'",
        {id});
    if (!row) return fail(FailureKind::not_found, "there is no provisioning '{}'", id.value);
    if (auto ok = check_version(db, id, version); !ok) return pass_on(ok);
    Connection holder;
    holder.id = id;
    holder.integration_id = IntegrationId{row->integer(0)};
    holder.connector_id = ConnectorId{row->integer(1)};
    holder.connector_name = row->text(2);
    std::string names;
    const auto add_name = [&](std::string_view name) {
        names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
    };
    for (const SealedField& field : sealed) {
        if (!field.field.starts_with(kPrefix))
            return fail(FailureKind::invalid, "'{}' is no sealed field of a provisioning",
                        printable(field.field));
        if (auto ok = put_secret(db, holder, version, field); !ok) return pass_on(ok);
        add_name(plain_name(field.field));
    }
    write_fields(db, id, readable);
    for (const auto& [name, value] : readable)
        add_name(name);
    db.exec("update connections set last_change = $2 where id = $1", {id, by.now});
    audit(db, by, "provisioning.set", object_of(holder.integration_id, holder.connector_name),
          fmt::format("fields {} version {}", names, version));
    return get_provisioning(db, holder.integration_id, holder.connector_name);
}

Result<Provisioning> delete_provisioning(Db& db, const By& by, IntegrationId integration,
                                         std::string_view connector) {
    auto provisioning = get_provisioning(db, integration, connector);
    if (!provisioning) return provisioning;
    if (provisioning->readable.empty() && provisioning->secrets.empty()) return provisioning;
    // The row stays: its versions are never given out again.
    db.exec("delete from secrets where connection_id = $1", {provisioning->id});
    db.exec("delete from connection_fields where connection_id = $1", {provisioning->id});
    db.exec("update connections set last_change = $2 where id = $1", {provisioning->id, by.now});
    audit(db, by, "provisioning.delete", object_of(integration, connector));
    return get_provisioning(db, integration, connector);
}

}  // namespace berth
