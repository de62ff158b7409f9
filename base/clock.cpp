#include "base/clock.h"

#include <fmt/format.h>
#include <time.h>

#include "base/error.h"

namespace berth {
namespace {

std::chrono::microseconds read_clock(clockid_t id) {
    timespec ts{};
    check(::clock_gettime(id, &ts), "reading clock {}", static_cast<int>(id));
    return std::chrono::seconds{ts.tv_sec} + std::chrono::duration_cast<std::chrono::microseconds>(
                                                 std::chrono::nanoseconds{ts.tv_nsec});
}

struct Parts {
    int year;
    unsigned month, day;
    std::int64_t hour, minute, second, micros;
};

Parts split(Time time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{time - day};
    return {static_cast<int>(date.year()),     static_cast<unsigned>(date.month()),
            static_cast<unsigned>(date.day()), clock.hours().count(),
            clock.minutes().count(),           clock.seconds().count(),
            clock.subseconds().count()};
}

// Reads exactly `width` digits at `pos`; false if there are not that many.
bool digits(std::string_view text, std::size_t& pos, std::size_t width, int& out) {
    if (pos + width > text.size()) return false;
    out = 0;
    for (std::size_t i = 0; i < width; ++i, ++pos) {
        if (text[pos] < '0' || text[pos] > '9') return false;
        out = out * 10 + (text[pos] - '0');
    }
    return true;
}

bool literal(std::string_view text, std::size_t& pos, char c) {
    if (pos >= text.size() || text[pos] != c) return false;
    ++pos;
    return true;
}

}  // namespace

Time SystemClock::now() const { return Time{read_clock(CLOCK_REALTIME)}; }
SteadyTime SystemClock::steady() const { return SteadyTime{read_clock(CLOCK_BOOTTIME)}; }

std::string to_rfc3339(Time time) {
    const Parts p = split(time);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", p.year, p.month, p.day, p.hour,
                       p.minute, p.second, p.micros);
}

std::optional<Time> parse_rfc3339(std::string_view text) {
    std::size_t pos = 0;
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    const bool date = digits(text, pos, 4, year) && literal(text, pos, '-') &&
                      digits(text, pos, 2, month) && literal(text, pos, '-') &&
                      digits(text, pos, 2, day);
    if (!date || pos >= text.size() || (text[pos] != 'T' && text[pos] != 't' && text[pos] != ' '))
        return {};
    ++pos;
    if (!digits(text, pos, 2, hour) || !literal(text, pos, ':') || !digits(text, pos, 2, minute) ||
        !literal(text, pos, ':') || !digits(text, pos, 2, second))
        return {};
    std::int64_t micros = 0;
    if (literal(text, pos, '.')) {
        std::int64_t unit = 100'000;
        const std::size_t first = pos;
        for (; pos < text.size() && text[pos] >= '0' && text[pos] <= '9'; ++pos, unit /= 10)
            micros += (text[pos] - '0') * unit;
        if (pos == first) return {};
    }
    int offset_minutes = 0;
    if (pos < text.size() && (text[pos] == 'Z' || text[pos] == 'z')) {
        ++pos;
    } else if (pos < text.size() && (text[pos] == '+' || text[pos] == '-')) {
        const int sign = text[pos++] == '-' ? -1 : 1;
        int h = 0, m = 0;
        if (!digits(text, pos, 2, h) || !literal(text, pos, ':') || !digits(text, pos, 2, m))
            return {};
        if (h > 23 || m > 59) return {};
        offset_minutes = sign * (h * 60 + m);
    } else {
        return {};
    }
    const std::chrono::year_month_day ymd{std::chrono::year{year},
                                          std::chrono::month{static_cast<unsigned>(month)},
                                          std::chrono::day{static_cast<unsigned>(day)}};
    if (pos != text.size() || !ymd.ok() || hour > 23 || minute > 59 || second > 59) return {};
    return Time{std::chrono::sys_days{ymd}} + std::chrono::hours{hour} +
           std::chrono::minutes{minute - offset_minutes} + std::chrono::seconds{second} +
           std::chrono::microseconds{micros};
}

std::string to_go_text(Time time) {
    const Parts p = split(time);
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} +0000 UTC", p.year, p.month, p.day,
                       p.hour, p.minute, p.second);
}

std::string to_utc_day(Time time) {
    const Parts p = split(time);
    return fmt::format("{:04}-{:02}-{:02}", p.year, p.month, p.day);
}

}  // namespace berth
