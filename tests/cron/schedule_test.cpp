// Firings under the rule for clock changes. Berlin in 2026: the clocks go from
// 02:00 to 03:00 on 29 March and from 03:00 to 02:00 on 25 October.
#include "model/schedule.h"

#include "tests/cron/schedules.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;
using Times = std::vector<std::string>;

namespace {

constexpr auto kBeforeGap = "2026-03-27T12:00:00Z";
constexpr auto kBeforeOverlap = "2026-10-23T12:00:00Z";

Times berlin(std::string_view text, ClockRule rule, std::string_view after, std::size_t count) {
    return next_firings(schedule(text, "Europe/Berlin", rule), after, count);
}

}  // namespace

TEST_CASE("a time of day follows the clocks of its zone", "[schedule]") {
    CHECK(berlin("30 9 * * *", {}, kBeforeGap, 3) == Times{"2026-03-28 09:30:00 +01:00",
                                                           "2026-03-29 09:30:00 +02:00",
                                                           "2026-03-30 09:30:00 +02:00"});
}

TEST_CASE("a fixed time in the gap fires when the gap ends", "[schedule]") {
    CHECK(berlin("30 2 * * *", {}, kBeforeGap, 3) == Times{"2026-03-28 02:30:00 +01:00",
                                                           "2026-03-29 03:00:00 +02:00",
                                                           "2026-03-30 02:30:00 +02:00"});
}

TEST_CASE("a fixed time in the gap is left out when the schedule says so", "[schedule]") {
    CHECK(berlin("30 2 * * *", {.gap = GapRule::skip}, kBeforeGap, 2) ==
          Times{"2026-03-28 02:30:00 +01:00", "2026-03-30 02:30:00 +02:00"});
}

TEST_CASE("a fixed time in the gap fires later by its length when the schedule says so",
          "[schedule]") {
    CHECK(berlin("30 2 * * *", {.gap = GapRule::shifted}, kBeforeGap, 3) ==
          Times{"2026-03-28 02:30:00 +01:00", "2026-03-29 03:30:00 +02:00",
                "2026-03-30 02:30:00 +02:00"});
}

TEST_CASE("several times in one gap become one firing at its end", "[schedule]") {
    CHECK(berlin("0,20,40 2 29 3 *", {}, kBeforeGap, 2) ==
          Times{"2026-03-29 03:00:00 +02:00", "2027-03-29 02:00:00 +02:00"});
}

TEST_CASE("a firing that the gap moves onto another one is that one", "[schedule]") {
    const auto made_up = GENERATE(GapRule::at_end, GapRule::shifted);
    const auto fires = schedule("0 2,3 * * *", "Europe/Berlin", {.gap = made_up});
    const auto found = fires.firings(utc("2026-03-28T12:00:00Z"), utc("2026-03-29T12:00:00Z"), 9);
    CHECK(found == std::vector{Firing{utc("2026-03-29T01:00:00Z"), FiringKind::regular}});
}

TEST_CASE("shifted firings and regular ones come in order", "[schedule]") {
    CHECK(berlin("10,50 2,3 29 3 *", {.gap = GapRule::shifted}, kBeforeGap, 3) ==
          Times{"2026-03-29 03:10:00 +02:00", "2026-03-29 03:50:00 +02:00",
                "2027-03-29 02:10:00 +02:00"});
    CHECK(berlin("15 2 * * *", {.gap = GapRule::shifted}, "2026-03-29T01:00:00Z", 1) ==
          Times{"2026-03-29 03:15:00 +02:00"});
    CHECK(berlin("15 2 * * *", {.gap = GapRule::shifted}, "2026-03-29T01:15:00Z", 1) ==
          Times{"2026-03-30 02:15:00 +02:00"});
}

TEST_CASE("a fixed time in the repeated hour fires once, the first time", "[schedule]") {
    CHECK(berlin("30 2 * * *", {}, kBeforeOverlap, 3) == Times{"2026-10-24 02:30:00 +02:00",
                                                               "2026-10-25 02:30:00 +02:00",
                                                               "2026-10-26 02:30:00 +01:00"});
}

TEST_CASE("a fixed time in the repeated hour fires the second time, or both, if told so",
          "[schedule]") {
    CHECK(berlin("30 2 * * *", {.overlap = OverlapRule::second}, kBeforeOverlap, 3) ==
          Times{"2026-10-24 02:30:00 +02:00", "2026-10-25 02:30:00 +01:00",
                "2026-10-26 02:30:00 +01:00"});
    CHECK(berlin("30 2 * * *", {.overlap = OverlapRule::both}, kBeforeOverlap, 4) ==
          Times{"2026-10-24 02:30:00 +02:00", "2026-10-25 02:30:00 +02:00",
                "2026-10-25 02:30:00 +01:00", "2026-10-26 02:30:00 +01:00"});
}

TEST_CASE("what begins with a star follows the clock through gap and overlap", "[schedule]") {
    const auto gap = GENERATE(GapRule::skip, GapRule::at_end, GapRule::shifted);
    const auto overlap = GENERATE(OverlapRule::first, OverlapRule::second, OverlapRule::both);
    const ClockRule rule{gap, overlap};
    CHECK(berlin("*/30 * * * *", rule, "2026-03-29T00:15:00Z", 3) ==
          Times{"2026-03-29 01:30:00 +01:00", "2026-03-29 03:00:00 +02:00",
                "2026-03-29 03:30:00 +02:00"});
    CHECK(berlin("*/30 * * * *", rule, "2026-10-25T00:15:00Z", 4) ==
          Times{"2026-10-25 02:30:00 +02:00", "2026-10-25 02:00:00 +01:00",
                "2026-10-25 02:30:00 +01:00", "2026-10-25 03:00:00 +01:00"});
    CHECK(berlin("0 */2 * * *", rule, "2026-03-28T23:30:00Z", 1) ==
          Times{"2026-03-29 04:00:00 +02:00"});
}

TEST_CASE("each firing says why it is where it is", "[schedule]") {
    const auto kinds = [](const Schedule& schedule, std::string_view after) {
        std::vector<FiringKind> found;
        for (const auto& f : schedule.firings(utc(after), utc("2030-01-01T00:00:00Z"), 3))
            found.push_back(f.kind);
        return found;
    };
    using enum FiringKind;
    CHECK(kinds(schedule("30 2 * * *", "Europe/Berlin"), kBeforeGap) ==
          std::vector{regular, gap_made_up, regular});
    CHECK(kinds(schedule("30 2 * * *", "Europe/Berlin", {.overlap = OverlapRule::both}),
                "2026-10-24T12:00:00Z") == std::vector{regular, repeated, regular});
    CHECK(kinds(schedule("*/30 * * * *", "Europe/Berlin"), "2026-10-25T00:15:00Z") ==
          std::vector{regular, repeated, repeated});
}

TEST_CASE("the rule tells what it left out", "[schedule]") {
    const auto left_out = [](ClockRule rule) {
        return schedule("15,45 2 * * *", "Europe/Berlin", rule)
            .omissions(utc("2026-01-01T00:00:00Z"), utc("2027-01-01T00:00:00Z"), 100);
    };
    using enum Omission::Reason;
    CHECK(left_out({GapRule::at_end, OverlapRule::both}).empty());
    CHECK(left_out({GapRule::skip, OverlapRule::first}) ==
          std::vector{Omission{utc("2026-03-29T01:15:00Z"), gap},
                      Omission{utc("2026-03-29T01:45:00Z"), gap},
                      Omission{utc("2026-10-25T01:15:00Z"), overlap},
                      Omission{utc("2026-10-25T01:45:00Z"), overlap}});
    CHECK(left_out({GapRule::shifted, OverlapRule::second}) ==
          std::vector{Omission{utc("2026-10-25T00:15:00Z"), overlap},
                      Omission{utc("2026-10-25T00:45:00Z"), overlap}});
}

TEST_CASE("a wildcard leaves nothing out", "[schedule]") {
    CHECK(schedule("*/5 2 * * *", "Europe/Berlin", {.gap = GapRule::skip})
              .omissions(utc("2026-01-01T00:00:00Z"), utc("2027-01-01T00:00:00Z"), 100)
              .empty());
}

TEST_CASE("a change of more than three hours is a correction", "[schedule]") {
    // Samoa went over the date line: 2011-12-30 was not there.
    const auto rule = GENERATE(GapRule::skip, GapRule::at_end, GapRule::shifted);
    const auto noon = schedule("0 12 * * *", "Pacific/Apia", {.gap = rule});
    CHECK(next_firings(noon, "2011-12-29T10:30:00Z", 2) ==
          Times{"2011-12-29 12:00:00 -10:00", "2011-12-31 12:00:00 +14:00"});
    CHECK(noon.omissions(utc("2011-12-01T00:00:00Z"), utc("2012-01-02T00:00:00Z"), 9) ==
          std::vector{Omission{utc("2011-12-30T22:00:00Z"), Omission::Reason::gap}});
}

TEST_CASE("clocks that change at midnight lose no day", "[schedule]") {
    // Beirut: 2026-03-29 begins at 01:00.
    CHECK(next_firings(schedule("@daily", "Asia/Beirut"), "2026-03-28T12:00:00Z", 2) ==
          Times{"2026-03-29 01:00:00 +03:00", "2026-03-30 00:00:00 +03:00"});
}

TEST_CASE("a gap of half an hour is half an hour", "[schedule]") {
    // Lord Howe Island: 02:00 to 02:30 on 2026-10-04.
    CHECK(next_firings(schedule("15 2 * * *", "Australia/Lord_Howe"), "2026-10-03T03:00:00Z", 2) ==
          Times{"2026-10-04 02:30:00 +11:00", "2026-10-05 02:15:00 +11:00"});
}

TEST_CASE("a schedule that is always in the gap never fires, and the search ends", "[schedule]") {
    const auto never = schedule("30 2 * 3 SUNL", "Europe/Berlin", {.gap = GapRule::skip});
    CHECK_FALSE(never.next(utc("2026-01-01T00:00:00Z")));
    CHECK(schedule("30 2 * 3 SUNL", "Europe/Berlin").next(utc("2026-01-01T00:00:00Z")));
}

TEST_CASE("a leap day on a given weekday is found over decades", "[schedule]") {
    CHECK(next_firings(schedule("0 0 29 2 */7"), "2026-01-01T00:00:00Z", 2) ==
          Times{"2032-02-29 00:00:00 +00:00", "2060-02-29 00:00:00 +00:00"});
    CHECK(next_firings(schedule("0 0 29 2 */7"), "2088-02-29T00:00:00Z", 1) ==
          Times{"2128-02-29 00:00:00 +00:00"});
}

TEST_CASE("the next firing is strictly after the last one", "[schedule]") {
    const auto hourly = schedule("0 * * * *");
    CHECK(hourly.next(utc("2026-01-01T10:00:00Z"))->at == utc("2026-01-01T11:00:00Z"));
    CHECK(hourly.next(utc("2026-01-01T09:59:59Z"))->at == utc("2026-01-01T10:00:00Z"));
}

TEST_CASE("the shortest interval is told, and no clock change makes it shorter", "[schedule]") {
    const auto shortest = [](std::string_view text) {
        return schedule(text, "Europe/Berlin", {}).shortest_interval();
    };
    CHECK(shortest("* * * * *") == 60s);
    CHECK(shortest("*/7 * * * *") == 4min);  // 56 → 0
    CHECK(shortest("0,50 9-17 * * *") == 10min);
    CHECK(shortest("30 2 * * *") == 24h);
    CHECK(shortest("0 0 L,1 * *") == 24h);
    CHECK(shortest("@every 90m") == 90min);
    CHECK(shortest("@monthly") == 28 * 24h);
    CHECK(shortest("0 0 29 2 *") == 1461 * 24h);
}

TEST_CASE("the ends of time are far away and quiet", "[schedule]") {
    const auto daily = schedule("0 12 * * *", "Europe/Berlin");
    CHECK(daily.next(UtcSeconds::min()));
    CHECK_FALSE(daily.next(UtcSeconds::max()));
    CHECK(daily.omissions(UtcSeconds::min(), UtcSeconds::max(), 3).empty());
    CHECK(schedule("30 2 * * *", "Europe/Berlin")
              .omissions(UtcSeconds::min(), UtcSeconds::max(), 3)
              .size() == 3);
}

TEST_CASE("a refused schedule is quoted with its fault and where that is", "[schedule]") {
    const auto refused = Schedule::parse("61 * * * *", zone("UTC"));
    REQUIRE_FALSE(refused);
    CHECK(refused.error() ==
          Failure{FailureKind::unprocessable,
                  "cannot read schedule '61 * * * *': minute 61 is out of range: write 0 to 59 "
                  "(at character 1)",
                  ""});
}

TEST_CASE("the words of the rule are read back", "[schedule]") {
    for (const auto rule : {GapRule::skip, GapRule::at_end, GapRule::shifted})
        CHECK(parse_gap_rule(to_string(rule)) == rule);
    for (const auto rule : {OverlapRule::first, OverlapRule::second, OverlapRule::both})
        CHECK(parse_overlap_rule(to_string(rule)) == rule);
    CHECK_FALSE(parse_gap_rule("first"));
    CHECK_FALSE(parse_overlap_rule("skip"));
}
