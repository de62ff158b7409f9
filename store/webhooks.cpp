#include "store/webhooks.h"

#include <algorithm>

#include "base/crypto.h"
#include "base/text.h"
#include "model/limits.h"
#include "store/connection_rows.h"
#include "store/connectors.h"
#include "store/manifests.h"
#include "store/provisioning.h"
#include "store/sql.h"
#include "store/tenants.h"

namespace berth {
namespace {

std::string hash_of(std::string_view token) { return to_hex(sha256(token)); }

std::string object_of(TenantId tenant, std::string_view connector) {
    return fmt::format("tenant {} connector {}", tenant.value, connector);
}

Result<ConnectorId> used_connector(Db& db, const Tenant& tenant, std::string_view connector) {
    const auto used = connectors_of(db, tenant.integration_id);
    if (std::ranges::find(used, connector, &IntegrationConnector::name) == used.end())
        return fail(FailureKind::not_found, "the integration of tenant '{}' uses no connector '{}'",
                    tenant.name, printable(connector, limits::kNameBytes));
    auto known = get_connector(db, connector);
    if (!known) return pass_on(known);
    return known->id;
}

// What is to be changed: not of an archived tenant.
Result<ConnectorId> changeable(Db& db, TenantId id, std::string_view connector) {
    auto tenant = get_tenant(db, id);
    if (!tenant) return pass_on(tenant);
    if (tenant->archived)
        return fail(FailureKind::conflict, "tenant '{}' is archived; restore it first",
                    tenant->name);
    return used_connector(db, *tenant, connector);
}

std::vector<HookAddress> addresses(Db& db, TenantId tenant, ConnectorId connector, Time now) {
    return read_rows(
        db.query("select token, created, ends from webhook_endpoints where tenant_id = $1"
                 " and connector_id = $2 and (ends is null or ends > $3) order by id desc",
                 {tenant, connector, now}),
        [](const Row& row) {
            Columns c{row};
            HookAddress address;
            address.token = c.text();
            address.created = c.time();
            address.ends = c.maybe_time();
            return address;
        });
}

void add(Db& db, const By& by, TenantId tenant, ConnectorId connector, std::string_view token) {
    db.exec(
        "insert into webhook_endpoints (tenant_id, connector_id, token, token_hash, created)"
        " values ($1, $2, $3, $4, $5)",
        {tenant, connector, token, hash_of(token), by.now});
}

}  // namespace

std::string make_hook_token() { return to_hex(random_bytes(24)); }

Result<std::vector<HookAddress>> list_hooks(Db& db, TenantId id, std::string_view connector,
                                            Time now) {
    auto tenant = get_tenant(db, id);
    if (!tenant) return pass_on(tenant);
    auto known = used_connector(db, *tenant, connector);
    if (!known) return pass_on(known);
    return addresses(db, id, *known, now);
}

Result<std::vector<HookAddress>> open_hook(Db& db, const By& by, TenantId tenant,
                                           std::string_view connector, std::string_view token) {
    auto known = changeable(db, tenant, connector);
    if (!known) return pass_on(known);
    auto there = addresses(db, tenant, *known, by.now);
    if (!there.empty() && !there.front().ends) return there;
    add(db, by, tenant, *known, token);
    audit(db, by, "webhook.create", object_of(tenant, connector));
    return addresses(db, tenant, *known, by.now);
}

Result<std::vector<HookAddress>> rotate_hook(Db& db, const By& by, TenantId tenant,
                                             std::string_view connector, std::string_view token,
                                             std::chrono::seconds overlap) {
    auto known = changeable(db, tenant, connector);
    if (!known) return pass_on(known);
    // Those that end sooner do so; what ended long ago goes.
    db.exec(
        "delete from webhook_endpoints where tenant_id = $1 and connector_id = $2 and ends <= $3",
        {tenant, *known, by.now});
    db.exec(
        "update webhook_endpoints set ends = $3 where tenant_id = $1 and connector_id = $2"
        " and (ends is null or ends > $3)",
        {tenant, *known, by.now + overlap});
    add(db, by, tenant, *known, token);
    audit(db, by, "webhook.rotate", object_of(tenant, connector),
          fmt::format("the one before serves {} s longer", overlap.count()));
    return addresses(db, tenant, *known, by.now);
}

Result<void> revoke_hooks(Db& db, const By& by, TenantId id, std::string_view connector) {
    auto tenant = get_tenant(db, id);
    if (!tenant) return pass_on(tenant);
    auto known = used_connector(db, *tenant, connector);
    if (!known) return pass_on(known);
    if (db.exec("delete from webhook_endpoints where tenant_id = $1 and connector_id = $2",
                {id, *known}) > 0)
        audit(db, by, "webhook.revoke", object_of(id, connector));
    return {};
}

std::optional<HookOwner> find_hook(Db& db, std::string_view token, Time now) {
    const auto row = db.one(
        "select webhook_endpoints.tenant_id, tenants.integration_id, connectors.id,"
        " connectors.name, connectors.kind, integration_connectors.is_global"
        " from webhook_endpoints"
        " join tenants on tenants.id = webhook_endpoints.tenant_id"
        " join integrations on integrations.id = tenants.integration_id"
        " join connectors on connectors.id = webhook_endpoints.connector_id"
        " join integration_connectors"
        " on integration_connectors.integration_id = tenants.integration_id"
        " and integration_connectors.connector_id = webhook_endpoints.connector_id"
        " where token_hash = $1 and (ends is null or ends > $2)"
        " and tenants.archived = 0 and integrations.archived = 0",
        {hash_of(token), now});
    if (!row) return {};
    Columns c{*row};
    HookOwner owner;
    owner.tenant_id = c.id<TenantId>();
    owner.integration_id = c.id<IntegrationId>();
    owner.connector_id = c.id<ConnectorId>();
    owner.connector_name = c.text();
    owner.kind = c.text();
    owner.is_global = c.flag();
    return owner;
}

ConnectionOwner connection_owner(const HookOwner& owner) {
    if (owner.is_global) return {owner.integration_id, {}};
    return {owner.integration_id, owner.tenant_id};
}

Result<std::string> hook_stamp(Db& db, const HookOwner& owner) {
    auto connection = look_at_connection(db, connection_owner(owner), owner.connector_name);
    if (!connection) return pass_on(connection);
    if (connection->status != ConnectionStatus::connected &&
        connection->status != ConnectionStatus::failed_refresh)
        return std::string{};
    auto provisioning = get_provisioning(db, owner.integration_id, owner.connector_name);
    if (!provisioning) return pass_on(provisioning);
    const Row row = db.must(
        "select count(*), coalesce(max(version), 0) from secrets where connection_id = $1"
        " or connection_id = $2",
        {connection->id, provisioning->id});
    const auto changes = get_manifest(db, scope_of(*connection)).counter +
                         get_manifest(db, {KeyScope::Kind::integration, owner.integration_id.value})
                             .counter;  // neither ever goes back
    return fmt::format("{} {} {} {} {}", connection->id.value, provisioning->id.value,
                       row.integer(0), row.integer(1), changes);
}

void record_delivery(Db& db, TenantId tenant, ConnectorId connector, const HookDelivery& delivery) {
    const auto number =
        db.must(
              "insert into webhook_rings (tenant_id, connector_id, written) values ($1, $2, 1)"
              " on conflict (tenant_id, connector_id) do update"
              " set written = webhook_rings.written + 1 returning written",
              {tenant, connector})
            .integer(0);
    const auto slot = number % static_cast<std::int64_t>(limits::kWebhookDeliveries);
    db.exec(
        "insert into webhook_deliveries (tenant_id, connector_id, slot, number, time, outcome,"
        " reason, delivery_id, event, client, bytes, trigger_id)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
        " on conflict (tenant_id, connector_id, slot) do update set number = excluded.number,"
        " time = excluded.time, outcome = excluded.outcome, reason = excluded.reason,"
        " delivery_id = excluded.delivery_id, event = excluded.event, client = excluded.client,"
        " bytes = excluded.bytes, trigger_id = excluded.trigger_id",
        {tenant, connector, slot, number, delivery.time, to_string(delivery.outcome),
         delivery.reason, delivery.delivery_id, delivery.event, delivery.client, delivery.bytes,
         delivery.trigger_id});
}

Result<std::vector<HookDelivery>> list_deliveries(Db& db, TenantId id, std::string_view connector,
                                                  std::int64_t limit) {
    auto tenant = get_tenant(db, id);
    if (!tenant) return pass_on(tenant);
    auto known = used_connector(db, *tenant, connector);
    if (!known) return pass_on(known);
    return read_rows(
        db.query("select number, time, outcome, reason, delivery_id, event, client, bytes,"
                 " trigger_id from webhook_deliveries where tenant_id = $1 and connector_id = $2"
                 " order by number desc limit $3",
                 {id, *known, limit}),
        [](const Row& row) {
            Columns c{row};
            HookDelivery delivery;
            delivery.number = c.integer();
            delivery.time = c.time();
            delivery.outcome = c.word(parse_hook_outcome);
            delivery.reason = c.text();
            delivery.delivery_id = c.text();
            delivery.event = c.text();
            delivery.client = c.text();
            delivery.bytes = c.bytes();
            delivery.trigger_id =
                c.maybe([](Columns& columns) { return TriggerId{columns.text()}; });
            return delivery;
        });
}

}  // namespace berth
