#include "model/schedule_words.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <vector>

#include "base/overloaded.h"

namespace berth {
namespace {

constexpr std::array kMonthNames{"January",   "February", "March",    "April",
                                 "May",       "June",     "July",     "August",
                                 "September", "October",  "November", "December"};
constexpr std::array kWeekdayNames{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};
constexpr std::size_t kMostTimes = 6;  // written out as 02:30, 14:30, ...

std::vector<int> bits_of(std::uint64_t bits) {
    std::vector<int> found;
    for (; bits != 0; bits &= bits - 1)
        found.push_back(std::countr_zero(bits));
    return found;
}

// `a`, `a and b`, `a, b and c`.
std::string join(const std::vector<std::string>& items) {
    std::string text;
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (i > 0) text += i + 1 == items.size() ? " and " : ", ";
        text += items[i];
    }
    return text;
}

std::string ordinal(int n) {
    const bool teen = n % 100 >= 11 && n % 100 <= 13;
    const char* end = teen || n % 10 > 3 || n % 10 == 0 ? "th"
                      : n % 10 == 1                     ? "st"
                      : n % 10 == 2                     ? "nd"
                                                        : "rd";
    return std::to_string(n) + end;
}

// A run of neighbours, perhaps around the end of the circle (Friday to Monday).
struct Stretch {
    int first, last;
};

std::vector<Stretch> stretches(std::uint64_t bits, int least, int count) {
    const auto has = [&](int n) { return (bits >> (least + (n + count) % count) & 1) != 0; };
    std::vector<Stretch> found;
    for (int n = 0; n < count; ++n) {
        if (!has(n) || has(n - 1)) continue;  // not the first of its run
        int last = n;
        while (last + 1 < n + count && has(last + 1))
            ++last;
        found.push_back({least + n, least + last % count});
    }
    return found;
}

// Names of values; three or more neighbours become `first to last`.
template <typename Name>
std::string names(std::uint64_t bits, int least, int count, Name name) {
    std::vector<std::string> items;
    for (const auto& [first, last] : stretches(bits, least, count)) {
        const int size = (last - first + count) % count + 1;
        if (size >= 3) {
            items.push_back(name(first) + " to " + name(last));
        } else {
            items.push_back(name(first));
            if (size == 2) items.push_back(name(last));
        }
    }
    return join(items);
}

struct Steps {
    int first, step;
};

// Equal steps that also fit around the end, as 0, 15, 30, 45 in an hour.
std::optional<Steps> even_steps(std::uint64_t bits, int count) {
    const auto values = bits_of(bits);
    if (values.size() < 2) return {};
    const int step = values[1] - values[0];
    if (step < 2 || count % step != 0) return {};
    if (static_cast<int>(values.size()) != count / step) return {};
    for (std::size_t i = 1; i < values.size(); ++i)
        if (values[i] - values[i - 1] != step) return {};
    return Steps{values[0], step};
}

bool all(std::uint64_t bits, int count) { return std::popcount(bits) == count; }

std::string plain_list(std::uint64_t bits, int count) {
    return names(bits, 0, count, [](int n) { return std::to_string(n); });
}

// `every 10 seconds`, `at minutes 5 and 20`; `of` closes a list: ` of every hour`.
std::string part_phrase(std::uint64_t bits, std::string_view unit, std::string_view of) {
    if (all(bits, 60)) return fmt::format("every {}", unit);
    if (const auto steps = even_steps(bits, 60)) {
        if (steps->first == 0) return fmt::format("every {} {}s", steps->step, unit);
        return fmt::format("every {} {}s from {} {}", steps->step, unit, unit, steps->first);
    }
    const bool one = std::popcount(bits) == 1;
    return fmt::format("at {}{} {}{}", unit, one ? "" : "s", plain_list(bits, 60), of);
}

std::string hours_phrase(std::uint32_t hours) {
    if (const auto steps = even_steps(hours, 24))
        return fmt::format(" of every {} hour from {:02}:00", ordinal(steps->step), steps->first);
    const auto runs = stretches(hours, 0, 24);
    if (runs.size() == 1 && runs[0].first != runs[0].last)
        return fmt::format(" from {:02}:00 to {:02}:59", runs[0].first, runs[0].last);
    return fmt::format(" of hour{} {}", std::popcount(hours) == 1 ? "" : "s",
                       plain_list(hours, 24));
}

// Clock times one by one; empty when there are too many.
std::string times_phrase(const Cron& cron) {
    std::vector<std::string> times;
    const bool seconds = cron.seconds != 1;
    for (const int hour : bits_of(cron.hours)) {
        for (const int minute : bits_of(cron.minutes)) {
            for (const int second : bits_of(cron.seconds)) {
                if (times.size() == kMostTimes) return {};
                times.push_back(fmt::format("{:02}:{:02}", hour, minute));
                if (seconds) times.back() += fmt::format(":{:02}", second);
            }
        }
    }
    return "at " + join(times);
}

std::string clock_phrase(const Cron& cron) {
    const bool every_hour = all(cron.hours, 24);
    if (!every_hour)
        if (auto times = times_phrase(cron); !times.empty()) return times;

    std::string text;
    if (cron.seconds != 1) {
        text = part_phrase(cron.seconds, "second", all(cron.minutes, 60) ? " of every minute" : "");
        if (all(cron.minutes, 60)) return every_hour ? text : text + hours_phrase(cron.hours);
        text += ", ";
    }
    if (cron.minutes == 1 && cron.seconds == 1) {
        if (every_hour) return "every hour";
        const auto steps = even_steps(cron.hours, 24);
        if (steps && steps->first == 0) return fmt::format("every {} hours", steps->step);
    }
    text += part_phrase(cron.minutes, "minute", every_hour ? " of every hour" : "");
    return every_hour ? text : text + hours_phrase(cron.hours);
}

std::string month_name(int n) { return kMonthNames[static_cast<std::size_t>(n - 1)]; }
std::string weekday_name(int n) { return kWeekdayNames[static_cast<std::size_t>(n % 7)]; }

std::string months_phrase(const Cron& cron) { return names(cron.months, 1, 12, month_name); }
bool all_months(const Cron& cron) { return std::popcount(cron.months) == 12; }

std::string of_month(const Cron& cron) {
    return all_months(cron) ? " of the month" : " of " + months_phrase(cron);
}

std::string before_last(int back) {
    if (back == 0) return "the last day";
    return fmt::format("the day {} day{} before the last", back, back == 1 ? "" : "s");
}

std::string days_phrase(const Cron& cron) {
    std::vector<std::string> items;
    if (cron.days != 0) items.push_back("the " + names(cron.days, 1, 31, ordinal));
    for (const int back : bits_of(cron.days_from_last))
        items.push_back(before_last(back));
    for (const int day : bits_of(cron.workdays_near))
        items.push_back(fmt::format("the workday nearest to the {}", ordinal(day)));
    for (const int back : bits_of(cron.workdays_near_last))
        items.push_back(back == 0 ? std::string{"the last workday"}
                                  : "the workday nearest to " + before_last(back));
    return join(items);
}

// `Monday to Friday`, `the 2nd Friday`; the latter are of a month.
std::string weekdays_phrase(const Cron& cron, std::string_view of) {
    std::vector<std::string> items;
    if (cron.weekdays != 0) items.push_back(names(cron.weekdays, 0, 7, weekday_name));
    for (const int index : bits_of(cron.nth_weekdays))
        items.push_back(
            fmt::format("the {} {}{}", ordinal(index / 7 + 1), weekday_name(index), of));
    for (const int weekday : bits_of(cron.last_weekdays))
        items.push_back(fmt::format("the last {}{}", weekday_name(weekday), of));
    return join(items);
}

std::string date_phrase(const Cron& cron) {
    const bool any_day = all(cron.days, 31);
    const bool any_weekday = all(cron.weekdays, 7);
    const bool both = cron.day_star || cron.weekday_star;  // both must match
    const auto in_months = all_months(cron) ? std::string{} : " in " + months_phrase(cron);
    // Or-ed with each day, the other field says nothing.
    if (both ? any_day && any_weekday : any_day || any_weekday) return "every day" + in_months;
    auto on_days = "on " + days_phrase(cron) + of_month(cron);
    if (any_weekday) return on_days;
    if (any_day) {
        const bool only_plain = cron.nth_weekdays == 0 && cron.last_weekdays == 0;
        return "on " + (only_plain ? weekdays_phrase(cron, {}) + in_months
                                   : weekdays_phrase(cron, of_month(cron)));
    }
    const auto weekdays = weekdays_phrase(cron, " of the month");
    if (both) return on_days + ", if that is " + weekdays;
    return on_days + ", and also on " + weekdays + in_months;
}

std::string cron_words(const Cron& cron) {
    auto clock = clock_phrase(cron);
    const auto date = date_phrase(cron);
    const bool often = all(cron.hours, 24) || times_phrase(cron).empty();
    if (date == "every day" && often) return clock;
    return clock + (often ? ", " : " ") + date;
}

struct Unit {
    std::int64_t seconds;
    std::string_view letter, word;
};
constexpr std::array kUnits{Unit{86'400, "d", "day"}, Unit{3600, "h", "hour"},
                            Unit{60, "min", "minute"}, Unit{1, "s", "second"}};

// In the largest unit that is exact: `every hour`, `every 90 minutes`.
std::string interval_words(const Interval& interval) {
    const auto seconds = interval.step.count();
    for (const Unit& unit : kUnits) {
        if (seconds % unit.seconds != 0) continue;
        if (seconds == unit.seconds) return fmt::format("every {}", unit.word);
        return fmt::format("every {} {}s", seconds / unit.seconds, unit.word);
    }
    std::abort();  // a second is always exact
}

}  // namespace

std::string in_words(const Pattern& pattern) {
    return std::visit(overloaded{[](const Cron& cron) { return cron_words(cron); },
                                 [](const Interval& interval) { return interval_words(interval); }},
                      pattern);
}

std::string in_words(std::chrono::seconds duration) {
    auto left = duration.count();
    std::string text;
    for (const Unit& unit : kUnits) {
        if (left < unit.seconds) continue;
        text += fmt::format("{}{} {}", text.empty() ? "" : " ", left / unit.seconds, unit.letter);
        left %= unit.seconds;
    }
    return text.empty() ? "0 s" : text;
}

}  // namespace berth
