// Whose run begins now: turns, caps, rates.
#include "scheduler/pick.h"

#include <catch2/catch.hpp>

using namespace berth;
using namespace std::chrono_literals;

namespace {

constexpr IntegrationId kShop{1}, kMail{2};

WaitingTenant waiting(std::int64_t tenant, IntegrationId integration, std::int64_t virtual_time,
                      std::int64_t place = 0) {
    return {TenantId{tenant}, integration, virtual_time, place};
}

std::vector<std::int64_t> ids(const std::vector<WaitingTenant>& tenants) {
    std::vector<std::int64_t> found;
    for (const WaitingTenant& tenant : tenants)
        found.push_back(tenant.tenant.value);
    return found;
}

}  // namespace

TEST_CASE("the lowest virtual time goes first, then whose trigger came first", "[scheduler]") {
    const std::vector all{waiting(1, kShop, 50), waiting(2, kShop, 20, 9),
                          waiting(3, kMail, 20, 4)};
    CHECK(ids(pick_startable(all, {10, {}})) == std::vector<std::int64_t>{3, 2, 1});
    CHECK(ids(pick_startable(all, {2, {}})) == std::vector<std::int64_t>{3, 2});
    CHECK(pick_startable(all, {0, {}}).empty());
}

TEST_CASE("tenants of a full integration let the others pass", "[scheduler]") {
    const std::vector all{waiting(1, kShop, 1), waiting(2, kShop, 2), waiting(3, kShop, 3),
                          waiting(4, kMail, 4)};
    CHECK(ids(pick_startable(all, {2, {{kShop, 1}}})) == std::vector<std::int64_t>{1, 4});
    CHECK(ids(pick_startable(all, {4, {{kShop, 0}}})) == std::vector<std::int64_t>{4});
    CHECK(ids(pick_startable(all, {4, {{kShop, -2}}})) == std::vector<std::int64_t>{4});
}

TEST_CASE("a rate says how many are left and when there is room", "[scheduler]") {
    const Time oldest = time_from_micros(1'000'000);
    CHECK(rate_left(5, 3, oldest).left == 2);
    const Rate full = rate_left(5, 5, oldest);
    CHECK(full.left == 0);
    CHECK(full.next == oldest + 60s);
}
