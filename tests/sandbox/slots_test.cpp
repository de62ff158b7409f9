#include "sandbox/launcher/slots.h"

#include <catch2/catch.hpp>

using berth::launcher::Slots;

TEST_CASE("a slot's uids are not used again before the others were", "[launcher]") {
    Slots slots{1000, 3};
    const auto first = slots.take();
    REQUIRE(first);
    slots.set_pid(*first, 10);
    CHECK(slots.uid_of(*first) == 1000);
    CHECK(slots.reaped(10));
    const auto second = slots.take();
    REQUIRE(second);
    CHECK(slots.uid_of(*second) == 1002);
}

TEST_CASE("a slot is taken until its pid 1 is reaped", "[launcher]") {
    Slots slots{1000, 1};
    slots.set_pid(*slots.take(), 10);
    CHECK_FALSE(slots.take());
    CHECK_FALSE(slots.reaped(11));
    CHECK_FALSE(slots.take());
    CHECK(slots.reaped(10));
    CHECK(slots.take());
}
