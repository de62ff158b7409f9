// JSON from people, read strictly. The JSON library's full header stays in .cpp
// files (it costs seconds); here are only its forward declarations.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace berth {

using Json = nlohmann::json;

// RFC 8259, stricter where parsers differ: duplicate keys, invalid UTF-8, a byte
// order mark, more than limits::kJsonDepth levels and numbers that would be
// rounded to another integer are refused. The failure's text says line and column.
Result<Json> parse_json(std::string_view text);

// Compact text; never throws (what is not UTF-8 becomes U+FFFD).
std::string to_text(const Json& value);

// A list of strings as the JSON text that the store keeps, and back; what is no such
// text reads as an empty list.
std::string list_text(const std::vector<std::string>& list);
std::vector<std::string> read_list(std::string_view text);

}  // namespace berth
