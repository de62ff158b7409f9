// Connections and the sealed fields they hold. Writing a secret takes two
// steps, since the version is part of what is sealed: reserve_secrets gives the
// version, the vault seals, set_secrets stores. Nothing here can open an envelope.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/values.h"
#include "store/audit.h"
#include "store/connections.h"
#include "store/db.h"
#include "store/keys.h"

namespace berth {

// What must be known before secrets of a connection can be sealed.
struct SecretReservation {
    Connection connection{};    // made, disconnected, if it was not there
    KeyScope scope{};           // whose data key seals it
    std::uint64_t version = 0;  // for every field of this write; never given out again
};

// Refusals are those of open_connection().
Result<SecretReservation> reserve_secrets(Db& db, const By& by, const ConnectionOwner& owner,
                                          std::string_view connector);

struct SealedField {
    std::string field;
    std::string envelope;
};
// One write to a connection. Fields that are not named stay.
struct ConnectionWrite {
    std::vector<SealedField> sealed;
    std::map<std::string, std::string> readable{};  // no secrets; an empty text removes one
    // What the connection is from now on; nothing: what it was (a refreshed token).
    std::optional<ConnectionStatus> status = ConnectionStatus::connected;
    std::string reason{};
};
// conflict when a later version of a field has been stored meanwhile.
Result<Connection> set_secrets(Db& db, const By& by, ConnectionId connection, std::uint64_t version,
                               const ConnectionWrite& write);
// These fields, and the connection is connected.
Result<Connection> set_secrets(Db& db, const By& by, ConnectionId connection, std::uint64_t version,
                               const std::vector<SealedField>& fields);

// One sealed field for a run, with all that names it. The identity to open it
// under comes from the run, not from this row.
struct RunSecret {
    ConnectorId connector_id{};
    std::string connector_name;
    std::string kind;
    KeyScope scope{};  // the tenant's, or for a global connector the integration's
    std::string field;
    std::uint64_t version = 0;
    std::string envelope;
};
// Whether runs get this field of a connector of that kind.
using InRuns = std::function<bool(std::string_view kind, std::string_view field)>;

// The tenant's secrets and the global ones of its integration, for this run, and
// the `secret.use` audit row. A write, done before the script may start.
Result<std::vector<RunSecret>> secrets_for_run(Db& db, const By& by, RunId run,
                                               const InRuns& in_runs = {});

// A field of the same connections that is no secret.
struct RunField {
    std::string connector_name;
    std::string kind;
    std::string field;
    std::string value;
};
Result<std::vector<RunField>> fields_for_run(Db& db, RunId run, const InRuns& in_runs = {});

}  // namespace berth
