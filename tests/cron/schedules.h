// What the tests of schedules share: zones of this host, and times as people read them.
#pragma once

#include <fmt/chrono.h>

#include <catch2/catch.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "model/schedule.h"

namespace berth::test {

inline ZonePtr zone(std::string_view name) {
    static Zones zones;
    auto found = zones.find(name);
    if (!found) throw std::runtime_error{found.error().message};
    return *found;
}

// "2026-03-29T01:00:00Z" or with an offset.
inline UtcSeconds utc(std::string_view text) {
    const auto time = parse_rfc3339(text);
    if (!time) throw std::runtime_error{"not a time: " + std::string{text}};
    return std::chrono::floor<std::chrono::seconds>(*time);
}

// "2026-03-29 03:00:00 +02:00": as the clocks of the zone show it.
inline std::string local_text(const Zone& zone, UtcSeconds t) {
    const ZoneSpan span = zone.span_at(t);
    const auto local = span.to_local(t);
    const auto day = std::chrono::floor<std::chrono::days>(local);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{local - day};
    const auto offset = std::chrono::abs(span.offset);
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} {}{:02}:{:02}", int{date.year()},
                       unsigned{date.month()}, unsigned{date.day()}, clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count(),
                       span.offset.count() < 0 ? '-' : '+', offset.count() / 3600,
                       offset.count() / 60 % 60);
}

inline Schedule schedule(std::string_view text, std::string_view zone_name = "UTC",
                         ClockRule rule = {}, Seconds seconds = Seconds::refused) {
    auto parsed = Schedule::parse(text, zone(zone_name), rule, seconds);
    if (!parsed) throw std::runtime_error{parsed.error().message};
    return *std::move(parsed);
}

// The next firings after an instant, as the clocks show them.
inline std::vector<std::string> next_firings(const Schedule& schedule, std::string_view after,
                                             std::size_t count) {
    std::vector<std::string> found;
    for (const Firing& firing : schedule.firings(utc(after), utc("9999-01-01T00:00:00Z"), count))
        found.push_back(local_text(*schedule.zone(), firing.at));
    return found;
}

}  // namespace berth::test
