// Which tenants may start a run now. Pure.
#pragma once

#include <span>
#include <vector>

#include "base/clock.h"
#include "model/ids.h"

namespace berth {

// A tenant that has waiting triggers and no live run.
struct WaitingTenant {
    TenantId tenant;
    IntegrationId integration;
    Time oldest{};      // when its oldest waiting trigger was accepted
    bool held = false;  // its integration is paused: it keeps its place
};

// The tenants whose run begins now, at most `places` of them: those that have
// waited longest first.
std::vector<TenantId> pick_startable(std::span<const WaitingTenant> waiting, int places);

}  // namespace berth
