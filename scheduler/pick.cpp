#include "scheduler/pick.h"

#include <algorithm>
#include <utility>

namespace berth {

using namespace std::chrono_literals;

std::vector<WaitingTenant> pick_startable(std::span<const WaitingTenant> waiting, Places places) {
    std::vector<WaitingTenant> order{waiting.begin(), waiting.end()};
    std::ranges::stable_sort(order, {}, [](const WaitingTenant& tenant) {
        return std::pair{tenant.virtual_time, tenant.place};
    });
    std::vector<WaitingTenant> picked;
    for (const WaitingTenant& tenant : order) {
        if (std::cmp_greater_equal(picked.size(), places.host)) break;
        if (const auto cap = places.of_integration.find(tenant.integration);
            cap != places.of_integration.end() && cap->second-- <= 0)
            continue;
        picked.push_back(tenant);
    }
    return picked;
}

Rate rate_left(std::int64_t most_per_minute, std::int64_t begun, Time oldest) {
    if (begun < most_per_minute) return {most_per_minute - begun, {}};
    return {0, oldest + 1min};
}

}  // namespace berth
