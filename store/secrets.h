// Connections and the sealed fields they hold. Writing a secret takes two
// steps, since the version is part of what is sealed: reserve_secrets gives the
// version, the vault seals, set_secrets stores. Nothing here can open an envelope.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/values.h"
#include "store/audit.h"
#include "store/db.h"
#include "store/keys.h"

namespace berth {

// Whose connection: a tenant's, or with no tenant the integration's global one.
struct ConnectionOwner {
    IntegrationId integration_id;
    std::optional<TenantId> tenant_id{};
};

// What must be known before secrets of a connection can be sealed.
struct SecretReservation {
    Connection connection{};    // made, disconnected, if it was not there
    KeyScope scope{};           // whose data key seals it
    std::uint64_t version = 0;  // for every field of this write; never given out again
};

// not_found when the integration does not use this connector; unprocessable when
// it is global and a tenant asks, or the other way round; conflict for an
// archived tenant.
Result<SecretReservation> reserve_secrets(Db& db, const By& by, const ConnectionOwner& owner,
                                          std::string_view connector);

struct SealedField {
    std::string field;
    std::string envelope;
};
// Writes these fields (others stay) and marks the connection connected. conflict
// when a later version of a field has been stored meanwhile.
Result<Connection> set_secrets(Db& db, const By& by, ConnectionId connection, std::uint64_t version,
                               const std::vector<SealedField>& fields);

Result<Connection> get_connection(Db& db, const ConnectionOwner& owner, std::string_view connector);
// A row for each connector of the tenant's integration: its own connections, the
// global ones, and disconnected ones with id 0 for what was never connected.
Result<std::vector<Connection>> connections_of(Db& db, TenantId tenant);
// Deletes the secrets of a tenant's connection; disconnecting twice is fine.
Result<void> disconnect(Db& db, const By& by, const ConnectionOwner& owner,
                        std::string_view connector, std::string_view reason = {});

// One sealed field for a run, with all that names it. The identity to open it
// under comes from the run, not from this row.
struct RunSecret {
    ConnectorId connector_id{};
    std::string connector_name;
    KeyScope scope{};  // the tenant's, or for a global connector the integration's
    std::string field;
    std::uint64_t version = 0;
    std::string envelope;
};
// The tenant's secrets and the global ones of its integration, for this run, and
// the `secret.use` audit row. A write, done before the script may start.
Result<std::vector<RunSecret>> secrets_for_run(Db& db, const By& by, RunId run);

}  // namespace berth
