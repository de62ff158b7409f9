// Integrations: what a company offers to its customers.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/values.h"
#include "store/audit.h"
#include "store/db.h"

namespace berth {

// Lower-case letters, digits and inner '-', at most limits::kNameBytes; the
// failure belongs to `field`.
Result<void> check_slug(std::string_view field, std::string_view name);

// id, created and modified are set here; `connectors` are attached, each made if
// it is not there yet. conflict at `name` when the name is taken.
Result<Integration> create_integration(Db& db, const By& by, const Integration& wanted);

Result<Integration> get_integration(Db& db, IntegrationId id);
Result<Integration> get_integration_by_name(Db& db, std::string_view name);

// Sorted by id, name, long_name, created_date or modified_date.
Result<std::vector<Integration>> list_integrations(Db& db, bool archived, const Page& page);

// Writes all but id, created, modified and connectors (those: attach_connector).
Result<Integration> update_integration(Db& db, const By& by, const Integration& changed);

}  // namespace berth
