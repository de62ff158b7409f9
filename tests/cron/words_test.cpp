// What schedules are called in words, and what the next clock changes will do.
#include "model/schedule_preview.h"
#include "model/schedule_words.h"
#include "tests/cron/schedules.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;

TEST_CASE("a schedule is told in words", "[words]") {
    struct Case {
        const char *text, *words;
    };
    const auto c = GENERATE(
        Case{"* * * * *", "every minute"}, Case{"*/15 * * * *", "every 15 minutes"},
        Case{"5/15 * * * *", "every 15 minutes from minute 5"},
        Case{"*/7 * * * *", "at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour"},
        Case{"0 * * * *", "every hour"}, Case{"5 * * * *", "at minute 5 of every hour"},
        Case{"0 */2 * * *", "every 2 hours"},
        Case{"10 1/2 * * *", "at minute 10 of every 2nd hour from 01:00"},
        Case{"30 2 * * *", "at 02:30 every day"},
        Case{"0 9,12,17 * * *", "at 09:00, 12:00 and 17:00 every day"},
        Case{"*/15 9-17 * * MON-FRI", "every 15 minutes from 09:00 to 17:59, on Monday to Friday"},
        Case{"*/15 22-2 * * *", "every 15 minutes from 22:00 to 02:59"},
        Case{"* 8 * * *", "every minute of hour 8"},
        Case{"0 0 1,15 * *", "at 00:00 on the 1st and 15th of the month"},
        Case{"0 0 1-7 JAN *", "at 00:00 on the 1st to 7th of January"},
        Case{"0 0 * * SAT,SUN", "at 00:00 on Saturday and Sunday"},
        Case{"0 0 * * FRI-MON", "at 00:00 on Friday to Monday"},
        Case{"0 0 L * *", "at 00:00 on the last day of the month"},
        Case{"0 0 L-2 * *", "at 00:00 on the day 2 days before the last of the month"},
        Case{"0 0 LW * *", "at 00:00 on the last workday of the month"},
        Case{"0 0 15W * *", "at 00:00 on the workday nearest to the 15th of the month"},
        Case{"0 9 * * FRI#2", "at 09:00 on the 2nd Friday of the month"},
        Case{"0 9 * 3 FRIL", "at 09:00 on the last Friday of March"},
        Case{"0 9 * DEC-FEB *", "at 09:00 every day in December to February"},
        Case{"0 9 13 * FRI", "at 09:00 on the 13th of the month, and also on Friday"},
        Case{"0 9 29 2 */7", "at 09:00 on the 29th of February, if that is Sunday"},
        Case{"0 9 1-31 * FRI", "at 09:00 every day"}, Case{"@every 15m", "every 15 minutes"},
        Case{"@every 60m", "every hour"}, Case{"@every 90m", "every 90 minutes"},
        Case{"@every 36h", "every 36 hours"}, Case{"@every 61s", "every 61 seconds"});
    INFO(c.text);
    CHECK(in_words(schedule(c.text).pattern()) == c.words);
}

TEST_CASE("seconds are told too", "[words]") {
    struct Case {
        const char *text, *words;
    };
    const auto c =
        GENERATE(Case{"* * * * * *", "every second"}, Case{"*/10 * * * * *", "every 10 seconds"},
                 Case{"30 * * * * *", "at second 30 of every minute"},
                 Case{"15 30 2 * * *", "at 02:30:15 every day"},
                 Case{"*/10 */5 * * * *", "every 10 seconds, every 5 minutes"},
                 Case{"30 * 9-17 * * *", "at second 30 of every minute from 09:00 to 17:59"});
    INFO(c.text);
    CHECK(in_words(schedule(c.text, "UTC", {}, Seconds::allowed).pattern()) == c.words);
}

TEST_CASE("durations are exact in words", "[words]") {
    CHECK(in_words(0s) == "0 s");
    CHECK(in_words(90min) == "1 h 30 min");
    CHECK(in_words(24h + 5s) == "1 d 5 s");
}

TEST_CASE("the preview shows a gap under every rule, the own one first", "[preview]") {
    const auto change = next_gap(schedule("30 2 * * *", "Europe/Berlin", {.gap = GapRule::shifted}),
                                 utc("2026-01-01T00:00:00Z"));
    REQUIRE(change);
    CHECK(change->at == utc("2026-03-29T01:00:00Z"));
    CHECK(change->concerned.size() == 1);
    REQUIRE(change->choices.size() == 3);
    CHECK(change->choices[0].rule.gap == GapRule::shifted);
    CHECK(change->choices[0].fires == std::vector{utc("2026-03-29T01:30:00Z")});
    CHECK(change->choices[1].fires.empty());
    CHECK(change->choices[2].fires == std::vector{utc("2026-03-29T01:00:00Z")});
}

TEST_CASE("what the preview says is what happens", "[preview]") {
    struct Case {
        const char *zone, *text;  // with a time in the gap and one in the repeated hour
    };
    const auto c = GENERATE(Case{"Europe/Berlin", "10,40 2 * * *"},
                            Case{"Australia/Lord_Howe", "10,45 1,2 * * *"},
                            Case{"Asia/Beirut", "20 0,23 * * *"});
    const auto gap = GENERATE(GapRule::skip, GapRule::at_end, GapRule::shifted);
    const auto overlap = GENERATE(OverlapRule::first, OverlapRule::second, OverlapRule::both);
    const auto fires = schedule(c.text, c.zone, {gap, overlap});
    const auto now = utc("2026-01-01T00:00:00Z");
    for (const auto& change : {next_gap(fires, now), next_overlap(fires, now)}) {
        REQUIRE(change);
        INFO(c.zone << ' ' << to_rfc3339(change->at));
        REQUIRE_FALSE(change->concerned.empty());
        std::vector<UtcSeconds> found;
        for (const auto& f : fires.firings(change->at - 2h, change->at + 2h, 100)) {
            const bool shown =
                std::ranges::count(change->concerned, fires.zone()->to_local(f.at)) > 0;
            if (change->forward() ? f.kind == FiringKind::gap_made_up : shown)
                found.push_back(f.at);
        }
        CHECK(found == change->choices.front().fires);
    }
}

TEST_CASE("a wildcard is concerned by no change", "[preview]") {
    const auto change =
        next_overlap(schedule("*/5 2 * * *", "Europe/Berlin"), utc("2026-01-01T00:00:00Z"));
    REQUIRE(change);
    CHECK(change->concerned.empty());
}

TEST_CASE("a correction is told as one", "[preview]") {
    const auto change =
        next_gap(schedule("0 12 * * *", "Pacific/Apia"), utc("2011-12-01T00:00:00Z"));
    REQUIRE(change);
    CHECK(change->correction);
    CHECK(change->after - change->before == 24h);
    REQUIRE(change->choices.size() == 1);
    CHECK(change->choices[0].fires.empty());
}

TEST_CASE("a zone whose clocks stand has no preview", "[preview]") {
    CHECK_FALSE(next_gap(schedule("0 12 * * *"), utc("2026-01-01T00:00:00Z")));
    CHECK_FALSE(next_overlap(schedule("0 12 * * *"), utc("2026-01-01T00:00:00Z")));
}
