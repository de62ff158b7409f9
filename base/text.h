// Small text tools; no locale anywhere.
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth {

std::string_view trim(std::string_view text);
std::vector<std::string> split(std::string_view text, char separator);
std::string to_lower_ascii(std::string_view text);
std::string to_upper_ascii(std::string_view text);
std::string to_hex(std::string_view bytes);
// Nothing when the text is not an even number of hex digits.
std::optional<std::string> from_hex(std::string_view hex);
// RFC 4648 with padding.
std::string to_base64(std::string_view bytes);
// True when `text` is valid UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool is_utf8(std::string_view text);
// For terminals and error texts: control characters (ESC, CR, bidi overrides are
// left to the caller's font) become \xNN, and what is longer than `limit` is cut.
std::string printable(std::string_view text, std::size_t limit = 200);

// The whole text as a number, or nothing: no sign (for unsigned), space or rest.
template <typename T>
std::optional<T> to_number(std::string_view text) {
    T value{};
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end || text.empty()) return {};
    return value;
}

}  // namespace berth
