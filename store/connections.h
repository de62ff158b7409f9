// What a connection is, since when and why, and what it was before. Its sealed fields are
// in secrets.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/values.h"
#include "store/audit.h"
#include "store/db.h"

namespace berth {

// Whose connection: a tenant's, or with no tenant the integration's global one.
struct ConnectionOwner {
    IntegrationId integration_id;
    std::optional<TenantId> tenant_id{};
};

// The connection's row, made (disconnected) if it was not there: something is about to be
// done with it. not_found when the integration does not use this connector; unprocessable
// when it is global and a tenant asks, or the other way round; conflict for an archived
// tenant.
Result<Connection> open_connection(Db& db, const By& by, const ConnectionOwner& owner,
                                   std::string_view connector);

// not_found when it was never opened.
Result<Connection> get_connection(Db& db, const ConnectionOwner& owner, std::string_view connector);
Result<Connection> get_connection(Db& db, ConnectionId id);
// As open_connection, but looks only: with id 0 when it was never opened.
Result<Connection> look_at_connection(Db& db, const ConnectionOwner& owner,
                                      std::string_view connector);

// A row for each connector of the tenant's integration: its own connections, the
// global ones, and disconnected ones with id 0 for what was never connected.
Result<std::vector<Connection>> connections_of(Db& db, TenantId tenant);

// Goes into its history, also when only the reason is new; what is as it was changes nothing.
Result<Connection> set_connection_status(Db& db, const By& by, ConnectionId id,
                                         ConnectionStatus status, std::string_view reason);

// Deletes a connection's fields, secret or not; disconnecting twice is fine. Its history
// stays.
Result<void> disconnect(Db& db, const By& by, const ConnectionOwner& owner,
                        std::string_view connector, std::string_view reason = {});

// The newest first; of each connection the last limits::kConnectionEvents are kept.
std::vector<ConnectionEvent> connection_history(Db& db, ConnectionId id);

// How many there are; for metrics.
std::map<ConnectionStatus, std::int64_t> count_connections(Db& db);

}  // namespace berth
