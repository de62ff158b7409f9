// Time as the product uses it. Wall time (`Time`) says when something is due or
// happened; steady time measures time-outs. Both come through a Clock, so that
// tests and the simulator can hand in their own.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth {

// Microseconds since 1970-01-01 UTC; what the store keeps.
using Time = std::chrono::sys_time<std::chrono::microseconds>;
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::microseconds>;

class Clock {
public:
    virtual ~Clock() = default;
    virtual Time now() const = 0;           // wall clock; may step either way
    virtual SteadyTime steady() const = 0;  // CLOCK_BOOTTIME: never steps, counts suspend
};

class SystemClock final : public Clock {
public:
    Time now() const override;
    SteadyTime steady() const override;
};

inline Time time_from_micros(std::int64_t us) { return Time{std::chrono::microseconds{us}}; }
inline std::int64_t to_micros(Time time) { return time.time_since_epoch().count(); }

// `2026-11-22T03:04:05.678901Z` (RFC 3339), as the API writes times.
std::string to_rfc3339(Time time);
// Reads the above, with or without fraction and with a numeric offset.
std::optional<Time> parse_rfc3339(std::string_view text);
// `2021-07-24 20:04:21 +0000 UTC`: Go's default time text, which scripts expect
// in PAN_CTX_LAST_RUN_START_TIME (pandium-contract.md 3.3).
std::string to_go_text(Time time);
// `2026-11-22`: the UTC day, which names log files.
std::string to_utc_day(Time time);

}  // namespace berth
