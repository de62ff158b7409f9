// The kinds of JSON values as JSON Schema sees them, with their names for people.
#pragma once

#include <string>
#include <string_view>

#include "model/json.h"

namespace berth {

// Exact for every 64-bit integer and every double (on x86; elsewhere as a double).
long double json_number(const Json& value);
// 5 and 5.0 are both whole numbers.
bool is_whole(const Json& value);
bool is_multiple(const Json& value, const Json& of);
// Unicode characters of UTF-8 text.
std::size_t count_characters(std::string_view text);

// `type` is one of JSON Schema's seven words.
bool is_json_type(std::string_view type);
bool has_json_type(const Json& value, std::string_view type);
// `a whole number`, `text` ...
std::string_view json_kind(const Json& value);
std::string_view json_type_text(std::string_view type);

}  // namespace berth
