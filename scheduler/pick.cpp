#include "scheduler/pick.h"

#include <algorithm>

namespace berth {

std::vector<TenantId> pick_startable(std::span<const WaitingTenant> waiting, int places) {
    std::vector<WaitingTenant> order{waiting.begin(), waiting.end()};
    std::ranges::stable_sort(order, {}, &WaitingTenant::oldest);
    std::vector<TenantId> picked;
    for (const WaitingTenant& tenant : order) {
        if (static_cast<int>(picked.size()) >= places) break;
        if (!tenant.held) picked.push_back(tenant.tenant);
    }
    return picked;
}

}  // namespace berth
