#include "daemon/hook_addresses.h"

#include <algorithm>
#include <utility>

#include "store/connections.h"
#include "store/connectors.h"
#include "store/provisioning.h"
#include "store/tenants.h"

namespace berth {
namespace {

// What the store knows of it.
struct StoredHook {
    std::vector<HookAddress> addresses;
    std::string kind;
    std::vector<std::string> fields;  // sealed ones, of the connection and the provisioning
};

Result<StoredHook> look(Db& db, const WebhookTarget& target, std::vector<HookAddress> addresses) {
    auto connector = get_connector(db, target.connector);
    if (!connector) return pass_on(connector);
    auto tenant = get_tenant(db, target.tenant);
    if (!tenant) return pass_on(tenant);
    StoredHook stored{std::move(addresses), connector->kind, {}};
    for (const IntegrationConnector& used : connectors_of(db, tenant->integration_id)) {
        if (used.name != target.connector) continue;
        const ConnectionOwner owner{tenant->integration_id, used.is_global
                                                                ? std::optional<TenantId>{}
                                                                : std::optional{tenant->id}};
        auto connection = look_at_connection(db, owner, target.connector);
        if (!connection) return pass_on(connection);
        stored.fields = connection->fields;
    }
    auto provisioning = get_provisioning(db, tenant->integration_id, target.connector);
    if (!provisioning) return pass_on(provisioning);
    stored.fields.insert(stored.fields.end(), provisioning->secrets.begin(),
                         provisioning->secrets.end());
    return stored;
}

WebhookAddress shown(const HookAddress& address, const std::string& public_url) {
    const std::string path = "/hooks/" + address.token;
    return {path, public_url.empty() ? "" : public_url + path, address.created, address.ends};
}

// With what the connector's kind says.
Result<WebhookView> view(const FindKind& kinds, const std::string& public_url,
                         const std::string& connector, const StoredHook& stored) {
    const ConnectorKind* kind = kinds(stored.kind);
    if (kind == nullptr || !kind->webhook)
        return fail(FailureKind::unprocessable,
                    "connector '{}' is of the kind '{}', which sends no webhooks", connector,
                    stored.kind);
    if (stored.addresses.empty())
        return fail(FailureKind::not_found,
                    "connector '{}' has no webhook address yet; make one with 'berth webhook "
                    "create', or PUT",
                    connector);
    const WebhookScheme& scheme = *kind->webhook;
    WebhookView shows;
    shows.connector = connector;
    for (const HookAddress& address : stored.addresses)
        shows.addresses.push_back(shown(address, public_url));
    shows.signature_header =
        scheme.signature_header.empty() ? scheme.signature_pointer : scheme.signature_header;
    shows.secret_field = scheme.key_field;
    shows.has_secret = std::ranges::find(stored.fields, scheme.key_field) != stored.fields.end();
    return shows;
}

}  // namespace

void HookAddresses::show_webhook(WebhookTarget target, Done<WebhookView> done) {
    store_.read(
        [target, now = clock_.now()](Db& db) -> Result<StoredHook> {
            auto addresses = list_hooks(db, target.tenant, target.connector, now);
            if (!addresses) return pass_on(addresses);
            return look(db, target, *std::move(addresses));
        },
        [this, connector = target.connector,
         done = std::move(done)](Result<StoredHook> stored) mutable {
            if (!stored) return done(pass_on(stored));
            done(view(kinds_, config_.public_url, connector, *stored));
        });
}

// Of a kind that sends none nothing is made: told before it is committed.
void HookAddresses::change(const WebhookTarget& target, Ask ask, Done<WebhookView> done) {
    store_.write(
        [target, ask = std::move(ask), kinds = kinds_,
         public_url = config_.public_url](Db& db) -> Result<WebhookView> {
            auto addresses = ask(db);
            if (!addresses) return pass_on(addresses);
            auto stored = look(db, target, *std::move(addresses));
            if (!stored) return pass_on(stored);
            return view(kinds, public_url, target.connector, *stored);
        },
        std::move(done));
}

void HookAddresses::open_webhook(Caller who, WebhookTarget target, Done<WebhookView> done) {
    change(
        target,
        [target, by = by(who), token = make_hook_token()](Db& db) {
            return open_hook(db, by, target.tenant, target.connector, token);
        },
        std::move(done));
}

void HookAddresses::rotate_webhook(Caller who, WebhookTarget target, std::chrono::seconds overlap,
                                   Done<WebhookView> done) {
    change(
        target,
        [target, by = by(who), overlap, token = make_hook_token()](Db& db) {
            return rotate_hook(db, by, target.tenant, target.connector, token, overlap);
        },
        std::move(done));
}

void HookAddresses::revoke_webhook(Caller who, WebhookTarget target, Done<void> done) {
    store_.write([target, by = by(who)](
                     Db& db) { return revoke_hooks(db, by, target.tenant, target.connector); },
                 std::move(done));
}

void HookAddresses::webhook_deliveries(WebhookTarget target, std::int64_t limit,
                                       Done<std::vector<HookDelivery>> done) {
    store_.read([target, limit](
                    Db& db) { return list_deliveries(db, target.tenant, target.connector, limit); },
                std::move(done));
}

}  // namespace berth
