// Text forms of bytes, as providers send them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace berth {

// Of either alphabet (RFC 4648 4 and 5), with or without padding; nothing when it is neither.
std::optional<std::string> decode_base64(std::string_view text);

// A name or a value of application/x-www-form-urlencoded; what is no valid escape stays.
std::string decode_form(std::string_view text);

// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 5.6.7), and no other form.
std::optional<Time> parse_http_date(std::string_view text);

}  // namespace berth
