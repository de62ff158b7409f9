#include "scheduler/pick.h"

#include <catch2/catch.hpp>

using namespace berth;

namespace {

WaitingTenant waiting(std::int64_t tenant, std::int64_t since) {
    return {TenantId{tenant}, IntegrationId{1}, time_from_micros(since), /*held=*/false};
}

}  // namespace

TEST_CASE("who has waited longest starts first", "[scheduler]") {
    const std::vector queue{waiting(1, 30), waiting(2, 10), waiting(3, 20)};
    CHECK(pick_startable(queue, 2) == std::vector{TenantId{2}, TenantId{3}});
}

TEST_CASE("no place, no start", "[scheduler]") {
    const std::vector queue{waiting(1, 30)};
    CHECK(pick_startable(queue, 0).empty());
    CHECK(pick_startable(queue, -3).empty());
}

TEST_CASE("a tenant of a paused integration keeps its place without holding up others",
          "[scheduler]") {
    std::vector queue{waiting(1, 10), waiting(2, 20)};
    queue[0].held = true;
    CHECK(pick_startable(queue, 1) == std::vector{TenantId{2}});
}
