// The addresses that providers deliver to, and a record of what came. An address belongs to
// a tenant's connector, whether or not it is connected; it ends with the connector's
// attachment, or with the tenant.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/values.h"
#include "model/webhooks.h"
#include "store/audit.h"
#include "store/connections.h"
#include "store/db.h"

namespace berth {

struct HookAddress {
    std::string token;
    Time created{};
    std::optional<Time> ends;  // it was replaced, and serves until then
};

// A token that nobody guesses: 192 random bits.
std::string make_hook_token();

// Those of a tenant's connector that serve, the newest first. not_found when there is no
// such tenant, or its integration does not use the connector.
Result<std::vector<HookAddress>> list_hooks(Db& db, TenantId tenant, std::string_view connector,
                                            Time now);
// Makes the first one; what there is stays.
Result<std::vector<HookAddress>> open_hook(Db& db, const By& by, TenantId tenant,
                                           std::string_view connector, std::string_view token);
// A new one; those before it serve so much longer. Archived tenants have none (conflict).
Result<std::vector<HookAddress>> rotate_hook(Db& db, const By& by, TenantId tenant,
                                             std::string_view connector, std::string_view token,
                                             std::chrono::seconds overlap);
// All of them, at once; twice is fine.
Result<void> revoke_hooks(Db& db, const By& by, TenantId tenant, std::string_view connector);

// Whose address it is.
struct HookOwner {
    TenantId tenant_id{};
    IntegrationId integration_id{};
    ConnectorId connector_id{};
    std::string connector_name;
    std::string kind;
    bool is_global = false;  // the connector: its secrets are the integration's
};
// Nothing for a token that was never given out, was revoked or has ended, and for archived
// tenants and integrations. Looked up by its hash, so that how long it takes tells nothing.
std::optional<HookOwner> find_hook(Db& db, std::string_view token, Time now);

// Whose connection has the secrets: the tenant's, or the integration's.
ConnectionOwner connection_owner(const HookOwner& owner);
// Another text whenever a secret that the connection's owner or its integration has was
// changed; empty while it is not connected.
Result<std::string> hook_stamp(Db& db, const HookOwner& owner);

// Adds it to the record; of a tenant's connector the last limits::kWebhookDeliveries stay.
// Its number is given here.
void record_delivery(Db& db, TenantId tenant, ConnectorId connector, const HookDelivery& delivery);
// The newest first.
Result<std::vector<HookDelivery>> list_deliveries(Db& db, TenantId tenant,
                                                  std::string_view connector, std::int64_t limit);

}  // namespace berth
