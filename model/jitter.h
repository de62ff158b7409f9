// Spreads the schedules of many tenants over a window. The delay follows from the
// ids alone: the same after every restart, on every host, for every firing, so the
// distance between firings stays what the schedule says.
#pragma once

#include <chrono>
#include <cstdint>

#include "model/ids.h"

namespace berth {

// In [0, window); 0 for an empty window. `salt` tells apart the schedules of one tenant.
std::chrono::milliseconds jitter(TenantId tenant, std::uint64_t salt,
                                 std::chrono::milliseconds window);

}  // namespace berth
