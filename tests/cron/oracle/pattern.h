// The oracle's own reading of cron text: sets of numbers and a question per day,
// answered by counting days, with nothing shared with model/cron.
#pragma once

#include <bitset>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace berth::oracle {

// A date as gmtime_r tells it.
struct Date {
    int year, month, day, weekday;

    static Date of(std::int64_t days_since_1970);
    int month_length() const;
};

class TextPattern {
public:
    // A valid text of five fields.
    explicit TextPattern(const std::string& text);

    bool wildcard() const { return wildcard_; }
    bool day_matches(const Date& date) const;
    bool minute_matches(std::int64_t minute_of_day) const {
        return minutes_[static_cast<std::size_t>(minute_of_day)];
    }

private:
    bool month_day_matches(const Date& date) const;
    bool weekday_matches(const Date& date) const;

    std::bitset<1440> minutes_;
    std::set<int> months_;
    std::vector<std::string> days_, weekdays_;  // items of the two lists
    bool day_star_, weekday_star_, wildcard_;
};

}  // namespace berth::oracle
