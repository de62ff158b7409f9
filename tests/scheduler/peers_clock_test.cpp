// What users of other schedulers complain of, around clocks: an hour late, replayed, missed,
// silent. docs/complaints.md is the list.
#include <catch2/catch.hpp>
#include <set>

#include "model/jitter.h"
#include "tests/scheduler/peers_host.h"

using namespace berth;
using namespace berth::test;

TEST_CASE("a daily job is not one hour late after the clocks have changed", "[peers]") {
    Host host;
    host.move_to("2027-03-26T12:00:00Z");
    host.set("30 9 * * *", [](ScheduleSettings& settings) { settings.zone = "Europe/Berlin"; });
    for (int hour = 0; hour < 4 * 24; ++hour, host.now += 1h)
        host.look();
    std::vector<std::string> at;
    for (const Time time : host.fired())
        at.push_back(to_rfc3339(time).substr(0, 16));
    CHECK(at == std::vector<std::string>{"2027-03-27T08:30", "2027-03-28T07:30", "2027-03-29T07:30",
                                         "2027-03-30T07:30"});
}

TEST_CASE("a clock that jumps replays nothing and silences nothing", "[peers]") {
    const auto jump = GENERATE(-1h, 1h, -24h, 24h);
    INFO(std::chrono::duration_cast<std::chrono::hours>(jump).count());
    Host host;
    host.set("* * * * *", [](ScheduleSettings& settings) { settings.missed = MissedPolicy::skip; });
    host.pass(5min);
    const auto before = host.fired();
    host.now += jump;
    look_at_schedules_ahead(host.db, host.now);
    const Time jumped = host.now;
    host.pass(5min);
    const auto fired = host.fired();
    CHECK(std::set<Time>(fired.begin(), fired.end()).size() == fired.size());
    std::size_t since = 0;
    for (const Time time : fired)
        if (time > jumped - 31s) ++since;
    if (jump > 0h) CHECK(since >= 5);  // it goes on by the new clock
    CHECK(fired.size() >= before.size());
    host.pass(std::chrono::duration_cast<std::chrono::seconds>(std::max(-jump, 0h)) + 5min);
    CHECK(host.fired().size() > before.size());
}

TEST_CASE("what was missed is decided by one policy, whatever it was missed by", "[peers]") {
    struct Case {
        MissedPolicy policy;
        std::size_t made_up;
    };
    const auto [policy, made_up] = GENERATE(
        values<Case>({{MissedPolicy::skip, 0}, {MissedPolicy::one, 1}, {MissedPolicy::all, 3}}));
    const std::string by = GENERATE("downtime", "pause", "pause of the integration");
    INFO(to_string(policy) << " after a " << by);
    Host host;
    host.set("0 * * * *",
             [policy = policy](ScheduleSettings& settings) { settings.missed = policy; });
    host.pass(61min);
    REQUIRE(host.fired().size() == 1);
    if (by == "downtime") {
        host.down(3h);
    } else {
        by == "pause" ? host.pause(true) : host.pause_integration(true);
        for (int minute = 0; minute < 3 * 60; ++minute, host.now += 1min)
            host.look();
        CHECK(host.fired().size() == 1);
        by == "pause" ? host.pause(false) : host.pause_integration(false);
    }
    host.look();
    CHECK(host.fired().size() == 1 + made_up);
    host.pass(59min);
    CHECK(host.fired().size() == 2 + made_up);  // and then it goes on as ever
}

TEST_CASE("whoever wants the other rule at a clock change sets it on the schedule", "[peers]") {
    struct Case {
        GapRule gap;
        OverlapRule overlap;
        std::size_t spring, autumn;
    };
    const auto [gap, overlap, spring, autumn] =
        GENERATE(values<Case>({{GapRule::skip, OverlapRule::first, 0, 1},
                               {GapRule::at_end, OverlapRule::second, 1, 1},
                               {GapRule::shifted, OverlapRule::both, 1, 2}}));
    const auto fires = [gap = gap, overlap = overlap](std::string_view night) {
        Host host;
        host.move_to(night);
        host.set("30 2 * * *", [&](ScheduleSettings& settings) {
            settings.zone = "Europe/Berlin";
            settings.rule = {gap, overlap};
        });
        for (int minute = 0; minute < 6 * 60; ++minute, host.now += 1min)
            host.look();
        return host.fired().size();
    };
    CHECK(fires("2027-03-27T23:00:00Z") == spring);
    CHECK(fires("2027-10-30T22:00:00Z") == autumn);
}

TEST_CASE("a schedule of each minute is not silent in the repeated hour", "[peers]") {
    Host host;
    host.move_to("2027-10-30T23:30:00Z");
    host.set("* * * * *", [](ScheduleSettings& settings) { settings.zone = "Europe/Berlin"; });
    for (int minute = 0; minute <= 180; ++minute, host.now += 1min)
        host.look();
    CHECK(host.fired().size() == 180);
}

TEST_CASE("a random delay is not drawn again at a restart, so it cannot be put off for ever",
          "[peers]") {
    Host host;
    host.set("0 12 * * *", [](ScheduleSettings& settings) { settings.jitter = 30min; });
    host.look();
    const auto fire = host.schedule().fire;
    const auto delay = jitter(host.acme.id, 0, 30min);
    REQUIRE(delay > 1s);
    // A restart each minute, right into the time in which it would be drawn again.
    for (host.move_to("2027-01-15T12:00:00Z"); host.now < *fire; host.now += 1min) {
        ScheduleTexts fresh;
        CHECK(look_at_schedules(host.db, fresh, host.now, 500).fired == 0);
        CHECK(host.schedule().fire == fire);
    }
    host.look();
    REQUIRE(host.fired().size() == 1);
    CHECK(host.fired()[0] + delay == *fire);
}
