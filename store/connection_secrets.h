// The sealed fields of one connection, with those of its provisioning, for a program of
// Berth's own (a token's refresh, a connector call) or for the check of a delivery.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/values.h"
#include "store/audit.h"
#include "store/db.h"
#include "store/keys.h"

namespace berth {

// One sealed field, and what it was sealed under: what the runner needs to open it.
struct ConnectionSecret {
    std::string field;         // as the kind calls it: `access_token`, `client_secret`
    bool provisioned = false;  // of the integration's provisioning, not of the connection
    KeyScope scope{};          // the tenant's, or the integration's
    ConnectorId connector_id{};
    std::string sealed_as;  // `access_token`, `provisioning/client_secret`
    std::uint64_t version = 0;
    std::string envelope;
};

struct ConnectionMaterial {
    Connection connection;  // its kind, its fields that are no secret (`readable`)
    std::map<std::string, std::string> provisioning;  // what is no secret there: `client_id`
    std::vector<ConnectionSecret> secrets;            // by name, the connection's own first
    std::vector<DataKeyRow> data_keys;                // those of `secrets`, each once

    // The data key of a secret of this material.
    const DataKeyRow& key_of(const ConnectionSecret& secret) const;
    // The connection's own goes before the provisioning's; nullptr when neither has it.
    const ConnectionSecret* find_secret(std::string_view field) const;
    // Likewise, of what is no secret; empty when neither has it.
    std::string_view find_readable(std::string_view field) const;
};

// Whatever the connection's status is: the caller looks. Writes the audit's `secret.use` row
// that says what for (`refresh`, `call`), unless there are no secrets. With `only`, no other
// fields than these. not_found when there is no such connection.
Result<ConnectionMaterial> connection_secrets(Db& db, const By& by, ConnectionId connection,
                                              std::string_view purpose,
                                              std::span<const std::string> only = {});

}  // namespace berth
