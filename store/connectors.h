// Connectors, and which integration uses which.
#pragma once

#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/values.h"
#include "store/audit.h"
#include "store/db.h"

namespace berth {

Result<Connector> create_connector(Db& db, const By& by, std::string_view name,
                                   std::string_view kind);
Result<Connector> get_connector(Db& db, std::string_view name);
// Sorted by id, name or created_date.
Result<std::vector<Connector>> list_connectors(Db& db, const Page& page);

// Attaches the connector, or changes whether it is global. conflict when there
// are secrets under the other setting.
Result<void> attach_connector(Db& db, const By& by, IntegrationId integration,
                              const IntegrationConnector& connector);
std::vector<IntegrationConnector> connectors_of(Db& db, IntegrationId integration);

}  // namespace berth
