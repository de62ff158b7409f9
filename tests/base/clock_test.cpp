#include "base/clock.h"

#include <catch2/catch.hpp>

#include "tests/support/seed.h"

using namespace berth;

TEST_CASE("times have the texts that date(1) gives them", "[base]") {
    struct Row {
        std::int64_t seconds;
        const char* rfc3339;
        const char* go;
        const char* day;
    };
    const Row rows[] = {
        {0, "1970-01-01T00:00:00.000000Z", "1970-01-01 00:00:00 +0000 UTC", "1970-01-01"},
        {-1, "1969-12-31T23:59:59.000000Z", "1969-12-31 23:59:59 +0000 UTC", "1969-12-31"},
        {951782400, "2000-02-29T00:00:00.000000Z", "2000-02-29 00:00:00 +0000 UTC", "2000-02-29"},
        {1709164799, "2024-02-28T23:59:59.000000Z", "2024-02-28 23:59:59 +0000 UTC", "2024-02-28"},
        {1709251199, "2024-02-29T23:59:59.000000Z", "2024-02-29 23:59:59 +0000 UTC", "2024-02-29"},
        {1627157061, "2021-07-24T20:04:21.000000Z", "2021-07-24 20:04:21 +0000 UTC", "2021-07-24"},
        {2147483648, "2038-01-19T03:14:08.000000Z", "2038-01-19 03:14:08 +0000 UTC", "2038-01-19"},
        {4107542400, "2100-03-01T00:00:00.000000Z", "2100-03-01 00:00:00 +0000 UTC", "2100-03-01"},
        {253402300799, "9999-12-31T23:59:59.000000Z", "9999-12-31 23:59:59 +0000 UTC",
         "9999-12-31"},
    };
    for (const Row& row : rows) {
        const Time time = time_from_micros(row.seconds * 1'000'000);
        CHECK(to_rfc3339(time) == row.rfc3339);
        CHECK(to_go_text(time) == row.go);
        CHECK(to_utc_day(time) == row.day);
        CHECK(parse_rfc3339(row.rfc3339) == time);
    }
    CHECK(to_rfc3339(time_from_micros(-1)) == "1969-12-31T23:59:59.999999Z");
}

TEST_CASE("a time is read with or without fraction, in any offset", "[base]") {
    const auto at = [](std::int64_t micros) { return time_from_micros(micros); };
    CHECK(parse_rfc3339("1970-01-01T00:00:01Z") == at(1'000'000));
    CHECK(parse_rfc3339("1970-01-01t00:00:01.5z") == at(1'500'000));
    CHECK(parse_rfc3339("1970-01-01 00:00:01.000001Z") == at(1'000'001));
    CHECK(parse_rfc3339("1970-01-01T00:00:01.0000019Z") == at(1'000'001));
    CHECK(parse_rfc3339("1970-01-01T02:00:00+02:00") == at(0));
    CHECK(parse_rfc3339("1969-12-31T18:30:00-05:30") == at(0));
    CHECK(parse_rfc3339("2024-02-29T00:00:00Z"));
}

TEST_CASE("what is not a time is refused", "[base]") {
    for (const char* junk : {"",
                             "1970-01-01",
                             "1970-01-01T00:00:00",
                             "1970-01-01T00:00Z",
                             "1970-1-01T00:00:00Z",
                             "1970-13-01T00:00:00Z",
                             "1970-00-01T00:00:00Z",
                             "2023-02-29T00:00:00Z",
                             "2100-02-29T00:00:00Z",
                             "1970-04-31T00:00:00Z",
                             "1970-01-01T24:00:00Z",
                             "1970-01-01T00:60:00Z",
                             "1970-01-01T00:00:60Z",
                             "1970-01-01T00:00:00.Z",
                             "1970-01-01T00:00:00Zx",
                             "1970-01-01T00:00:00+0200",
                             "1970-01-01T00:00:00+24:00",
                             "1970-01-01T00:00:00+02:60",
                             " 1970-01-01T00:00:00Z",
                             "-970-01-01T00:00:00Z",
                             "1970-01-01X00:00:00Z",
                             "1970-01-01T00:00:00.1.2Z"}) {
        INFO(junk);
        CHECK_FALSE(parse_rfc3339(junk));
    }
}

TEST_CASE("a time comes back from its text to the microsecond", "[base]") {
    auto random = test::seeded_random("times");
    for (int i = 0; i < 10'000; ++i) {
        const auto micros = std::uniform_int_distribution<std::int64_t>{
            -2'000'000'000'000'000, 250'000'000'000'000'000}(random);
        const Time time = time_from_micros(micros);
        REQUIRE(to_micros(time) == micros);
        REQUIRE(parse_rfc3339(to_rfc3339(time)) == time);
    }
}

TEST_CASE("the steady clock does not go back", "[base]") {
    const SystemClock clock;
    SteadyTime before = clock.steady();
    for (int i = 0; i < 10'000; ++i) {
        const SteadyTime now = clock.steady();
        REQUIRE(now >= before);
        before = now;
    }
    CHECK(clock.now() > parse_rfc3339("2020-01-01T00:00:00Z"));
}
