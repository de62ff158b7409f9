// Simple intervals, durations and jitter.
#include "model/interval.h"

#include <set>

#include "model/jitter.h"
#include "tests/cron/schedules.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;
using Times = std::vector<std::string>;

TEST_CASE("intervals are written in several ways", "[interval]") {
    struct Case {
        const char* text;
        std::chrono::seconds step;
    };
    const auto c = GENERATE(
        Case{"@every 90s", 90s}, Case{"@every 1h30m", 90min}, Case{"@every 15m", 15min},
        Case{"every 15 minutes", 15min}, Case{"Every  15  Minute", 15min}, Case{"every hour", 1h},
        Case{"every 2 hours", 2h}, Case{"every day", 24h}, Case{"every 2 weeks", 24h * 14},
        Case{"every 1d12h", 36h}, Case{"@EVERY 90m", 90min}, Case{"@every 366d", 24h * 366});
    const auto parsed = parse_pattern(c.text, Seconds::refused);
    INFO(c.text);
    REQUIRE(parsed);
    CHECK(std::get<Interval>(*parsed).step == c.step);
}

TEST_CASE("an interval below a minute needs seconds", "[interval]") {
    const auto refused = parse_pattern("@every 30s", Seconds::refused);
    REQUIRE_FALSE(refused);
    CHECK(refused.error() == TextError{7, 3, "an interval has at least one minute here"});
    CHECK(parse_pattern("@every 30s", Seconds::allowed));
    CHECK_FALSE(parse_pattern("@every 0s", Seconds::allowed));
}

TEST_CASE("a wrong interval is pointed at", "[interval]") {
    struct Case {
        const char* text;
        TextError error;
    };
    const auto c =
        GENERATE(Case{"every", {5, 0, "a length is missing: write 'every 15 minutes'"}},
                 Case{"every 15",
                      {8, 0,
                       "a unit is missing here: write 'seconds', 'minutes', 'hours', 'days' or "
                       "'weeks'"}},
                 Case{"every 15 parsecs",
                      {9, 7,
                       "a unit is missing here: write 'seconds', 'minutes', 'hours', "
                       "'days' or 'weeks'"}},
                 Case{"every monday",
                      {6, 6,
                       "'monday' is not a length: write 'every 15 minutes' or 'every "
                       "hour'"}},
                 Case{"@every 15x",
                      {9, 1,
                       "a unit is missing here: write 's', 'm', 'h', 'd' or 'w', as in "
                       "'15m'"}},
                 Case{"@every 1h30",
                      {11, 0,
                       "a unit is missing here: write 's', 'm', 'h', 'd' or 'w', as in "
                       "'15m'"}},
                 Case{"@every 1hx",
                      {9, 1,
                       "a number is missing here: write a duration such as '90s', '15m' or "
                       "'1h30m'"}},
                 Case{"@every 367d", {7, 4, "an interval has at most 366 days"}},
                 Case{"@every 200d200d", {7, 8, "an interval has at most 366 days"}},
                 Case{"@every 99999999999999999999h", {7, 21, "an interval has at most 366 days"}},
                 Case{"every day at 9",
                      {10, 4,
                       "nothing may follow an interval: for a time of day write cron "
                       "text, such as '30 2 * * *'"}});
    const auto refused = parse_pattern(c.text, Seconds::refused);
    INFO(c.text);
    REQUIRE_FALSE(refused);
    CHECK(refused.error() == c.error);
}

TEST_CASE("an interval is on one grid, whenever it is asked", "[interval]") {
    const auto fires = schedule("@every 90m", "Europe/Berlin");
    CHECK(fires.next(utc("2026-01-01T00:00:00Z"))->at == utc("2026-01-01T01:30:00Z"));
    CHECK(fires.next(utc("2026-01-01T00:17:42Z"))->at == utc("2026-01-01T01:30:00Z"));
    CHECK(fires.next(utc("2026-01-01T01:30:00Z"))->at == utc("2026-01-01T03:00:00Z"));
    CHECK(fires.next(utc("1969-12-31T23:59:59Z"))->at == utc("1970-01-01T00:00:00Z"));
    CHECK(fires.next(utc("1969-12-31T21:00:00Z"))->at == utc("1969-12-31T22:30:00Z"));
}

TEST_CASE("an interval does not mind the clocks", "[interval]") {
    CHECK(next_firings(schedule("every hour", "Europe/Berlin"), "2026-03-29T00:00:00Z", 2) ==
          Times{"2026-03-29 03:00:00 +02:00", "2026-03-29 04:00:00 +02:00"});
}

TEST_CASE("a duration is longer than nothing", "[interval]") {
    CHECK(parse_duration("1h30m") == 90min);
    CHECK_FALSE(parse_duration("0s"));
    CHECK_FALSE(parse_duration(""));
    CHECK_FALSE(parse_duration("15"));
    CHECK_FALSE(parse_duration("-5m"));
}

TEST_CASE("jitter is the same for ever, and within its window", "[jitter]") {
    CHECK(jitter(TenantId{7}, 0, 300s) == jitter(TenantId{7}, 0, 300s));
    CHECK(jitter(TenantId{7}, 0, 300s) == 97'221ms);  // a change would move every schedule
    CHECK(jitter(TenantId{7}, 1, 300s) != jitter(TenantId{7}, 0, 300s));
    CHECK(jitter(TenantId{7}, 0, 0s) == 0ms);
    CHECK(jitter(TenantId{7}, 0, -5s) == 0ms);
}

TEST_CASE("jitter spreads tenants evenly", "[jitter]") {
    // 10,000 tenants over 100 buckets: 100 each, give or take five standard deviations.
    std::vector<int> buckets(100);
    for (std::int64_t id = 1; id <= 10'000; ++id) {
        const auto delay = jitter(TenantId{id}, 0, 100s);
        REQUIRE(delay >= 0ms);
        REQUIRE(delay < 100s);
        ++buckets[static_cast<std::size_t>(delay / 1s)];
    }
    for (const int count : buckets)
        CHECK((count > 50 && count < 150));
}
