// Cron text → which seconds of a local calendar it names. Knows nothing of zones:
// that is schedule.h. Five fields (minute hour day-of-month month day-of-week), or
// six with the second first where that is allowed; what each may hold is in
// docs/schedules.md. A Cron is a small value: a million of them fit into memory.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace berth {

// What is wrong with a text and where: bytes [offset, offset + length) of it.
struct TextError {
    std::size_t offset = 0;
    std::size_t length = 0;
    std::string message;  // what is wrong and what to write instead
    bool operator==(const TextError&) const = default;
};

enum class Seconds { refused, allowed };

struct Cron {
    // Bit n stands for the value n.
    std::uint64_t seconds = 1;
    std::uint64_t minutes = 0;
    std::uint32_t hours = 0;
    std::uint16_t months = 0;  // 1 to 12

    // The day of the month
    std::uint32_t days = 0;                // 1 to 31
    std::uint32_t days_from_last = 0;      // bit n: n days before the last; `L` is bit 0
    std::uint32_t workdays_near = 0;       // `15W`: bits 1 to 31
    std::uint32_t workdays_near_last = 0;  // `LW`: bit 0, `L-3W`: bit 3

    // The day of the week, 0 for Sunday
    std::uint8_t weekdays = 0;
    std::uint8_t last_weekdays = 0;  // `5L`
    std::uint64_t nth_weekdays = 0;  // `5#2`: bit (n - 1) * 7 + weekday

    // Vixie's flags: how the field was written decides, not what it names.
    bool day_star = false;      // day of month began with `*` or `?`
    bool weekday_star = false;  // so did day of week
    bool clock_star = false;    // second, minute or hour began with `*`

    bool operator==(const Cron&) const = default;

    // The days of a month that match, bit n for day n. Day of month and day of week
    // are or-ed when both are restricted, and-ed when one began with a star (Vixie).
    std::uint32_t days_of(std::chrono::year_month month) const;
    // False for 31 February and what else no year has.
    bool some_date_matches() const;
    // The first second at or after `from` and before `end`.
    std::optional<std::chrono::local_seconds> next(std::chrono::local_seconds from,
                                                   std::chrono::local_seconds end) const;
    bool matches(std::chrono::local_seconds at) const;
};

// Also `@hourly` and its kin. Refuses dates that no year has, such as 31 February.
[[nodiscard]] tl::expected<Cron, TextError> parse_cron(std::string_view text, Seconds seconds);

}  // namespace berth
