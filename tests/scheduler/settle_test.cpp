// What becomes of due instants: policies, pauses, clock changes, long absences.
#include "scheduler/settle.h"

#include <catch2/catch.hpp>

using namespace berth;
using namespace std::chrono_literals;

namespace {

const Time kNoon = *parse_rfc3339("2026-11-22T12:00:00Z");

struct Fixture {
    ScheduleSettings settings;
    Due due;
    ZonePtr zone = std::make_shared<const Zone>(Zone::utc());

    Fixture() {
        settings.text = "*/10 * * * *";
        due.settled = kNoon;
        due.fired = kNoon;
    }
    Settled look(Time now) {
        auto schedule = Schedule::parse(settings.text, zone, settings.rule);
        REQUIRE(schedule);
        return settle(*schedule, settings, due, now);
    }
    // Looks, and stands afterwards where the store would.
    Settled go_on(Time now) {
        Settled settled = look(now);
        due.settled = settled.settled;
        due.paused_since = settled.paused_since;
        return settled;
    }
};

std::vector<Time> fired(const std::vector<Slot>& slots) {
    std::vector<Time> times;
    for (const Slot& slot : slots)
        if (slot.outcome == SlotOutcome::fired) times.push_back(slot.nominal);
    return times;
}
std::vector<SlotReason> reasons(const std::vector<Slot>& slots) {
    std::vector<SlotReason> found;
    for (const Slot& slot : slots)
        found.push_back(slot.reason);
    return found;
}

}  // namespace

TEST_CASE_METHOD(Fixture, "an instant fires once it has come, late by what it is late",
                 "[schedule]") {
    auto early = look(kNoon + 9min);
    CHECK(early.slots.empty());
    CHECK(early.nominal == kNoon + 10min);
    CHECK(early.look_at == kNoon + 10min);

    auto at = go_on(kNoon + 10min + 250ms);
    REQUIRE(fired(at.slots) == std::vector{kNoon + 10min});
    CHECK(at.slots[0].late == 250ms);
    CHECK(at.settled == kNoon + 10min);
    CHECK(at.look_at == kNoon + 20min);
    CHECK(look(kNoon + 10min + 500ms).slots.empty());
}

TEST_CASE_METHOD(Fixture, "the next instant comes from the grid, however late the last one was",
                 "[schedule]") {
    const auto settled = look(kNoon + 19min);
    CHECK(settled.look_at == kNoon + 20min);
}

TEST_CASE_METHOD(Fixture, "jitter moves when an instant fires, not which instant it is",
                 "[schedule]") {
    due.jitter = 90s;
    CHECK(look(kNoon + 11min).slots.empty());
    CHECK(look(kNoon + 11min).look_at == kNoon + 11min + 30s);
    const auto settled = look(kNoon + 11min + 31s);
    REQUIRE(fired(settled.slots) == std::vector{kNoon + 10min});
    CHECK(settled.slots[0].late == 1s);
}

TEST_CASE_METHOD(Fixture, "after a downtime the policy decides what is made up", "[schedule]") {
    const Time back = kNoon + 35min;  // 12:10, 12:20 and 12:30 have passed
    settings.missed = MissedPolicy::skip;
    CHECK(fired(look(back).slots).empty());
    CHECK(reasons(look(back).slots) == std::vector(3, SlotReason::downtime));

    settings.missed = MissedPolicy::one;
    CHECK(fired(look(back).slots) == std::vector{kNoon + 30min});
    CHECK(look(back).slots[2].late == 5min);

    settings.missed = MissedPolicy::all;
    CHECK(fired(look(back).slots) == std::vector{kNoon + 10min, kNoon + 20min, kNoon + 30min});
    settings.window = 20min;
    CHECK(fired(look(back).slots) == std::vector{kNoon + 20min, kNoon + 30min});
    settings.window = 1min;
    CHECK(fired(look(back).slots).empty());
    settings.missed = MissedPolicy::one;
    CHECK(fired(look(back).slots).empty());
}

TEST_CASE_METHOD(Fixture, "an instant that fires on time serves for those that were missed",
                 "[schedule]") {
    const auto settled = look(kNoon + 30min + 1s);
    CHECK(fired(settled.slots) == std::vector{kNoon + 30min});
    REQUIRE(settled.slots.size() == 3);
    CHECK(settled.slots[0].reason == SlotReason::downtime);
}

TEST_CASE_METHOD(Fixture, "a pause lets instants pass, and its end applies the policy",
                 "[schedule]") {
    due.paused = true;
    for (int i = 1; i <= 3; ++i) {
        const auto passed = go_on(kNoon + i * 10min);
        CHECK(reasons(passed.slots) == std::vector{SlotReason::pause});
        CHECK(passed.look_at == kNoon + (i + 1) * 10min);
    }
    REQUIRE(due.paused_since);
    due.paused = false;

    SECTION("one: the newest is made up at once") {
        const auto resumed = go_on(kNoon + 33min);
        CHECK(fired(resumed.made_up) == std::vector{kNoon + 30min});
        CHECK(resumed.made_up[0].late == 3min);
        CHECK(resumed.slots.empty());
        CHECK_FALSE(due.paused_since);
        CHECK(look(kNoon + 34min).made_up.empty());
    }
    SECTION("all: each of them") {
        settings.missed = MissedPolicy::all;
        CHECK(fired(look(kNoon + 33min).made_up).size() == 3);
    }
    SECTION("skip: none") {
        settings.missed = MissedPolicy::skip;
        CHECK(look(kNoon + 33min).made_up.empty());
    }
    SECTION("what fires on time serves") {
        const auto resumed = look(kNoon + 40min);
        CHECK(resumed.made_up.empty());
        CHECK(fired(resumed.slots) == std::vector{kNoon + 40min});
    }
    SECTION("a tenant that has never run has missed nothing") {
        due.fired.reset();
        CHECK(look(kNoon + 33min).made_up.empty());
    }
}

TEST_CASE_METHOD(Fixture, "while the last run goes on, skip skips and queue fires", "[schedule]") {
    due.busy = true;
    CHECK(fired(look(kNoon + 10min).slots).size() == 1);
    settings.when_busy = WhenBusy::skip;
    CHECK(reasons(look(kNoon + 10min).slots) == std::vector{SlotReason::overlap});
    due.busy = false;
    CHECK(fired(look(kNoon + 10min).slots).size() == 1);
}

TEST_CASE_METHOD(Fixture, "a year of downtime costs bounded work and fires what the policy says",
                 "[schedule]") {
    settings.text = "* * * * *";
    const Time back = kNoon + 24h * 365;
    SECTION("one") {
        const auto settled = look(back);
        CHECK(fired(settled.slots) == std::vector{back});
        CHECK(settled.slots.size() <= kSlotsAtOnce + 2);
        CHECK(settled.slots.front().nominal == kNoon + 1min);
        const Slot& older = settled.slots[1];
        CHECK(older.nominal == kNoon + 1min + 1us);
        CHECK(older.instants == 0);
        CHECK(older.last < settled.slots[2].nominal);
        CHECK(settled.slots[2].nominal - older.last <= 1min);
        CHECK(settled.settled == back);
    }
    SECTION("all is bounded too") {
        settings.missed = MissedPolicy::all;
        settings.window = 366h * 24;
        CHECK(fired(look(back).slots).size() == kFiringsAtOnce + 1);  // and the one on time
    }
    SECTION("while paused it is one slot and the newest") {
        due.paused = true;
        const auto settled = look(back);
        CHECK(fired(settled.slots).empty());
        CHECK(settled.slots.size() <= kSlotsAtOnce + 2);
    }
}

TEST_CASE_METHOD(Fixture, "a clock that went back fires nothing and looks again from there",
                 "[schedule]") {
    const auto settled = look(kNoon - 1h);
    CHECK(settled.slots.empty());
    CHECK(rewound(due, kNoon - 1h) == kNoon - 1h);
    due.forgotten = kNoon - 30min;
    CHECK(rewound(due, kNoon - 1h) == kNoon - 30min);
    CHECK(rewound(due, kNoon + 1h) == kNoon);
}

TEST_CASE_METHOD(Fixture, "a time that the clocks jump over is in the ledger", "[schedule]") {
    Zones zones;
    zone = *zones.find("Europe/Berlin");
    settings.text = "30 2 * * *";
    settings.rule.gap = GapRule::skip;
    due.settled = due.fired.emplace(*parse_rfc3339("2027-03-27T12:00:00Z"));
    const auto settled = look(*parse_rfc3339("2027-03-29T00:30:00Z"));  // 02:30 in Berlin
    CHECK(reasons(settled.slots) == std::vector{SlotReason::gap, SlotReason::none});
    CHECK(settled.slots[0].nominal == *parse_rfc3339("2027-03-28T01:30:00Z"));
}

TEST_CASE_METHOD(Fixture, "a schedule that never fires again is looked at once a day",
                 "[schedule]") {
    due.paused = true;
    settings.text = "*/10 * * * *";
    CHECK(look(kNoon).look_at == kNoon + 10min);
}
