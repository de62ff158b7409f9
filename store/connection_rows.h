// Rows of connections, for the store's own files: connections, secrets, provisioning.
#pragma once

#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "store/connections.h"
#include "store/keys.h"
#include "store/sql.h"

namespace berth {

// A row of `connections` is a connection, or what an integration's app is at a provider.
enum class Part { connection, provisioning };
std::string_view to_string(Part part);

inline constexpr std::string_view kSelectConnection =
    "select connections.id, connector_id, connectors.name, connectors.kind, integration_id,"
    " tenant_id, status, reason, last_change from connections"
    " join connectors on connectors.id = connector_id";

Connection read_connection(Db& db, const Row& row);
// Connections only.
std::optional<Row> find_connection(Db& db, const ConnectionOwner& owner, ConnectorId connector);
// The connector's id, when the owner may hold a connection of it.
Result<ConnectorId> check_owner(Db& db, const ConnectionOwner& owner, std::string_view connector);

// Whose data key seals its fields.
KeyScope scope_of(const Connection& connection);
// `tenant 7 connector shop`: in the audit.
std::string object_of(const Connection& connection);

// Who is on the way to a provider by a link of the tenant does not connect it any more.
void end_attempts(Db& db, TenantId tenant);

std::vector<std::string> secret_names(Db& db, ConnectionId id);
std::map<std::string, std::string> read_fields(Db& db, ConnectionId id);
// Others stay. An empty text removes one.
void write_fields(Db& db, ConnectionId id, const std::map<std::string, std::string>& fields);

// The version of this row's next write; never given out again.
std::uint64_t next_version(Db& db, ConnectionId id);
Result<void> check_version(Db& db, ConnectionId id, std::uint64_t version);
// Upserts one field. conflict past a later version, or when the one-time key was used before.
struct SealedField;
Result<void> put_secret(Db& db, const Connection& connection, std::uint64_t version,
                        const SealedField& sealed);

void add_event(Db& db, const By& by, ConnectionId id, ConnectionStatus status,
               std::string_view reason);

}  // namespace berth
