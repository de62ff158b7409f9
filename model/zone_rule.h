// The rule at the end of a TZif file, which says how a zone's clocks change in all
// years after its last transition: `CET-1CEST,M3.5.0,M10.5.0/3` (POSIX TZ, with
// the hours -167 to 167 of RFC 9636).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace berth {

// A day of each year and a time on it, by the clocks before the change.
struct YearlyChange {
    enum class Day : std::uint8_t {
        julian,      // Jn: 1 to 365, 29 February never counted
        zero_based,  // n: 0 to 365, 29 February counted
        weekday      // Mm.w.d: the w-th day d of month m, 5 for the last
    };
    Day day = Day::weekday;
    std::uint8_t month = 1;    // 1 to 12
    std::uint8_t week = 1;     // 1 to 5
    std::uint16_t number = 0;  // of the day; 0 to 6 from Sunday for `weekday`
    std::int32_t time = 7200;  // seconds after that day's midnight

    // Seconds since 1970-01-01 00:00 by the clocks before the change.
    std::int64_t local_in(int year) const;
};

struct ZoneRule {
    struct Side {
        std::string abbreviation;
        std::int32_t offset = 0;  // seconds east of UTC
    };
    struct Summer : Side {
        YearlyChange begin, end;
    };
    Side standard;
    std::optional<Summer> summer;

    static Result<ZoneRule> parse(std::string_view text);

    struct Change {
        std::int64_t at;  // UTC
        bool to_summer;
    };
    // The two changes of a year in order; only with `summer`.
    std::array<Change, 2> changes_in(int year) const;
};

}  // namespace berth
