#include "model/interval.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "model/limits.h"

namespace berth {
namespace {

using namespace std::chrono;
using std::string_view;

constexpr seconds kLongest = limits::kLongestInterval;

tl::unexpected<TextError> wrong(std::size_t offset, std::size_t length, std::string message) {
    return tl::unexpected<TextError>{TextError{offset, length, std::move(message)}};
}

struct Unit {
    string_view letter, word;
    seconds length;
};
constexpr std::array kUnits{
    Unit{"s", "second", seconds{1}}, Unit{"m", "minute", minutes{1}}, Unit{"h", "hour", hours{1}},
    Unit{"d", "day", days{1}},       Unit{"w", "week", weeks{1}},
};

struct Word {
    string_view text;
    std::size_t offset;
};

Word next_word(string_view text, std::size_t& at) {
    at = std::min(text.find_first_not_of(" \t", at), text.size());
    const auto begin = at;
    at = std::min(text.find_first_of(" \t", at), text.size());
    return {text.substr(begin, at - begin), begin};
}

std::size_t count_digits(string_view text) {
    return std::min(text.find_first_not_of("0123456789"), text.size());
}

TextError too_long(Word word) {
    return {word.offset, word.text.size(), "an interval has at most 366 days"};
}

// One number of units that still fits; nothing when it does not.
std::optional<seconds> times(string_view number, seconds unit) {
    const auto count = to_number<std::uint32_t>(number);
    if (!count || *count > kLongest / unit) return {};
    return *count * unit;
}

// `1h30m`.
tl::expected<seconds, TextError> parse_compact(Word word) {
    seconds total{0};
    string_view rest = word.text;
    const auto at = [&] { return word.offset + word.text.size() - rest.size(); };
    do {
        const auto digits = count_digits(rest);
        if (digits == 0)
            return wrong(at(), rest.size(),
                         "a number is missing here: write a duration such as '90s', '15m' or "
                         "'1h30m'");
        const auto letter = rest.substr(digits, 1);
        const auto unit = std::ranges::find(kUnits, letter, &Unit::letter);
        if (letter.empty() || unit == kUnits.end())
            return wrong(at() + digits, letter.size(),
                         "a unit is missing here: write 's', 'm', 'h', 'd' or 'w', as in '15m'");
        const auto part = times(rest.substr(0, digits), unit->length);
        if (!part || total + *part > kLongest) return tl::unexpected{too_long(word)};
        total += *part;
        rest.remove_prefix(digits + 1);
    } while (!rest.empty());
    return total;
}

// `minute`, `minutes`.
const Unit* unit_by_word(string_view text) {
    auto lower = to_lower_ascii(text.substr(0, 16));
    if (lower.ends_with('s')) lower.pop_back();
    const auto unit = std::ranges::find(kUnits, lower, &Unit::word);
    return unit == kUnits.end() ? nullptr : &*unit;
}

// What follows `every`: `hour`, `15 minutes`, `15m`.
tl::expected<seconds, TextError> parse_words(string_view text, std::size_t at) {
    const Word first = next_word(text, at);
    if (first.text.empty())
        return wrong(text.size(), 0, "a length is missing: write 'every 15 minutes'");
    const auto digits = count_digits(first.text);
    seconds length{0};
    if (digits == 0) {
        const Unit* unit = unit_by_word(first.text);
        if (unit == nullptr)
            return wrong(first.offset, first.text.size(),
                         fmt::format("'{}' is not a length: write 'every 15 minutes' or 'every "
                                     "hour'",
                                     printable(first.text, 20)));
        length = unit->length;
    } else if (digits < first.text.size()) {
        auto compact = parse_compact(first);
        if (!compact) return compact;
        length = *compact;
    } else {
        const Word word = next_word(text, at);
        const Unit* unit = unit_by_word(word.text);
        if (unit == nullptr)
            return wrong(word.offset, word.text.size(),
                         "a unit is missing here: write 'seconds', 'minutes', 'hours', 'days' or "
                         "'weeks'");
        const auto part = times(first.text, unit->length);
        if (!part) return tl::unexpected{too_long(first)};
        length = *part;
    }
    if (const Word rest = next_word(text, at); !rest.text.empty())
        return wrong(rest.offset, text.size() - rest.offset,
                     "nothing may follow an interval: for a time of day write cron text, such as "
                     "'30 2 * * *'");
    return length;
}

}  // namespace

sys_seconds Interval::next(sys_seconds after) const {
    const auto steps = floor<seconds>(after.time_since_epoch()).count();
    const auto length = step.count();
    const auto whole = steps >= 0 ? steps / length : -((-steps + length - 1) / length);
    return sys_seconds{seconds{(whole + 1) * length}};
}

bool looks_like_interval(string_view text) {
    std::size_t at = 0;
    const auto word = to_lower_ascii(next_word(text, at).text.substr(0, 8));
    return word == "@every" || word == "every";
}

tl::expected<Interval, TextError> parse_interval(string_view text, Seconds seconds_allowed) {
    std::size_t at = 0;
    next_word(text, at);  // `every`
    const auto length = parse_words(text, at);
    if (!length) return tl::unexpected{length.error()};
    const auto shortest = seconds_allowed == Seconds::allowed ? seconds{1} : minutes{1};
    if (*length < shortest) {
        std::size_t from = at;
        const Word first = next_word(text, from);
        return wrong(first.offset, text.size() - first.offset,
                     fmt::format("an interval has at least {} here",
                                 shortest == seconds{1} ? "one second" : "one minute"));
    }
    return Interval{*length};
}

tl::expected<seconds, TextError> parse_duration(string_view text) {
    auto length = parse_compact({text, 0});
    if (length && *length == seconds{0})
        return wrong(0, text.size(), "a duration is longer than 0: write '90s', '15m' or '1h30m'");
    return length;
}

}  // namespace berth
