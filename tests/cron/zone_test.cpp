// Zone files: what they say, and that nothing else is believed.
#include "model/zone.h"

#include <fstream>
#include <sstream>

#include "base/file.h"
#include "tests/cron/schedules.h"
#include "tests/support/seed.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

std::string big_endian(std::uint64_t value, int bytes) {
    std::string text;
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
        text += static_cast<char>(value >> shift & 0xff);
    return text;
}

// A TZif file as a test wants it.
struct File {
    char version = '2';
    std::vector<std::int64_t> times = {};
    std::string kinds_after = {};  // a byte for each time
    std::vector<std::int32_t> offsets{0};
    std::string footer = {};
    std::uint32_t leaps = 0;

    std::string block(int time_bytes) const {
        std::string text = "TZif";
        text += version;
        text += std::string(15, '\0');
        text += big_endian(0, 4) + big_endian(0, 4) + big_endian(leaps, 4);
        text += big_endian(times.size(), 4) + big_endian(offsets.size(), 4) + big_endian(4, 4);
        for (const auto t : times)
            text += big_endian(static_cast<std::uint64_t>(t), time_bytes);
        text += kinds_after;
        for (const auto offset : offsets)
            text += big_endian(static_cast<std::uint32_t>(offset), 4) + std::string(2, '\0');
        text += std::string{"ABC", 4};
        text += std::string(leaps * static_cast<std::size_t>(time_bytes + 4), '\0');
        return text;
    }
    std::string bytes() const {
        if (version == '\0') return block(4);
        return block(4) + block(8) + "\n" + footer + "\n";
    }
    Result<Zone> parse() const { return Zone::parse("Test/Zone", bytes()); }
};

std::string refusal(const File& file) {
    const auto zone = file.parse();
    REQUIRE_FALSE(zone);
    CHECK(zone.error().kind == FailureKind::invalid);
    return zone.error().message;
}

std::string system_file(const std::string& name) {
    const auto bytes = read_file("/usr/share/zoneinfo/" + name, 1 << 20);
    REQUIRE(bytes);
    return *bytes;
}

std::string offset_in(std::string_view zone_name, std::string_view t) {
    return local_text(*zone(zone_name), utc(t)).substr(20);
}

}  // namespace

TEST_CASE("a zone has one offset between two changes", "[zone]") {
    const auto berlin = zone("Europe/Berlin");
    const ZoneSpan summer = berlin->span_at(utc("2026-07-01T00:00:00Z"));
    CHECK(summer.begin == utc("2026-03-29T01:00:00Z"));
    CHECK(summer.end == utc("2026-10-25T01:00:00Z"));
    CHECK(summer.offset == 2h);
    CHECK(summer.summer);
    CHECK(summer.abbreviation == "CEST");
    const ZoneSpan winter = berlin->span_at(summer.end);
    CHECK(winter.begin == summer.end);
    CHECK(winter.offset == 1h);
    CHECK_FALSE(winter.summer);
}

TEST_CASE("zones are right before their first change and far after their last", "[zone]") {
    CHECK(zone("Europe/Berlin")->span_at(utc("1800-01-01T00:00:00Z")).offset == 53min + 28s);
    CHECK(offset_in("Europe/Berlin", "2500-07-01T00:00:00Z") == "+02:00");
    CHECK(offset_in("Europe/Berlin", "9998-12-31T00:00:00Z") == "+01:00");
    CHECK(offset_in("Asia/Kolkata", "2500-07-01T00:00:00Z") == "+05:30");
    CHECK(offset_in("America/St_Johns", "2026-01-01T00:00:00Z") == "-03:30");
    CHECK(zone("Europe/Berlin")->span_at(UtcSeconds::max()).begin < UtcSeconds::max());
    CHECK(zone("Europe/Berlin")->span_at(UtcSeconds::min()).begin == UtcSeconds::min());
}

TEST_CASE("summer time that is less than standard time is summer time all the same", "[zone]") {
    CHECK(offset_in("Europe/Dublin", "2045-07-01T00:00:00Z") == "+01:00");
    CHECK(offset_in("Europe/Dublin", "2045-01-01T00:00:00Z") == "+00:00");
}

TEST_CASE("the next change passes over what changes no offset", "[zone]") {
    CHECK(zone("Europe/Berlin")->next_change(utc("2026-01-01T00:00:00Z")) ==
          utc("2026-03-29T01:00:00Z"));
    CHECK_FALSE(zone("Asia/Kolkata")->next_change(utc("2026-01-01T00:00:00Z")));
    CHECK_FALSE(Zone::utc().next_change(utc("2026-01-01T00:00:00Z")));
}

TEST_CASE("every zone of this host is read, and its spans follow each other", "[zone]") {
    std::ifstream in{"/usr/share/zoneinfo/zone1970.tab"};
    std::size_t count = 0;
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with('#')) continue;
        std::istringstream fields{line};
        std::string country, place, name;
        fields >> country >> place >> name;
        INFO(name);
        const auto found = zone(name);
        ++count;
        auto span = found->span_at(UtcSeconds::min());
        std::size_t spans = 1;
        for (; span.end < utc("2100-01-01T00:00:00Z"); ++spans) {
            const auto next = found->span_at(span.end);
            REQUIRE(next.begin == span.end);
            REQUIRE(next.end > next.begin);
            REQUIRE(found->span_at(next.end - 1s).begin == next.begin);
            span = next;
        }
        CHECK(spans > 1);
    }
    CHECK(count > 300);
}

TEST_CASE("a file of version 1 ends with its last change", "[zone]") {
    const File file{.version = '\0',
                    .times = {0, 1000},
                    .kinds_after = std::string{"\1\0", 2},
                    .offsets = {3600, 7200}};
    const auto read = file.parse();
    REQUIRE(read);
    CHECK(read->span_at(UtcSeconds{-1s}).offset == 1h);
    CHECK(read->span_at(UtcSeconds{0s}).offset == 2h);
    CHECK(read->span_at(UtcSeconds{1000s}).offset == 1h);
    CHECK(read->span_at(UtcSeconds{1000s}).end == UtcSeconds::max());
}

TEST_CASE("a file that cannot be right is refused, and why", "[zone]") {
    CHECK(File{}.parse());  // as it stands it is one
    CHECK(refusal({.times = {5, 5}, .kinds_after = std::string(2, '\0')}) ==
          "cannot use the zone file of 'Test/Zone': its transitions are out of order");
    CHECK_THAT(refusal({.times = {5}, .kinds_after = "\1"}), Contains("a type that is not there"));
    CHECK_THAT(refusal({.offsets = {}}), Contains("no local time types"));
    CHECK_THAT(refusal({.offsets = {-90'000}}), Contains("out of range"));
    CHECK_THAT(refusal({.footer = "nonsense"}), Contains("not a rule"));
    CHECK_THAT(refusal({.leaps = 1}), Contains("leap seconds"));
    CHECK_THAT(refusal({.version = '1'}), Contains("version"));
    CHECK_FALSE(Zone::parse("Test/Zone", ""));
    CHECK_FALSE(Zone::parse("Test/Zone", std::string(1 << 20, 'T')));
}

TEST_CASE("a zone file that is cut short is refused wherever it is cut", "[zone]") {
    const auto whole = system_file("Europe/Berlin");
    REQUIRE(Zone::parse("Europe/Berlin", whole));
    for (std::size_t size = 0; size < whole.size(); ++size)
        if (Zone::parse("Europe/Berlin", std::string_view{whole}.substr(0, size)))
            FAIL("accepted " << size << " of " << whole.size() << " bytes");
}

TEST_CASE("a damaged zone file is refused or answers, but never crashes", "[zone]") {
    auto random = seeded_random("damaged zone files");
    const auto whole = system_file("America/New_York");
    int accepted = 0;
    for (int i = 0; i < 3000; ++i) {
        auto bytes = whole;
        for (auto flips = 1 + below(random, 4); flips > 0; --flips)
            bytes[below(random, bytes.size())] = static_cast<char>(below(random, 256));
        const auto read = Zone::parse("Test/Zone", bytes);
        if (!read) continue;
        ++accepted;
        const auto shared = std::make_shared<const Zone>(*read);
        for (const char* t :
             {"1900-01-01T00:00:00Z", "2026-03-08T06:59:59Z", "2100-07-01T00:00:00Z"}) {
            const auto span = shared->span_at(utc(t));
            if (!(span.begin <= utc(t) && utc(t) < span.end)) FAIL("not within its span");
            (void)Schedule{*parse_pattern("30 2 * * *", Seconds::refused), shared}.firings(
                utc(t), utc("2200-01-01T00:00:00Z"), 3);
        }
    }
    CHECK(accepted > 0);
}

TEST_CASE("rules for all later years are read", "[zone]") {
    const auto offsets = [](std::string rule) {
        const auto read = File{.footer = std::move(rule)}.parse();
        REQUIRE(read);
        std::string text;
        for (const char* t : {"2030-01-15T12:00:00Z", "2030-07-15T12:00:00Z"})
            text += std::to_string(read->span_at(utc(t)).offset / 1min) + " ";
        return text;
    };
    CHECK(offsets("<-03>3") == "-180 -180 ");
    CHECK(offsets("CET-1CEST,M3.5.0,M10.5.0/3") == "60 120 ");
    CHECK(offsets("IST-1GMT0,M10.5.0,M3.5.0/1") == "0 60 ");
    CHECK(offsets("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0") == "660 630 ");
    CHECK(offsets("EST5EDT,0/0,J365/25") == "-240 -240 ");  // summer time all year
    CHECK(offsets("XXX3YYY,J60/0,J300/0") == "-180 -120 ");
    CHECK(offsets("IST-2IDT,M3.4.4/26,M10.5.0") == "120 180 ");
    CHECK(offsets("") == "0 0 ");
}

TEST_CASE("days of a rule are counted as POSIX says", "[zone]") {
    using Day = YearlyChange::Day;
    const auto local = [](YearlyChange change, int year) {
        return UtcSeconds{std::chrono::seconds{change.local_in(year)}};
    };
    // J60 is the first of March in each year, 59 only in those without a leap day.
    CHECK(local({.day = Day::julian, .number = 60, .time = 0}, 2024) ==
          utc("2024-03-01T00:00:00Z"));
    CHECK(local({.day = Day::julian, .number = 60, .time = 0}, 2023) ==
          utc("2023-03-01T00:00:00Z"));
    CHECK(local({.day = Day::zero_based, .number = 59, .time = 0}, 2024) ==
          utc("2024-02-29T00:00:00Z"));
    CHECK(local({.month = 3, .week = 5, .number = 0, .time = 3600}, 2026) ==
          utc("2026-03-29T01:00:00Z"));
    CHECK(local({.month = 10, .week = 1, .number = 0, .time = -3600}, 2026) ==
          utc("2026-10-03T23:00:00Z"));
}

TEST_CASE("a rule that is none is refused", "[zone]") {
    const auto text =
        GENERATE("C", "CET", "CET-25", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0",
                 "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J365",
                 "<CET-1", "CET-1CEST,M3.5.0/168,M10.5.0", "CET-1CEST,M3.5.0,M10.5.0 ");
    INFO(text);
    const auto rule = ZoneRule::parse(text);
    REQUIRE_FALSE(rule);
    CHECK_THAT(rule.error().message, Contains("cannot read the zone rule"));
}

TEST_CASE("names lead to zone files and nowhere else", "[zone]") {
    const auto name =
        GENERATE(as<std::string>{}, "", "Mars/Base", "../../../etc/passwd", "/etc/passwd", "Europe",
                 "Europe/", "Europe/../UTC", "europe/berlin", "right/UTC", "posix/UTC", "localtime",
                 "zone1970.tab", "Europe/Berlin\n", std::string(65, 'A'));
    Zones zones;
    const auto found = zones.find(name);
    INFO(name);
    REQUIRE_FALSE(found);
    CHECK(found.error().kind == FailureKind::unprocessable);
    CHECK_THAT(found.error().message,
               Contains("there is no time zone") && Contains("Europe/Berlin"));
}

TEST_CASE("a zone is read once and shared until it is forgotten", "[zone]") {
    Zones zones;
    const auto first = zones.find("Europe/Berlin"), second = zones.find("Europe/Berlin");
    REQUIRE(first);
    CHECK(*first == *second);
    zones.forget();
    const auto third = zones.find("Europe/Berlin");
    CHECK(*first != *third);
    CHECK((*first)->name() == "Europe/Berlin");
}

TEST_CASE("a host without zone data has UTC, and is told what to install", "[zone]") {
    Zones zones{"/nonexistent"};
    CHECK(zones.find("UTC"));
    const auto found = zones.find("Europe/Berlin");
    REQUIRE_FALSE(found);
    CHECK(found.error().kind == FailureKind::unavailable);
    CHECK_THAT(found.error().message, Contains("install the package tzdata"));
    CHECK(zones.version().empty());
}
