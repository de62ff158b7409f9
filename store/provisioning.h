// What an integration's app is at a provider: client id and secret, scopes, base URL,
// webhook topics. Of an integration and a connector, whoever connects later. Its secrets are
// written in two steps as a connection's are (secrets.h), under the integration's data key.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/values.h"
#include "store/audit.h"
#include "store/db.h"
#include "store/secrets.h"

namespace berth {

// A field of a provisioning is sealed under a name that no connection's field can have, so
// that neither opens as the other: `provisioning/client_secret`.
std::string provisioned_name(std::string_view field);
// `client_secret`; any other name is itself.
std::string plain_name(std::string_view sealed_as);

// not_found when the integration does not use the connector; id 0 and empty when nothing
// was provisioned yet.
Result<Provisioning> get_provisioning(Db& db, IntegrationId integration,
                                      std::string_view connector);

// The reservation's connection is the provisioning's row: for set_provisioning only.
Result<SecretReservation> reserve_provisioning(Db& db, const By& by, IntegrationId integration,
                                               std::string_view connector);
// Others stay; names of sealed fields are provisioned_name()s.
Result<Provisioning> set_provisioning(Db& db, const By& by, ConnectionId row, std::uint64_t version,
                                      const std::vector<SealedField>& sealed,
                                      const std::map<std::string, std::string>& readable);
// All of it; twice is fine.
Result<Provisioning> delete_provisioning(Db& db, const By& by, IntegrationId integration,
                                         std::string_view connector);

}  // namespace berth
