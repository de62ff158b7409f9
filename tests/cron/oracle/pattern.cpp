#include "tests/cron/oracle/pattern.h"

#include <ctime>
#include <sstream>

namespace berth::oracle {
namespace {

std::vector<std::string> cut(const std::string& text, char at) {
    std::vector<std::string> parts;
    std::istringstream in{text};
    for (std::string part; std::getline(in, part, at);)
        parts.push_back(part);
    return parts;
}

// A number, or the first three letters of a name.
int value_of(const std::string& word, const std::string& names, int first) {
    if (word[0] >= '0' && word[0] <= '9') return std::stoi(word);
    std::string upper;
    for (const char c : word.substr(0, 3))
        upper += static_cast<char>(c & ~0x20);
    return static_cast<int>(names.find(upper)) / 3 + first;
}

const std::string kMonths = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC";
const std::string kWeekdays = "SUNMONTUEWEDTHUFRISAT";

// The numbers an item names: a walk around the circle from `least` to `most`.
std::set<int> expand(const std::string& item, int least, int most, const std::string& names,
                     int first_name) {
    const auto pieces = cut(item, '/');
    const int step = pieces.size() > 1 ? std::stoi(pieces[1]) : 1;
    const bool weekday = most == 6;  // where 7 is Sunday as well
    int from = least, to = most;
    if (pieces[0] != "*" && pieces[0] != "?") {
        const auto ends = cut(pieces[0], '-');
        from = value_of(ends[0], names, first_name);
        if (ends.size() > 1)
            to = value_of(ends[1], names, first_name);
        else if (pieces.size() == 1 || (weekday && from == 7))
            to = from;
    }
    if (weekday && to == 7 && from != 0) to = 0;
    if (weekday && to == 7) to = 6;
    if (weekday && from == 7) from = 0;

    std::set<int> found;
    for (int value = from, walked = 0;; ++walked) {
        if (walked % step == 0) found.insert(value);
        if (value == to) return found;
        value = value == most ? least : value + 1;
    }
}

std::set<int> expand_list(const std::string& field, int least, int most,
                          const std::string& names = {}, int first_name = 0) {
    std::set<int> all;
    for (const auto& item : cut(field, ','))
        all.merge(expand(item, least, most, names, first_name));
    return all;
}

bool is_workday(int weekday) { return weekday != 0 && weekday != 6; }

// Whether `date` is the workday nearest to `target` in its month.
bool is_nearest_workday(const Date& date, int target) {
    const auto weekday_of = [&](int day) { return ((date.weekday + day - date.day) % 7 + 7) % 7; };
    const int length = date.month_length();
    if (target < 1 || target > length) return false;
    for (const int step : {0, -1, 1, -2, 2}) {
        const int day = target + step;
        if (day >= 1 && day <= length && is_workday(weekday_of(day))) return day == date.day;
    }
    return false;
}

}  // namespace

Date Date::of(std::int64_t days_since_1970) {
    const std::time_t t = days_since_1970 * 86'400;
    std::tm tm{};
    ::gmtime_r(&t, &tm);
    return {tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_wday};
}

int Date::month_length() const {
    if (month == 2) return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

TextPattern::TextPattern(const std::string& text) {
    std::istringstream in{text};
    std::string minute, hour, day, month, weekday;
    in >> minute >> hour >> day >> month >> weekday;
    const auto in_hour = expand_list(minute, 0, 59);
    for (const int h : expand_list(hour, 0, 23))
        for (const int m : in_hour)
            minutes_.set(static_cast<std::size_t>(h * 60 + m));
    months_ = expand_list(month, 1, 12, kMonths, 1);
    days_ = cut(day, ',');
    weekdays_ = cut(weekday, ',');
    day_star_ = day[0] == '*' || day[0] == '?';
    weekday_star_ = weekday[0] == '*' || weekday[0] == '?';
    wildcard_ = minute[0] == '*' || hour[0] == '*';
}

bool TextPattern::month_day_matches(const Date& date) const {
    const int length = date.month_length();
    for (const auto& item : days_) {
        if (item[0] == 'L') {
            const bool workday = item.back() == 'W';
            const auto dash = item.find('-');
            const int target =
                length - (dash == std::string::npos ? 0 : std::stoi(&item[dash + 1]));
            if (workday ? is_nearest_workday(date, target) : date.day == target) return true;
        } else if (item.back() == 'W') {
            if (is_nearest_workday(date, std::stoi(item))) return true;
        } else if (expand(item, 1, 31, {}, 0).contains(date.day)) {
            return true;
        }
    }
    return false;
}

bool TextPattern::weekday_matches(const Date& date) const {
    for (const auto& item : weekdays_) {
        if (const auto mark = item.find('#'); mark != std::string::npos) {
            const int weekday = value_of(item.substr(0, mark), kWeekdays, 0) % 7;
            if (weekday == date.weekday && (date.day + 6) / 7 == std::stoi(&item[mark + 1]))
                return true;
        } else if (item.back() == 'L') {
            const int weekday = value_of(item.substr(0, item.size() - 1), kWeekdays, 0) % 7;
            if (weekday == date.weekday && date.day + 7 > date.month_length()) return true;
        } else if (expand(item, 0, 6, kWeekdays, 0).contains(date.weekday)) {
            return true;
        }
    }
    return false;
}

bool TextPattern::day_matches(const Date& date) const {
    if (!months_.contains(date.month)) return false;
    const bool day = month_day_matches(date), weekday = weekday_matches(date);
    return day_star_ || weekday_star_ ? day && weekday : day || weekday;
}

}  // namespace berth::oracle
