// One field of a cron text → the values it names. Used by cron.cpp only.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/cron.h"

namespace berth {

// What a field may hold.
struct FieldKind {
    std::string_view name;  // `minute`, for messages
    int least;
    int most;
    std::span<const std::string_view> words;  // names of the values from `first_word` on
    int first_word = 0;
    int count;  // of different values; 7 for weekdays, of which 0 and 7 are one
};

extern const FieldKind kSecondField, kMinuteField, kHourField, kDayField, kMonthField,
    kWeekdayField;

// A field and where in the text it stands.
struct FieldText {
    std::string_view text;
    std::size_t offset = 0;
};

// The values as bits, and whether the text begins with a star or question mark.
struct FieldValues {
    std::uint64_t bits = 0;
    bool star = false;
};

[[nodiscard]] tl::expected<FieldValues, TextError> parse_plain_field(const FieldKind& kind,
                                                                     FieldText field);
// Also `L`, `L-3`, `LW`, `15W`; fills in the `day` members.
[[nodiscard]] tl::expected<void, TextError> parse_day_field(FieldText field, Cron& cron);
// Also `5L`, `FRIL`, `5#2`; fills in the `weekday` members.
[[nodiscard]] tl::expected<void, TextError> parse_weekday_field(FieldText field, Cron& cron);

}  // namespace berth
