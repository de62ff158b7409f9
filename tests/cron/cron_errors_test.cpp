// What is refused: where the fault is, what it is, and the cure.
#include <iostream>

#include "tests/cron/schedules.h"

using namespace berth;
using namespace berth::test;

namespace {

struct Case {
    const char* text;
    const char* marks;  // below the text: what the error points at
    const char* message;
};

// `   ^^`; a fault at the end has one mark.
std::string marks_of(const TextError& error) {
    return std::string(error.offset, ' ') +
           std::string(std::max<std::size_t>(error.length, 1), '^');
}

void check(const Case& c, Seconds seconds = Seconds::refused) {
    INFO(c.text);
    const auto parsed = parse_pattern(c.text, seconds);
    REQUIRE_FALSE(parsed);
    CHECK(marks_of(parsed.error()) == c.marks);
    CHECK(parsed.error().message == c.message);
}

}  // namespace

TEST_CASE("a value that does not fit is pointed at", "[cron]") {
    check({"60 * * * *", "^^", "minute 60 is out of range: write 0 to 59"});
    check({"0 5,24 * * *", "    ^^", "hour 24 is out of range: write 0 to 23"});
    check({"0 0 0 * *", "    ^", "day of the month 0 is out of range: write 1 to 31"});
    check({"0 0 1 13 *", "      ^^", "month 13 is out of range: write 1 to 12, or JAN to DEC"});
    check({"0 0 * * MON-8", "            ^",
           "day of the week 8 is out of range: write 0 to 7, or SUN to SAT"});
    check({"99999999999 * * * *", "^^^^^^^^^^^",
           "minute 99999999999 is out of range: write 0 to 59"});
    check({"0 0 * FOO *", "      ^^^", "'FOO' is not a month: write 1 to 12, or JAN to DEC"});
    check(
        {"0 0 * * MO", "        ^^", "'MO' is not a day of the week: write 0 to 7, or SUN to SAT"});
    check({"0 -5 * * *", "  ^", "the hour is missing here: write 0 to 23"});
    check({"1,,2 * * * *", "  ^", "the minute is missing here: write 0 to 59"});
    check({"5- * * * *", "  ^", "the minute is missing here: write 0 to 59"});
}

TEST_CASE("a character that only looks right is pointed at", "[cron]") {
    const char* const message =
        "this character has no meaning here: write digits, letters, blanks and * , - / # ? only";
    check({"0 9 * * MON–FRI", "           ^^^", message});  // three bytes
    check({"0\u00a09 * * *", " ^^", message});
    check({"\xff 0 * * *", "^", message});
    check({"0 9\n* * *", "   ^", message});
}

TEST_CASE("a step that leads nowhere is pointed at", "[cron]") {
    check({"*/0 * * * *", "  ^", "a step of 0 leads nowhere: write 1 to 60"});
    check({"*/ * * * *", "  ^", "the step after '/' is not a number: write 1 to 60"});
    check({"*/x * * * *", "  ^", "the step after '/' is not a number: write 1 to 60"});
    check({"*/90 * * * *", "  ^^",
           "a step of 90 is longer than there are minutes: write 1 to 60, or an interval such as "
           "'@every 90m'"});
}

TEST_CASE("letters for days are refused where they mean nothing", "[cron]") {
    check(
        {"0 0 * * L", "        ^",
         "'L' needs a weekday before it: write 'FRIL' for the last Friday of the month, 'SAT' for "
         "each Saturday"});
    check({"0 0 L-31 * *", "    ^^^^",
           "cannot read 'L-31': write 'L' for the last day of the month, 'L-1' to 'L-30' for days "
           "before it, 'LW' for its last workday"});
    check(
        {"0 0 1-5W * *", "    ^^^^",
         "cannot read '1-5W': 'W' follows one day, as in '15W', the workday nearest to the 15th"});
    check({"0 0 * * FRI#6", "            ^",
           "after '#' stands which one of the month, 1 to 5: 'FRI#2' is the second Friday"});
    check({"? 0 * * *", "^", "'?' is for day fields only: write '*' for each minute"});
    check(
        {"H 0 * * *", "^",
         "'H' asks for a random minute: write a fixed one and give the schedule a jitter instead"});
    check({"1* 0 * * *", "^^",
           "'1*' is not a minute: '*' stands alone or before a step, as in '*/15'"});
}

TEST_CASE("the number of fields is told, with what to do", "[cron]") {
    check({"", "^", "the schedule is empty: write five fields, as in '0 2 * * *'"});
    check({"5 4 * *", "       ^",
           "there are 4 of the five fields minute, hour, day of the month, month, day of the week: "
           "write '*' for those that do not matter"});
    check({"0 30 2 * * *", "^",
           "six fields begin with the second, which is not allowed here: leave out the first "
           "field"});
    check({"0 2 * * * root /bin/true", "          ^^^^^^^^^^^^^^",
           "nothing may follow the five fields: leave this out"});
    check({"0 0 2 * * * 2030", "            ^^^^",
           "nothing may follow the six fields: leave this out"},
          Seconds::allowed);
    check({"CRON_TZ=UTC 0 2 * * *", "^^^^^^^^^^^",
           "the time zone is not part of the text: leave this out and set the schedule's zone"});
    check({"@reboot", "^^^^^^^",
           "'@reboot' names no time: start a run with 'berth tenant sync' instead"});
    check(
        {"@fortnightly", "^^^^^^^^^^^^",
         "there is no '@fortnightly': write '@hourly', '@daily', '@weekly', '@monthly', '@yearly' "
         "or '@every 15m'"});
}

TEST_CASE("dates that no year has are refused", "[cron]") {
    const auto text = GENERATE("0 0 31 2 *", "0 0 30 FEB ?", "0 0 31 4,6,9,11 *", "0 0 30W 2 *",
                               "0 0 L-29 2 *", "0 0 */31 * MON#2");
    const auto parsed = parse_cron(text, Seconds::refused);
    INFO(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().message ==
          "no year has such a date: the months named are too short for the days, or the days never "
          "meet");
    CHECK(parsed.error().offset == 4);
}

TEST_CASE("a rare date is none that no year has", "[cron]") {
    CHECK(parse_cron("0 0 29 2 *", Seconds::refused));
    CHECK(parse_cron("0 0 29 2 */7", Seconds::refused));
    CHECK(parse_cron("0 0 31 2 MON", Seconds::refused));  // each Monday of February
    CHECK(parse_cron("0 0 L-28 2 *", Seconds::refused));
}

TEST_CASE("a text that is too long is not looked at", "[cron]") {
    const auto parsed = parse_pattern(std::string(300, '*'), Seconds::refused);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error() == TextError{256, 44, "the schedule is longer than 256 bytes"});
}

TEST_CASE("the place of a fault is counted in characters", "[cron]") {
    const auto refused = Schedule::parse("ü 61 * * *", zone("UTC"));
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().message, Catch::Matchers::EndsWith("(at character 1)"));
    const auto later = Schedule::parse("0 0 * ü,13 *", zone("UTC"));
    REQUIRE_FALSE(later);
    CHECK_THAT(later.error().message, Catch::Matchers::EndsWith("(at character 7)"));
}
