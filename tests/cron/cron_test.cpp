// Cron text → the days and times it names.
#include "model/cron.h"

#include "tests/cron/schedules.h"
#include "tests/support/seed.h"

using namespace berth;
using namespace berth::test;
using Times = std::vector<std::string>;

namespace {

Cron cron(std::string_view text, Seconds seconds = Seconds::refused) {
    const auto parsed = parse_cron(text, seconds);
    INFO(text << ": " << (parsed ? "" : parsed.error().message));
    REQUIRE(parsed);
    return *parsed;
}

// The days of a month that match, as numbers.
std::vector<int> days(std::string_view text, int year, unsigned month) {
    std::vector<int> found;
    const auto bits = cron(text).days_of(std::chrono::year{year} / static_cast<int>(month));
    for (int day = 1; day <= 31; ++day)
        if ((bits >> day & 1) != 0) found.push_back(day);
    return found;
}

using Days = std::vector<int>;

}  // namespace

TEST_CASE("texts that are written differently mean the same", "[cron]") {
    struct Case {
        const char *one, *other;
    };
    const auto [one, other] = GENERATE(
        Case{"0 0 * * 0", "0 0 * * 7"}, Case{"0 0 * * 0", "0 0 * * sun"},
        Case{"0 0 * * 1-5", "0 0 * * Mon-Fri"}, Case{"0 0 * * 5-7", "0 0 * * FRI-SUN"},
        Case{"0 0 * * FRI-MON", "0 0 * * 5,6,0,1"}, Case{"0 0 * * 7-2", "0 0 * * 0-2"},
        Case{"0 22-2 * * *", "0 22,23,0,1,2 * * *"}, Case{"50-10/10 * * * *", "50,0,10 * * * *"},
        Case{"5/20 * * * *", "5-59/20 * * * *"}, Case{"1-59/2 1 * * *", "1/2 1 * * *"},
        Case{"0 0 1 nov-feb *", "0 0 1 11,12,1,2 *"}, Case{"0 0 1 JANUARY *", "0 0 01 01 *"},
        Case{"0 0 * * Tues", "0 0 * * 2"}, Case{"0 0 1 Sept *", "0 0 1 9 *"},
        Case{"0 0 ? * MON", "0 0 * * MON"}, Case{"0 0 1 * ?", "0 0 1 * *"},
        Case{"\t 0  0 * *\t* ", "0 0 * * *"}, Case{"0 0 l * 5l", "0 0 L * FRIL"},
        Case{"0 0 lw,15w * *", "0 0 LW,15W * *"}, Case{"0 0 * * fri#2", "0 0 * * 5#2"},
        Case{"@hourly", "0 * * * *"}, Case{"@daily", "0 0 * * *"}, Case{"@midnight", "@daily"},
        Case{"@weekly", "0 0 * * 0"}, Case{"@monthly", "0 0 1 * *"}, Case{"@yearly", "0 0 1 1 *"},
        Case{" @ANNUALLY ", "@yearly"});
    CHECK(cron(one) == cron(other));
}

TEST_CASE("what begins with a star is a wildcard, whatever it names", "[cron]") {
    CHECK(cron("*/15 2 * * *").clock_star);
    CHECK(cron("0 */2 * * *").clock_star);
    CHECK(cron("*,5 2 * * *").clock_star);
    CHECK(cron("*/10 0 2 * * *", Seconds::allowed).clock_star);
    CHECK_FALSE(cron("0-59 2 * * *").clock_star);
    CHECK_FALSE(cron("30 2 * * *").clock_star);
    CHECK_FALSE(cron("30 2 */2 */2 *").clock_star);
}

TEST_CASE("two restricted day fields are or-ed, a star makes it and", "[cron]") {
    // June 2012 began on a Friday; its Sundays are 3, 10, 17, 24.
    CHECK(days("0 0 1,15 * SUN", 2012, 6) == Days{1, 3, 10, 15, 17, 24});
    CHECK(days("0 0 1,17 * *", 2012, 6) == Days{1, 17});
    CHECK(days("0 0 * * SUN", 2012, 6) == Days{3, 10, 17, 24});
    CHECK(days("0 0 */2 * SUN", 2012, 6) == Days{3, 17});
    CHECK(days("0 0 1,15 * */3", 2012, 6) == Days{});  // Sunday, Wednesday, Saturday
    CHECK(days("0 0 3,15 * */3", 2012, 6) == Days{3});
    CHECK(days("0 0 1-31 * SUN", 2012, 6).size() == 30);
}

TEST_CASE("days are counted from the end of the month", "[cron]") {
    CHECK(days("0 0 L * *", 2024, 2) == Days{29});
    CHECK(days("0 0 L * *", 2023, 2) == Days{28});
    CHECK(days("0 0 L-3 * *", 2023, 4) == Days{27});
    CHECK(days("0 0 L-30 * *", 2023, 1) == Days{1});
    CHECK(days("0 0 L-30 * *", 2023, 4) == Days{});
    CHECK(days("0 0 1,L * *", 2023, 4) == Days{1, 30});
    CHECK(days("0 0 L * MON", 2023, 4) == Days{3, 10, 17, 24, 30});
}

TEST_CASE("workdays are the nearest ones, without leaving the month", "[cron]") {
    CHECK(days("0 0 15W * *", 2023, 2) == Days{15});   // a Wednesday
    CHECK(days("0 0 15W * *", 2023, 4) == Days{14});   // from Saturday
    CHECK(days("0 0 15W * *", 2023, 10) == Days{16});  // from Sunday
    CHECK(days("0 0 1W * *", 2023, 4) == Days{3});     // Saturday, but March is past
    CHECK(days("0 0 1W * *", 2023, 10) == Days{2});    // from Sunday
    CHECK(days("0 0 31W * *", 2023, 12) == Days{29});  // Sunday, but January is ahead
    CHECK(days("0 0 31W * *", 2023, 4) == Days{});     // there is no 31st
    CHECK(days("0 0 LW * *", 2023, 4) == Days{28});    // the 30th is a Sunday
    CHECK(days("0 0 L-1W * *", 2023, 4) == Days{28});  // the 29th is a Saturday
    CHECK(days("0 0 1W,15W * *", 2023, 4) == Days{3, 14});
}

TEST_CASE("weekdays are counted within the month", "[cron]") {
    // April 2023 began on a Saturday.
    CHECK(days("0 0 * * SAT#1", 2023, 4) == Days{1});
    CHECK(days("0 0 * * FRI#1", 2023, 4) == Days{7});
    CHECK(days("0 0 * * SAT#5", 2023, 4) == Days{29});
    CHECK(days("0 0 * * SUN#5", 2023, 4) == Days{30});
    CHECK(days("0 0 * * MON#5", 2023, 4) == Days{});  // and not the 1st of anything
    CHECK(days("0 0 * * FRIL", 2023, 4) == Days{28});
    CHECK(days("0 0 * * 7L", 2023, 4) == Days{30});
    CHECK(days("0 0 * * MON#1,FRIL,WED", 2023, 4) == Days{3, 5, 12, 19, 26, 28});
    CHECK(days("0 0 13 * FRI#2", 2023, 4) == Days{13, 14});
}

TEST_CASE("the next time is found across every edge of the calendar", "[cron]") {
    struct Case {
        const char *text, *after, *next;
    };
    const auto c = GENERATE(
        Case{"0/15 * * * *", "2012-07-09T14:59:59Z", "2012-07-09 15:00:00 +00:00"},
        Case{"20-35/15 * * * *", "2012-07-09T15:45:00Z", "2012-07-09 16:20:00 +00:00"},
        Case{"*/15 * * * *", "2012-07-09T23:46:00Z", "2012-07-10 00:00:00 +00:00"},
        Case{"20-35/15 1/2 * * *", "2012-07-09T23:35:51Z", "2012-07-10 01:20:00 +00:00"},
        Case{"20 1 */2 * *", "2012-07-09T23:35:51Z", "2012-07-11 01:20:00 +00:00"},
        Case{"0 0 9 Apr-Oct ?", "2012-07-09T23:35:00Z", "2012-08-09 00:00:00 +00:00"},
        Case{"0 0 */5 Apr,Aug,Oct Mon", "2012-07-09T23:35:00Z", "2012-08-06 00:00:00 +00:00"},
        Case{"0 0 * Feb Mon/2", "2012-07-09T23:35:00Z", "2013-02-01 00:00:00 +00:00"},
        Case{"0 0 29 2 *", "2096-02-29T00:00:00Z", "2104-02-29 00:00:00 +00:00"},
        Case{"* * * * *", "2012-12-31T23:59:45Z", "2013-01-01 00:00:00 +00:00"},
        Case{"59 23 31 12 *", "1969-12-31T23:59:00Z", "1970-12-31 23:59:00 +00:00"},
        Case{"0 0 1 1 *", "1900-06-01T00:00:00Z", "1901-01-01 00:00:00 +00:00"});
    INFO(c.text);
    CHECK(next_firings(schedule(c.text), c.after, 1) == Times{c.next});
}

TEST_CASE("with seconds the first field is the second", "[cron]") {
    const auto fires = schedule("15/35 20 * * * *", "UTC", {}, Seconds::allowed);
    CHECK(next_firings(fires, "2012-07-09T23:20:15Z", 3) == Times{"2012-07-09 23:20:50 +00:00",
                                                                  "2012-07-10 00:20:15 +00:00",
                                                                  "2012-07-10 00:20:50 +00:00"});
    CHECK(cron("0 30 2 * * *", Seconds::allowed) == cron("30 2 * * *"));
    CHECK(cron("30 2 * * *", Seconds::allowed) == cron("30 2 * * *"));
}

TEST_CASE("matches() agrees with next()", "[cron]") {
    const auto fires = cron("*/7 3-5 L * *");
    const auto at = [](const char* text) {
        return std::chrono::local_seconds{utc(text).time_since_epoch()};
    };
    CHECK(fires.matches(at("2026-01-31T03:07:00Z")));
    CHECK_FALSE(fires.matches(at("2026-01-31T03:07:01Z")));
    CHECK_FALSE(fires.matches(at("2026-01-30T03:07:00Z")));
    CHECK_FALSE(fires.next(at("2026-01-01T00:00:00Z"), at("2026-01-31T03:00:00Z")));
}

// B7: no crash, and time that depends on no input. BERTH_CRON_STRINGS=1000000 for more.
TEST_CASE("random strings are refused or fire, but never crash", "[cron]") {
    auto random = seeded_random("random cron strings");
    const char* more = std::getenv("BERTH_CRON_STRINGS");
    const long count = more != nullptr ? std::strtol(more, nullptr, 10) : 20'000;
    constexpr std::string_view kAlphabet = "0123456789*/,-?#LWlw \t@HSUNMONJANDECFRIevery";
    const std::vector<std::string> valid{"*/15 9-17 * * MON-FRI", "0 0 L-3,15W * 5L,FRI#2",
                                         "30 2 1,15 JAN-MAR ?",   "@every 1h30m",
                                         "every 15 minutes",      "0 0 29 2 */7"};
    long accepted = 0;
    for (long i = 0; i < count; ++i) {
        // Noise, noise in five fields, and valid texts with a few bytes changed.
        std::string text;
        if (i % 4 == 0) {
            for (auto size = below(random, 40); size > 0; --size)
                text += static_cast<char>(below(random, 256));
        } else if (i % 4 == 1) {
            for (int field = 0; field < 5; ++field)
                text += random_text(random, 1 + below(random, 4), "0123456789*/,-?#LW") + ' ';
        } else {
            text = valid[below(random, valid.size())];
            for (auto changes = below(random, 4); changes > 0; --changes)
                text[below(random, text.size())] = kAlphabet[below(random, kAlphabet.size())];
        }
        const auto pattern = parse_pattern(text, i % 3 == 0 ? Seconds::allowed : Seconds::refused);
        if (!pattern) {
            const auto& error = pattern.error();
            if (error.offset + error.length > text.size() || error.message.empty())
                FAIL("a bad place in '" << text << "': " << error.message);
            continue;
        }
        ++accepted;
        (void)Schedule{*pattern, zone("Europe/Berlin")}.next(utc("2026-03-29T00:30:00Z"));
    }
    std::cout << "random cron strings: " << accepted << " of " << count << " accepted\n";
    CHECK(accepted > count / 10);
}
