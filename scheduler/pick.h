// Which tenants may start a run now. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "base/clock.h"
#include "model/ids.h"

namespace berth {

// A tenant that has waiting triggers and no live run.
struct WaitingTenant {
    TenantId tenant;
    IntegrationId integration;
    std::int64_t virtual_time = 0;  // its turn (store/shares.h); the lowest goes first
    std::int64_t place = 0;         // among equals: whose oldest trigger came first
};

// How many runs may begin; integrations that are not named have no cap of their own.
struct Places {
    int host = 0;
    std::map<IntegrationId, std::int64_t> of_integration;
};

// The tenants whose turn it is, in order. One whose integration is full keeps its
// turn and lets the others pass.
std::vector<WaitingTenant> pick_startable(std::span<const WaitingTenant> waiting, Places places);

// What is left of a cap of runs begun in any minute: `begun` in the last one, of
// which the oldest at `oldest`.
struct Rate {
    std::int64_t left = 0;
    Time next{};  // when one more is allowed, if none is left
};
Rate rate_left(std::int64_t most_per_minute, std::int64_t begun, Time oldest);

}  // namespace berth
