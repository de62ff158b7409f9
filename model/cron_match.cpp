// Which days and seconds a Cron matches. A month is one word of bits, so even a
// search over decades costs microseconds.
#include <bit>

#include "model/cron.h"

namespace berth {
namespace {

using namespace std::chrono;

constexpr std::uint32_t kEverySeventh = 1u | 1u << 7 | 1u << 14 | 1u << 21 | 1u << 28;

std::uint32_t bit(int n) { return std::uint32_t{1} << n; }

// A month as the day fields see it. Days count from 1, weekdays from Sunday = 0.
struct MonthShape {
    int first_weekday;
    int days;

    static MonthShape of(year_month month) {
        return {static_cast<int>(weekday{sys_days{month / 1}}.c_encoding()),
                static_cast<int>(static_cast<unsigned>((month / last).day()))};
    }

    std::uint32_t all() const { return (bit(days) - 1) << 1; }
    int weekday_of(int day) const { return (first_weekday + day - 1) % 7; }
    int first(int weekday) const { return 1 + (weekday - first_weekday + 7) % 7; }

    // The workday nearest to `day` within the month.
    int workday_near(int day) const {
        switch (weekday_of(day)) {
            case 6: return day > 1 ? day - 1 : day + 2;
            case 0: return day < days ? day + 1 : day - 2;
            default: return day;
        }
    }
};

template <typename Visit>
void each_bit(std::uint64_t bits, Visit visit) {
    for (; bits != 0; bits &= bits - 1)
        visit(std::countr_zero(bits));
}

std::uint32_t month_days(const Cron& cron, const MonthShape& month) {
    std::uint32_t found = cron.days & month.all();
    each_bit(cron.days_from_last, [&](int back) {
        if (back < month.days) found |= bit(month.days - back);
    });
    each_bit(cron.workdays_near, [&](int day) {
        if (day <= month.days) found |= bit(month.workday_near(day));
    });
    each_bit(cron.workdays_near_last, [&](int back) {
        if (back < month.days) found |= bit(month.workday_near(month.days - back));
    });
    return found;
}

std::uint32_t weekday_days(const Cron& cron, const MonthShape& month) {
    std::uint32_t found = 0;
    each_bit(cron.weekdays, [&](int weekday) { found |= kEverySeventh << month.first(weekday); });
    each_bit(cron.last_weekdays, [&](int weekday) {
        const int first = month.first(weekday);
        found |= bit(first + (month.days - first) / 7 * 7);
    });
    each_bit(cron.nth_weekdays, [&](int index) {
        const int day = month.first(index % 7) + index / 7 * 7;
        if (day <= month.days) found |= bit(day);
    });
    return found & month.all();
}

// Or-ed when both fields are restricted, and-ed when one began with a star.
std::uint32_t days_in(const Cron& cron, const MonthShape& month) {
    const auto by_day = month_days(cron, month);
    const auto by_weekday = weekday_days(cron, month);
    return cron.day_star || cron.weekday_star ? by_day & by_weekday : by_day | by_weekday;
}

// The lowest bit at or above `from`; -1 when there is none.
int lowest(std::uint64_t bits, int from) {
    if (from > 63) return -1;
    bits &= ~std::uint64_t{0} << from;
    return bits == 0 ? -1 : std::countr_zero(bits);
}

// The first matching second of a day at or after `from`; -1 when there is none.
std::int64_t next_in_day(const Cron& cron, std::int64_t from) {
    const int hour = static_cast<int>(from / 3600);
    const int minute = static_cast<int>(from / 60 % 60);
    const int second = static_cast<int>(from % 60);
    const int at_hour = lowest(cron.hours, hour);
    if (at_hour < 0) return -1;
    const int first_minute = std::countr_zero(cron.minutes);
    const int first_second = std::countr_zero(cron.seconds);
    if (at_hour > hour) return at_hour * 3600 + first_minute * 60 + first_second;

    const int at_minute = lowest(cron.minutes, minute);
    if (at_minute == minute) {
        if (const int at_second = lowest(cron.seconds, second); at_second >= 0)
            return hour * 3600 + minute * 60 + at_second;
    }
    if (const int later = lowest(cron.minutes, minute + 1); later >= 0)
        return hour * 3600 + later * 60 + first_second;
    const int later = lowest(cron.hours, hour + 1);
    return later < 0 ? -1 : later * 3600 + first_minute * 60 + first_second;
}

}  // namespace

std::uint32_t Cron::days_of(year_month month) const {
    if ((months >> static_cast<unsigned>(month.month()) & 1) == 0) return 0;
    return days_in(*this, MonthShape::of(month));
}

bool Cron::some_date_matches() const {
    // All the lengths of a month, each of which begins on every weekday some day.
    struct Length {
        int days;
        std::uint16_t months;  // that have it
    };
    constexpr std::uint16_t kFebruary = 1 << 2;
    constexpr std::uint16_t kShort = 1 << 4 | 1 << 6 | 1 << 9 | 1 << 11;
    constexpr std::uint16_t kLong = 0x1ffe & ~(kFebruary | kShort);
    for (const Length length :
         {Length{28, kFebruary}, Length{29, kFebruary}, Length{30, kShort}, Length{31, kLong}}) {
        if ((months & length.months) == 0) continue;
        for (int first = 0; first < 7; ++first)
            if (days_in(*this, MonthShape{first, length.days}) != 0) return true;
    }
    return false;
}

std::optional<local_seconds> Cron::next(local_seconds from, local_seconds end) const {
    if (from >= end) return {};
    const auto first_day = floor<std::chrono::days>(from);
    const year_month_day date{first_day};
    const auto last_day = floor<std::chrono::days>(end - std::chrono::seconds{1});
    const year_month_day last_date{last_day};
    const year_month last_month{last_date.year(), last_date.month()};

    std::int64_t second = (from - first_day).count();
    int day = static_cast<int>(static_cast<unsigned>(date.day()));
    for (year_month at{date.year(), date.month()}; at <= last_month; at += std::chrono::months{1}) {
        const auto matching = days_of(at);
        for (int found = lowest(matching, day); found >= 0; found = lowest(matching, found + 1)) {
            const auto in_day = next_in_day(*this, found == day ? second : 0);
            if (in_day < 0) continue;
            const local_seconds time = local_days{at / found} + std::chrono::seconds{in_day};
            if (time >= end) return {};
            return time;
        }
        day = 1;
        second = 0;
    }
    return {};
}

bool Cron::matches(local_seconds at) const {
    const auto found = next(at, at + std::chrono::seconds{1});
    return found.has_value();
}

}  // namespace berth
