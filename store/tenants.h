// Tenants: an integration as one customer has installed it, with its settings
// and its metadata.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/values.h"
#include "store/audit.h"
#include "store/db.h"

namespace berth {

// id, created and modified are set here. conflict at `name` when another tenant
// of the integration that is not archived has it.
Result<Tenant> create_tenant(Db& db, const By& by, const Tenant& wanted);
Result<Tenant> get_tenant(Db& db, TenantId id);

struct TenantFilter {
    std::optional<IntegrationId> integration_id{};
    std::optional<std::string> user_name{};
    bool archived = false;
};
// Sorted by id, name, user_name, created_date or modified_date.
Result<std::vector<Tenant>> list_tenants(Db& db, const TenantFilter& filter, const Page& page);
// The tenant of this customer's user, for syncs by user name; conflict when there
// is more than one.
Result<Tenant> find_tenant_of_user(Db& db, IntegrationId integration, std::string_view user_name);

// Writes all but id, integration_id, dynamic_configs, created and modified.
Result<Tenant> update_tenant(Db& db, const By& by, const Tenant& changed);
// Archived tenants keep their rows and their secrets; they start no run.
Result<Tenant> archive_tenant(Db& db, const By& by, TenantId id);
// What the script of an init run printed; {"property": [options ...]}.
Result<void> set_dynamic_configs(Db& db, const By& by, TenantId id, std::string_view json);

struct TenantMetadata {
    TenantId tenant_id{};
    std::string data = "{}";  // JSON object
    std::optional<Time> created{};
    std::optional<Time> modified{};
};
Result<TenantMetadata> get_metadata(Db& db, TenantId id);
Result<TenantMetadata> replace_metadata(Db& db, const By& by, TenantId id, std::string_view json);
// Keys of `patch` (a JSON object) replace those of the same name; others stay.
// over_limit past limits::kMetadataBytes.
Result<TenantMetadata> merge_metadata(Db& db, const By& by, TenantId id, std::string_view patch);

// How many triggers wait for a run of this tenant.
std::int64_t waiting_triggers(Db& db, TenantId id);

}  // namespace berth
