// The fields of a cron text together, and what only their combination can get
// wrong. cron_field.cpp reads one field, cron_match.cpp finds the next time.
#include "model/cron.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/text.h"
#include "model/cron_field.h"
#include "model/limits.h"

namespace berth {
namespace {

using std::string_view;

constexpr string_view kBlank = " \t";

tl::unexpected<TextError> wrong(std::size_t offset, std::size_t length, std::string message) {
    return tl::unexpected<TextError>{TextError{offset, length, std::move(message)}};
}

std::vector<FieldText> split_fields(string_view text) {
    std::vector<FieldText> fields;
    for (std::size_t from = 0;;) {
        from = text.find_first_not_of(kBlank, from);
        if (from == string_view::npos) return fields;
        const auto end = std::min(text.find_first_of(kBlank, from), text.size());
        fields.push_back({text.substr(from, end - from), from});
        from = end;
    }
}

struct Nickname {
    string_view name, text;
};
constexpr std::array kNicknames{
    Nickname{"@hourly", "0 * * * *"},   Nickname{"@daily", "0 0 * * *"},
    Nickname{"@midnight", "0 0 * * *"}, Nickname{"@weekly", "0 0 * * 0"},
    Nickname{"@monthly", "0 0 1 * *"},  Nickname{"@yearly", "0 0 1 1 *"},
    Nickname{"@annually", "0 0 1 1 *"},
};

tl::expected<Cron, TextError> parse_nickname(FieldText word) {
    const auto lower = to_lower_ascii(word.text);
    for (const auto& nickname : kNicknames)
        if (lower == nickname.name) return parse_cron(nickname.text, Seconds::refused);
    if (lower == "@reboot")
        return wrong(word.offset, word.text.size(),
                     "'@reboot' names no time: start a run with 'berth tenant sync' instead");
    return wrong(word.offset, word.text.size(),
                 fmt::format("there is no '{}': write '@hourly', '@daily', '@weekly', '@monthly', "
                             "'@yearly' or '@every 15m'",
                             printable(word.text, 20)));
}

// Five fields, or six; else what is too much or too few, and a cure.
tl::expected<void, TextError> check_count(string_view text, const std::vector<FieldText>& fields,
                                          Seconds seconds) {
    const auto count = fields.size();
    if (count == 5 || (count == 6 && seconds == Seconds::allowed)) return {};
    if (count == 0)
        return wrong(0, text.size(), "the schedule is empty: write five fields, as in '0 2 * * *'");
    if (count < 5)
        return wrong(text.size(), 0,
                     fmt::format("there {} {} of the five fields minute, hour, day of the month, "
                                 "month, day of the week: write '*' for those that do not matter",
                                 count == 1 ? "is" : "are", count));
    const FieldText& extra = fields[seconds == Seconds::allowed ? 6 : 5];
    if (count == 6)
        return wrong(fields[0].offset, fields[0].text.size(),
                     "six fields begin with the second, which is not allowed here: leave out the "
                     "first field");
    return wrong(extra.offset, text.size() - extra.offset,
                 fmt::format("nothing may follow the {} fields: leave this out",
                             seconds == Seconds::allowed ? "six" : "five"));
}

// The first byte that no schedule holds. Dashes and blanks that a word processor
// has made look like the right ones.
std::size_t first_strange(string_view text) {
    const auto strange = [](char c) { return c != '\t' && (c < ' ' || c > '~'); };
    return static_cast<std::size_t>(std::ranges::find_if(text, strange) - text.begin());
}

// How many bytes the character at the front has, by its first byte.
std::size_t character_bytes(string_view text) {
    std::size_t size = 1;
    while (size < text.size() && size < 4 && (text[size] & 0xC0) == 0x80)
        ++size;
    return size;
}

}  // namespace

tl::expected<Cron, TextError> parse_cron(string_view text, Seconds seconds) {
    if (text.size() > limits::kScheduleBytes)
        return wrong(limits::kScheduleBytes, text.size() - limits::kScheduleBytes,
                     fmt::format("the schedule is longer than {} bytes", limits::kScheduleBytes));
    if (const auto at = first_strange(text); at < text.size())
        return wrong(at, character_bytes(text.substr(at)),
                     "this character has no meaning here: write digits, letters, blanks and "
                     "* , - / # ? only");
    const auto fields = split_fields(text);
    if (fields.size() == 1 && fields[0].text[0] == '@') return parse_nickname(fields[0]);
    if (!fields.empty() && fields[0].text.find('=') != string_view::npos)
        return wrong(fields[0].offset, fields[0].text.size(),
                     "the time zone is not part of the text: leave this out and set the "
                     "schedule's zone");
    if (const auto fits = check_count(text, fields, seconds); !fits)
        return tl::unexpected{fits.error()};

    Cron cron;
    const std::size_t first = fields.size() - 5;  // the minute
    std::uint64_t hours = 0, months = 0;
    const auto read = [&](const FieldKind& kind, std::size_t at,
                          std::uint64_t& into) -> tl::expected<void, TextError> {
        const auto values = parse_plain_field(kind, fields[at]);
        if (!values) return tl::unexpected{values.error()};
        into = values->bits;
        if (&kind != &kMonthField) cron.clock_star |= values->star;
        return {};
    };
    tl::expected<void, TextError> done;
    if (first == 1) done = read(kSecondField, 0, cron.seconds);
    if (done) done = read(kMinuteField, first, cron.minutes);
    if (done) done = read(kHourField, first + 1, hours);
    if (done) done = parse_day_field(fields[first + 2], cron);
    if (done) done = read(kMonthField, first + 3, months);
    if (done) done = parse_weekday_field(fields[first + 4], cron);
    if (!done) return tl::unexpected{done.error()};
    cron.hours = static_cast<std::uint32_t>(hours);
    cron.months = static_cast<std::uint16_t>(months);

    if (!cron.some_date_matches()) {
        const FieldText from = fields[first + 2], to = fields[first + 4];
        return wrong(from.offset, to.offset + to.text.size() - from.offset,
                     "no year has such a date: the months named are too short for the days, or "
                     "the days never meet");
    }
    return cron;
}

}  // namespace berth
