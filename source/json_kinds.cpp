#include "source/json_kinds.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

namespace berth {

long double json_number(const Json& value) {
    if (value.is_number_unsigned()) return static_cast<long double>(value.get<std::uint64_t>());
    if (value.is_number_integer()) return static_cast<long double>(value.get<std::int64_t>());
    return static_cast<long double>(value.get<double>());
}

bool is_whole(const Json& value) {
    return value.is_number_integer() ||
           (value.is_number_float() && std::trunc(value.get<double>()) == value.get<double>());
}

bool is_multiple(const Json& value, const Json& of) {
    const long double quotient = json_number(value) / json_number(of);
    if (!std::isfinite(static_cast<double>(quotient)))
        return std::remainder(json_number(value), json_number(of)) == 0;
    // 0.0075 is a multiple of 0.0001, although no double says so exactly.
    const long double off = std::fabs(quotient - std::round(quotient));
    return off <= 1e-10L * std::max(1.0L, std::fabs(quotient));
}

std::size_t count_characters(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string_view json_kind(const Json& value) {
    if (value.is_null()) return "nothing";
    if (value.is_boolean()) return "true or false";
    if (value.is_number()) return is_whole(value) ? "a whole number" : "a number";
    if (value.is_string()) return "text";
    return value.is_array() ? "a list" : "an object";
}

std::string_view json_type_text(std::string_view type) {
    if (type == "null") return "nothing";
    if (type == "boolean") return "true or false";
    if (type == "integer") return "a whole number";
    if (type == "number") return "a number";
    if (type == "string") return "text";
    return type == "array" ? "a list" : "an object";
}

bool is_json_type(std::string_view type) {
    constexpr std::array kTypes{"null",   "boolean", "integer", "number",
                                "string", "array",   "object"};
    return std::ranges::find(kTypes, type) != kTypes.end();
}

bool has_json_type(const Json& value, std::string_view type) {
    if (type == "null") return value.is_null();
    if (type == "boolean") return value.is_boolean();
    if (type == "integer") return is_whole(value);
    if (type == "number") return value.is_number();
    if (type == "string") return value.is_string();
    if (type == "array") return value.is_array();
    return type == "object" && value.is_object();
}

}  // namespace berth
