#include "model/zone_rule.h"

#include <chrono>
#include <utility>

#include "base/text.h"

namespace berth {
namespace {

constexpr std::int64_t kDay = 86'400;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// In days since 1970-01-01.
std::int64_t first_of_january(int year) {
    using namespace std::chrono;
    return sys_days{std::chrono::year{year} / 1 / 1}.time_since_epoch().count();
}

// Reads from the front of a text; every function leaves it alone when it fails.
class Reader {
public:
    explicit Reader(std::string_view text) : rest_{text} {}

    bool done() const { return rest_.empty(); }
    bool next_is(char c) const { return !rest_.empty() && rest_.front() == c; }
    bool take(char c) {
        if (!next_is(c)) return false;
        rest_.remove_prefix(1);
        return true;
    }

    std::optional<int> number(int least, int most) {
        std::size_t size = 0;
        while (size < rest_.size() && is_digit(rest_[size]))
            ++size;
        const auto value = to_number<int>(rest_.substr(0, size));
        if (!value || *value < least || *value > most) return {};
        rest_.remove_prefix(size);
        return value;
    }

    // `CET`, or `<+0330>`; three to six characters in a valid file, up to 15 here.
    std::optional<std::string> name() {
        const bool quoted = take('<');
        std::size_t size = 0;
        while (size < rest_.size() &&
               (is_letter(rest_[size]) ||
                (quoted && (is_digit(rest_[size]) || rest_[size] == '+' || rest_[size] == '-'))))
            ++size;
        if (size < 3 || size > 15) return {};
        std::string name{rest_.substr(0, size)};
        rest_.remove_prefix(size);
        if (quoted && !take('>')) return {};
        return name;
    }

    // `[+-]h[h[h]][:mm[:ss]]` in seconds.
    std::optional<std::int32_t> time(int most_hours) {
        const int sign = take('-') ? -1 : 1;
        if (sign == 1) take('+');
        const auto hours = number(0, most_hours);
        if (!hours) return {};
        std::int32_t seconds = *hours * 3600;
        for (const int unit : {60, 1}) {
            if (!take(':')) break;
            const auto value = number(0, 59);
            if (!value) return {};
            seconds += *value * unit;
        }
        return sign * seconds;
    }

    std::optional<YearlyChange> change() {
        YearlyChange change;
        if (take('M')) {
            const auto month = number(1, 12);
            if (!month || !take('.')) return {};
            const auto week = number(1, 5);
            if (!week || !take('.')) return {};
            const auto weekday = number(0, 6);
            if (!weekday) return {};
            change.month = static_cast<std::uint8_t>(*month);
            change.week = static_cast<std::uint8_t>(*week);
            change.number = static_cast<std::uint16_t>(*weekday);
        } else {
            change.day = take('J') ? YearlyChange::Day::julian : YearlyChange::Day::zero_based;
            const bool julian = change.day == YearlyChange::Day::julian;
            const auto day = number(julian ? 1 : 0, 365);
            if (!day) return {};
            change.number = static_cast<std::uint16_t>(*day);
        }
        if (take('/')) {
            const auto at = time(167);
            if (!at) return {};
            change.time = *at;
        }
        return change;
    }

private:
    std::string_view rest_;
};

std::optional<ZoneRule> read_rule(std::string_view text) {
    Reader reader{text};
    ZoneRule rule;
    auto name = reader.name();
    if (!name) return {};
    rule.standard.abbreviation = std::move(*name);
    const auto west = reader.time(24);
    if (!west) return {};
    rule.standard.offset = -*west;
    if (reader.done()) return rule;

    ZoneRule::Summer summer;
    name = reader.name();
    if (!name) return {};
    summer.abbreviation = std::move(*name);
    summer.offset = rule.standard.offset + 3600;
    if (!reader.next_is(',')) {
        const auto summer_west = reader.time(24);
        if (!summer_west) return {};
        summer.offset = -*summer_west;
    }
    // Without dates a reader would have to guess; a zone file has them.
    for (YearlyChange* change : {&summer.begin, &summer.end}) {
        if (!reader.take(',')) return {};
        const auto read = reader.change();
        if (!read) return {};
        *change = *read;
    }
    if (!reader.done()) return {};
    rule.summer = std::move(summer);
    return rule;
}

}  // namespace

std::int64_t YearlyChange::local_in(int year) const {
    using namespace std::chrono;
    switch (day) {
        case Day::zero_based: return (first_of_january(year) + number) * kDay + time;
        case Day::julian: {
            const bool after_leap_day = number >= 60 && std::chrono::year{year}.is_leap();
            return (first_of_january(year) + number - 1 + (after_leap_day ? 1 : 0)) * kDay + time;
        }
        case Day::weekday: {
            const auto of_month = std::chrono::year{year} / std::chrono::month{month};
            const weekday wanted{number};
            const sys_days date =
                week == 5 ? sys_days{of_month / wanted[last]} : sys_days{of_month / wanted[week]};
            return date.time_since_epoch().count() * kDay + time;
        }
    }
    std::abort();
}

Result<ZoneRule> ZoneRule::parse(std::string_view text) {
    auto rule = read_rule(text);
    if (!rule)
        return fail(FailureKind::invalid, "cannot read the zone rule '{}'", printable(text, 80));
    return *std::move(rule);
}

std::array<ZoneRule::Change, 2> ZoneRule::changes_in(int year) const {
    const Change begin{summer->begin.local_in(year) - standard.offset, true};
    const Change end{summer->end.local_in(year) - summer->offset, false};
    if (begin.at < end.at) return {begin, end};
    return {end, begin};
}

}  // namespace berth
