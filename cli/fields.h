// Reads fields out of the daemon's answers for tables. Never throws: what is
// absent or of another type reads as nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cli/output.h"
#include "model/json.h"

namespace berth {

// `path` may lead inwards: `status.phase`. Strings as they are, numbers and
// booleans as text, null and absent as "", other values as compact JSON.
std::string field(const Json& object, std::string_view path);
bool flag(const Json& object, std::string_view path);  // true only when it is `true`
std::optional<std::int64_t> number(const Json& object, std::string_view path);
// The value itself, or a null.
const Json& inner(const Json& object, std::string_view path);

// `2026-11-22T03:04:05.678901Z` as `2026-11-22 03:04:05`; other texts unchanged.
std::string short_time(const std::string& rfc3339);
// From the first to the second time: `1.2 s`, `4 min 10 s`; empty if either is missing.
std::string duration(const std::string& from, const std::string& to);
std::string size_text(std::uint64_t bytes);  // `512 B`, `1.5 MiB`

// A run's state in its tone: good, bad, or plain while it is not over.
Cell state_cell(const Json& run);
// Not over: queued, preparing, starting, running.
bool is_over(const Json& run);
bool has_succeeded(const Json& run);

}  // namespace berth
