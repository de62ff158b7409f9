#include "connectors/encoding.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/error.h"
#include "base/text.h"

namespace berth {
namespace {

int digit(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || c == '-') return 62;
    if (c == '/' || c == '_') return 63;
    return -1;
}

}  // namespace

std::optional<std::string> decode_base64(std::string_view text) {
    if (text.size() % 4 == 0 && text.ends_with('='))
        text.remove_suffix(text.ends_with("==") ? 2 : 1);
    if (text.size() % 4 == 1) return {};
    std::string bytes;
    bytes.reserve(text.size() * 3 / 4);
    std::uint32_t held = 0;
    int bits = 0;
    for (const char c : text) {
        const int value = digit(c);
        if (value < 0) return {};
        held = (held << 6 | static_cast<std::uint32_t>(value)) & 0xffffff;
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        bytes += static_cast<char>(held >> bits & 0xff);
    }
    // Bits that belong to no byte are zero: else two texts would mean the same.
    if ((held & ((1U << bits) - 1)) != 0) return {};
    return bytes;
}

std::string decode_form(std::string_view text) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size())
            if (const auto byte = from_hex(text.substr(i + 1, 2))) {
                decoded += *byte;
                i += 2;
                continue;
            }
        decoded += text[i] == '+' ? ' ' : text[i];
    }
    return decoded;
}

std::optional<Time> parse_http_date(std::string_view text) {
    constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    if (text.size() != 29 || text.substr(3, 2) != ", " || text[7] != ' ' || text[11] != ' ' ||
        text[16] != ' ' || !text.ends_with(" GMT"))
        return {};
    const auto month = std::ranges::find(kMonths, text.substr(8, 3));
    if (month == kMonths.end()) return {};
    return parse_rfc3339(fmt::format("{}-{:02}-{}T{}Z", text.substr(12, 4),
                                     month - kMonths.begin() + 1, text.substr(5, 2),
                                     text.substr(17, 8)));
}

}  // namespace berth
