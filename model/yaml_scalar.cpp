#include "model/yaml_scalar.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace berth {
namespace {

bool all_digits(std::string_view text, std::string_view digits) {
    return !text.empty() && text.find_first_not_of(digits) == std::string_view::npos;
}

std::string_view without_sign(std::string_view text) {
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
    return text;
}

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool is_float(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789";
    text = without_sign(text);
    const std::size_t e = text.find_first_of("eE");
    if (e != std::string_view::npos && !all_digits(without_sign(text.substr(e + 1)), kDigits))
        return false;
    const std::string_view mantissa = text.substr(0, e);
    const std::size_t dot = mantissa.find('.');
    if (dot == std::string_view::npos) return all_digits(mantissa, kDigits);
    const std::string_view whole = mantissa.substr(0, dot);
    const std::string_view part = mantissa.substr(dot + 1);
    return (whole.empty() || all_digits(whole, kDigits)) &&
           (part.empty() ? !whole.empty() : all_digits(part, kDigits));
}

Result<Json> integer(std::string_view text, int base) {
    const bool negative = text[0] == '-';
    const std::string_view digits = without_sign(text).substr(base == 10 ? 0 : 2);
    std::uint64_t value = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
    constexpr std::uint64_t kLowest = std::uint64_t{1} << 63;
    if (error != std::errc{} || (negative && value > kLowest))
        return fail(FailureKind::invalid, "number '{}' is too large; put it in quotes",
                    printable(text, 40));
    if (!negative) return Json(value);
    return Json(value == kLowest ? INT64_MIN : -static_cast<std::int64_t>(value));
}

// A scalar without quotes, by the core schema of YAML 1.2.
Result<Json> plain(const std::string& text) {
    const auto is_one_of = [&text](std::initializer_list<std::string_view> words) {
        return std::ranges::find(words, text) != words.end();
    };
    if (is_one_of({"", "~", "null", "Null", "NULL"})) return Json(nullptr);
    if (is_one_of({"true", "True", "TRUE"})) return Json(true);
    if (is_one_of({"false", "False", "FALSE"})) return Json(false);
    if (all_digits(without_sign(text), "0123456789")) return integer(text, 10);
    if (text.starts_with("0o") && all_digits(text.substr(2), "01234567")) return integer(text, 8);
    if (text.starts_with("0x") && all_digits(text.substr(2), "0123456789abcdefABCDEF"))
        return integer(text, 16);
    const std::string bare{without_sign(text)};
    if (bare == ".inf" || bare == ".Inf" || bare == ".INF" || is_one_of({".nan", ".NaN", ".NAN"}))
        return fail(FailureKind::invalid, "'{}' is not a number here; put it in quotes", text);
    if (!is_float(text)) return Json(text);
    double value = 0;
    const char* begin = text.data() + (text[0] == '+' ? 1 : 0);
    if (std::from_chars(begin, text.data() + text.size(), value).ec != std::errc{})
        return fail(FailureKind::invalid, "number '{}' is out of range; put it in quotes",
                    printable(text, 40));
    return Json(value);
}

}  // namespace

Result<Json> read_scalar(const std::string& tag, const std::string& text) {
    constexpr std::string_view kCore = "tag:yaml.org,2002:";
    if (tag.empty() || tag == "?") return plain(text);
    if (tag == "!") return Json(text);  // in quotes, or a block
    if (tag.starts_with(kCore)) {
        const std::string_view type = std::string_view{tag}.substr(kCore.size());
        if (type == "str") return Json(text);
        auto read = plain(text);
        if (!read) return read;
        const Json& value = *read;
        if ((type == "null" && value.is_null()) || (type == "bool" && value.is_boolean()) ||
            (type == "int" && value.is_number_integer()) || (type == "float" && value.is_number()))
            return read;
    }
    return fail(FailureKind::invalid, "tag '{}' is not known; leave it out", printable(tag, 80));
}

}  // namespace berth
