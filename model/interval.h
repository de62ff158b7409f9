// Simple intervals: `@every 90s`, `@every 1h30m`, `every 15 minutes`. They count
// elapsed time, so no zone and no clock change matters to them. All of them are
// on a grid that starts at 1970-01-01 00:00 UTC: a restart never moves it.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "model/cron.h"

namespace berth {

struct Interval {
    std::chrono::seconds step{60};

    std::chrono::sys_seconds next(std::chrono::sys_seconds after) const;
    bool operator==(const Interval&) const = default;
};

// True when the text is meant as an interval, right or wrong.
bool looks_like_interval(std::string_view text);
// Below one minute only where seconds are allowed; at most 366 days.
[[nodiscard]] tl::expected<Interval, TextError> parse_interval(std::string_view text,
                                                               Seconds seconds);
// `90s`, `15m`, `1h30m`, `2d`: positive, at most 366 days.
[[nodiscard]] tl::expected<std::chrono::seconds, TextError> parse_duration(std::string_view text);

}  // namespace berth
