#include "model/cron_field.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <vector>

#include "base/text.h"

namespace berth {
namespace {

using std::string_view;

constexpr std::array<string_view, 12> kMonths{"january",   "february", "march",    "april",
                                              "may",       "june",     "july",     "august",
                                              "september", "october",  "november", "december"};
constexpr std::array<string_view, 7> kWeekdays{"sunday",   "monday", "tuesday", "wednesday",
                                               "thursday", "friday", "saturday"};

tl::unexpected<TextError> wrong(FieldText at, std::string message) {
    return tl::unexpected<TextError>{TextError{at.offset, at.text.size(), std::move(message)}};
}

FieldText part(FieldText of, std::size_t from, std::size_t size = string_view::npos) {
    return {of.text.substr(from, size), of.offset + from};
}

std::vector<FieldText> list_items(FieldText field) {
    std::vector<FieldText> items;
    for (std::size_t from = 0;;) {
        const auto comma = field.text.find(',', from);
        if (comma == string_view::npos) {
            items.push_back(part(field, from));
            return items;
        }
        items.push_back(part(field, from, comma - from));
        from = comma + 1;
    }
}

bool all_digits(string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == string_view::npos;
}

// A number of up to four digits; what is longer is out of every range anyway.
std::optional<int> small_number(string_view text) {
    if (!all_digits(text) || text.size() > 4) return {};
    return to_number<int>(text);
}

// `MON`, `Tues`, `wednesday`: the first three letters or more.
std::optional<int> word_value(const FieldKind& kind, string_view text) {
    const auto lower = to_lower_ascii(text.substr(0, 16));
    for (std::size_t i = 0; i < kind.words.size(); ++i) {
        if (lower.size() >= 3 && kind.words[i].starts_with(lower))
            return kind.first_word + static_cast<int>(i);
    }
    return {};
}

std::string range_text(const FieldKind& kind) {
    if (kind.words.empty()) return fmt::format("{} to {}", kind.least, kind.most);
    return fmt::format("{} to {}, or {} to {}", kind.least, kind.most,
                       to_upper_ascii(kind.words.front().substr(0, 3)),
                       to_upper_ascii(kind.words.back().substr(0, 3)));
}

// Why this is no value; a cure for what people bring along from other schedulers.
tl::unexpected<TextError> no_value(const FieldKind& kind, FieldText item) {
    const auto text = item.text;
    if (text.empty())
        return wrong(item,
                     fmt::format("the {} is missing here: write {}", kind.name, range_text(kind)));
    if (all_digits(text))
        return wrong(item, fmt::format("{} {} is out of range: write {}", kind.name,
                                       printable(text, 20), range_text(kind)));
    if (text == "?")
        return wrong(item,
                     fmt::format("'?' is for day fields only: write '*' for each {}", kind.name));
    if (text[0] == 'H' || text[0] == 'h' || text.find('~') != string_view::npos)
        return wrong(item, fmt::format("'{}' asks for a random {}: write a fixed one and give the "
                                       "schedule a jitter instead",
                                       printable(text, 20), kind.name));
    if (text.find('*') != string_view::npos)
        return wrong(item, fmt::format("'{}' is not a {}: '*' stands alone or before a step, as in "
                                       "'*/15'",
                                       printable(text, 20), kind.name));
    return wrong(item, fmt::format("'{}' is not a {}: write {}", printable(text, 20), kind.name,
                                   range_text(kind)));
}

tl::expected<int, TextError> parse_value(const FieldKind& kind, FieldText item) {
    auto value = small_number(item.text);
    if (!value) value = word_value(kind, item.text);
    if (!value || *value < kind.least || *value > kind.most) return no_value(kind, item);
    return *value;
}

tl::expected<int, TextError> parse_step(const FieldKind& kind, FieldText item) {
    const auto step = small_number(item.text);
    if (item.text.empty() || (!all_digits(item.text)))
        return wrong(item,
                     fmt::format("the step after '/' is not a number: write 1 to {}", kind.count));
    if (step == 0)
        return wrong(item, fmt::format("a step of 0 leads nowhere: write 1 to {}", kind.count));
    if (!step || *step > kind.count)
        return wrong(item, fmt::format("a step of {} is longer than there are {}s: write 1 to {}, "
                                       "or an interval such as '@every 90m'",
                                       printable(item.text, 20), kind.name, kind.count));
    return *step;
}

std::uint64_t bit(int n) { return std::uint64_t{1} << n; }

// From `first` to `last` by `step`; past the end it goes on at the beginning (FRI-MON).
std::uint64_t walk(const FieldKind& kind, int first, int last, int step) {
    if (last < first) last += kind.count;
    std::uint64_t bits = 0;
    for (int at = first; at <= last; at += step)
        bits |= bit(kind.least + (at - kind.least) % kind.count);
    return bits;
}

// `*`, `5`, `MON-FRI`, `*/15`, `10-40/5`, `5/10` (to the end of the range).
tl::expected<std::uint64_t, TextError> parse_item(const FieldKind& kind, FieldText item) {
    const auto slash = item.text.find('/');
    const FieldText range = part(item, 0, slash);
    int step = 1;
    if (slash != string_view::npos) {
        const auto read = parse_step(kind, part(item, slash + 1));
        if (!read) return tl::unexpected{read.error()};
        step = *read;
    }
    const int end = kind.least + kind.count - 1;
    if (range.text == "*") return walk(kind, kind.least, end, step);

    const auto dash = range.text.find('-');
    const auto first = parse_value(kind, part(range, 0, dash));
    if (!first) return tl::unexpected{first.error()};
    if (dash == string_view::npos)
        return walk(kind, *first, slash == string_view::npos ? *first : std::max(*first, end),
                    step);
    const auto last = parse_value(kind, part(range, dash + 1));
    if (!last) return tl::unexpected{last.error()};
    return walk(kind, *first, *last, step);
}

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

bool begins_with_star(string_view text) { return text.starts_with('*') || text == "?"; }

// `L`, `L-3`, `LW`, `L-3W`; nothing when the item is no such thing.
tl::expected<bool, TextError> parse_from_last(FieldText item, Cron& cron) {
    if (item.text.empty() || upper(item.text[0]) != 'L') return false;
    FieldText rest = part(item, 1);
    const bool workday = !rest.text.empty() && upper(rest.text.back()) == 'W';
    if (workday) rest.text.remove_suffix(1);
    int back = 0;
    if (!rest.text.empty()) {
        const auto number = rest.text[0] == '-' ? small_number(rest.text.substr(1)) : std::nullopt;
        if (!number || *number > 30)
            return wrong(item, fmt::format("cannot read '{}': write 'L' for the last day of the "
                                           "month, 'L-1' to 'L-30' for days before it, 'LW' for "
                                           "its last workday",
                                           printable(item.text, 20)));
        back = *number;
    }
    (workday ? cron.workdays_near_last : cron.days_from_last) |= std::uint32_t{1} << back;
    return true;
}

// `15W`.
tl::expected<bool, TextError> parse_workday(FieldText item, Cron& cron) {
    if (item.text.empty() || upper(item.text.back()) != 'W') return false;
    const auto day = small_number(item.text.substr(0, item.text.size() - 1));
    if (!day || *day < 1 || *day > 31)
        return wrong(item, fmt::format("cannot read '{}': 'W' follows one day, as in '15W', the "
                                       "workday nearest to the 15th",
                                       printable(item.text, 20)));
    cron.workdays_near |= std::uint32_t{1} << *day;
    return true;
}

// `5L`, `FRIL`: the last Friday.
tl::expected<bool, TextError> parse_last_weekday(FieldText item, Cron& cron) {
    if (item.text.empty() || upper(item.text.back()) != 'L') return false;
    if (item.text.size() == 1)
        return wrong(item,
                     "'L' needs a weekday before it: write 'FRIL' for the last Friday of the "
                     "month, 'SAT' for each Saturday");
    const auto day = parse_value(kWeekdayField, part(item, 0, item.text.size() - 1));
    if (!day) return tl::unexpected{day.error()};
    cron.last_weekdays |= static_cast<std::uint8_t>(bit(*day % 7));
    return true;
}

// `5#2`, `FRI#2`: the second Friday.
tl::expected<bool, TextError> parse_nth_weekday(FieldText item, Cron& cron) {
    const auto mark = item.text.find('#');
    if (mark == string_view::npos) return false;
    const auto day = parse_value(kWeekdayField, part(item, 0, mark));
    if (!day) return tl::unexpected{day.error()};
    const auto nth = small_number(item.text.substr(mark + 1));
    if (!nth || *nth < 1 || *nth > 5)
        return wrong(part(item, mark + 1),
                     "after '#' stands which one of the month, 1 to 5: "
                     "'FRI#2' is the second Friday");
    cron.nth_weekdays |= bit((*nth - 1) * 7 + *day % 7);
    return true;
}

using SpecialItem = tl::expected<bool, TextError> (*)(FieldText, Cron&);

// The plain values of a field whose items may also be special.
tl::expected<std::uint64_t, TextError> parse_list(const FieldKind& kind, FieldText field,
                                                  std::initializer_list<SpecialItem> specials,
                                                  Cron& cron) {
    std::uint64_t bits = 0;
    for (const FieldText item : list_items(field)) {
        bool taken = false;
        for (const SpecialItem special : specials) {
            const auto read = special(item, cron);
            if (!read) return tl::unexpected{read.error()};
            if ((taken = *read)) break;
        }
        if (taken) continue;
        const auto values = parse_item(kind, item);
        if (!values) return tl::unexpected{values.error()};
        bits |= *values;
    }
    return bits;
}

}  // namespace

const FieldKind kSecondField{"second", 0, 59, {}, 0, 60};
const FieldKind kMinuteField{"minute", 0, 59, {}, 0, 60};
const FieldKind kHourField{"hour", 0, 23, {}, 0, 24};
const FieldKind kDayField{"day of the month", 1, 31, {}, 0, 31};
const FieldKind kMonthField{"month", 1, 12, kMonths, 1, 12};
const FieldKind kWeekdayField{"day of the week", 0, 7, kWeekdays, 0, 7};

tl::expected<FieldValues, TextError> parse_plain_field(const FieldKind& kind, FieldText field) {
    Cron unused;
    const auto bits = parse_list(kind, field, {}, unused);
    if (!bits) return tl::unexpected{bits.error()};
    return FieldValues{*bits, field.text.starts_with('*')};
}

tl::expected<void, TextError> parse_day_field(FieldText field, Cron& cron) {
    cron.day_star = begins_with_star(field.text);
    if (field.text == "?") field.text = "*";
    const auto bits = parse_list(kDayField, field, {parse_from_last, parse_workday}, cron);
    if (!bits) return tl::unexpected{bits.error()};
    cron.days = static_cast<std::uint32_t>(*bits);
    return {};
}

tl::expected<void, TextError> parse_weekday_field(FieldText field, Cron& cron) {
    cron.weekday_star = begins_with_star(field.text);
    if (field.text == "?") field.text = "*";
    const auto bits =
        parse_list(kWeekdayField, field, {parse_last_weekday, parse_nth_weekday}, cron);
    if (!bits) return tl::unexpected{bits.error()};
    cron.weekdays = static_cast<std::uint8_t>(*bits);
    return {};
}

}  // namespace berth
