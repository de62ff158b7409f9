// How a field of a connector is called in the environment of a run (contract 3.2).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace berth {

// PAN_SEC_HUBSPOT-OAUTH_ACCESS_TOKEN and PAN_SEC_HUBSPOT_OAUTH_ACCESS_TOKEN: the connector's
// hyphens as they are, and as underscores; both are relied on.
std::vector<std::string> secret_env_names(std::string_view connector, std::string_view field);

}  // namespace berth
