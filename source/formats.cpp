#include "source/formats.h"

#include <re2/re2.h>

#include <chrono>
#include <optional>

#include "base/text.h"

namespace berth {
namespace {

constexpr std::int64_t kPatternMemory = 1 << 20;

// Takes `count` digits off the front of `text`.
std::optional<unsigned> take_digits(std::string_view& text, std::size_t count) {
    if (text.size() < count) return {};
    const auto value = to_number<unsigned>(text.substr(0, count));
    text.remove_prefix(count);
    return value;
}

bool take(std::string_view& text, char c) {
    if (text.empty() || text[0] != c) return false;
    text.remove_prefix(1);
    return true;
}

bool take_date(std::string_view& text) {
    const auto year = take_digits(text, 4);
    const bool dash = take(text, '-');
    const auto month = take_digits(text, 2);
    const bool second_dash = take(text, '-');
    const auto day = take_digits(text, 2);
    if (!year || !dash || !month || !second_dash || !day) return false;
    return std::chrono::year_month_day{std::chrono::year{static_cast<int>(*year)},
                                       std::chrono::month{*month}, std::chrono::day{*day}}
        .ok();
}

bool take_clock(std::string_view& text) {  // 20:04, 20:04:21, 20:04:21.5
    const auto hour = take_digits(text, 2);
    const bool colon = take(text, ':');
    const auto minute = take_digits(text, 2);
    if (!hour || *hour > 23 || !colon || !minute || *minute > 59) return false;
    if (!take(text, ':')) return true;
    const auto second = take_digits(text, 2);
    if (!second || *second > 60) return false;
    if (!take(text, '.')) return true;
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(digits);
    return digits > 0;
}

bool take_zone(std::string_view& text) {  // nothing, Z, +01:00
    if (text.empty() || take(text, 'Z') || take(text, 'z')) return true;
    if (!take(text, '+') && !take(text, '-')) return false;
    const auto hour = take_digits(text, 2);
    const bool colon = take(text, ':');
    const auto minute = take_digits(text, 2);
    return hour && *hour <= 23 && colon && minute && *minute <= 59;
}

}  // namespace

std::shared_ptr<re2::RE2> compile_pattern(const std::string& pattern) {
    RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kPatternMemory);
    return std::make_shared<RE2>(pattern, options);
}

std::string_view check_format(std::string_view format, std::string_view text) {
    if (format == "date") return take_date(text) && text.empty() ? "" : "a date such as 2026-11-22";
    if (format == "time")
        return take_clock(text) && take_zone(text) && text.empty() ? "" : "a time such as 20:04:21";
    if (format == "date-time") {
        const bool fits = take_date(text) &&
                          (take(text, 'T') || take(text, 't') || take(text, ' ')) &&
                          take_clock(text) && take_zone(text) && text.empty();
        return fits ? "" : "a date and time such as 2026-11-22T20:04:21Z";
    }
    return "";
}

}  // namespace berth
