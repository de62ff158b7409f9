// What the supervisor writes on the command lines of the other daemons: all that they
// may do beyond the plain sandbox, so that a berthd that was taken over cannot ask for
// more than the administrator configured. Pure.
#pragma once

#include <string>
#include <vector>

#include "daemon/config.h"

namespace berth {

// Grants, limits, profile and pool; where it listens and whom it serves is not in it.
std::vector<std::string> launcher_policy(const Config& config);
// What scripts may reach beyond public addresses.
std::vector<std::string> egress_policy(const Config& config);

}  // namespace berth
