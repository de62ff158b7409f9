// How often something may happen for each of many names.
#include "control/public/rate_limit.h"

#include <catch2/catch.hpp>

#include "base/error.h"

using namespace berth;
using namespace std::chrono_literals;

namespace {
const SteadyTime kStart{1000s};

int taken(RateLimit& limit, std::string_view name, SteadyTime now, int tries) {
    int count = 0;
    for (int i = 0; i < tries; ++i)
        count += limit.take(name, now) ? 1 : 0;
    return count;
}
}  // namespace

TEST_CASE("a burst passes, and then as many as come back", "[public]") {
    RateLimit limit{{.per_second = 2, .burst = 10}, 100};
    CHECK(taken(limit, "a", kStart, 50) == 10);
    CHECK(taken(limit, "a", kStart + 3s, 50) == 6);
    CHECK(taken(limit, "a", kStart + 1h, 50) == 10);  // no more than the burst
}

TEST_CASE("one name's haste is not another's", "[public]") {
    RateLimit limit{{.per_second = 1, .burst = 1}, 100};
    CHECK(limit.take("a", kStart));
    CHECK_FALSE(limit.take("a", kStart));
    CHECK(limit.take("b", kStart));
}

TEST_CASE("a clock that stands or goes back gives nothing away", "[public]") {
    RateLimit limit{{.per_second = 10, .burst = 1}, 100};
    CHECK(limit.take("a", kStart));
    CHECK_FALSE(limit.take("a", kStart - 1h));
    CHECK_FALSE(limit.take("a", kStart));
    CHECK(limit.take("a", kStart + 100ms));
}

TEST_CASE("a million names take the memory of a few", "[public]") {
    RateLimit limit{{.per_second = 0, .burst = 1}, 3};
    for (int i = 0; i < 1000; ++i)
        CHECK(limit.take(fmt::format("client {}", i), kStart));
    CHECK(limit.size() == 3);
    CHECK_FALSE(limit.take("client 999", kStart));  // remembered
    CHECK(limit.take("client 0", kStart));          // forgotten: begins anew
}
