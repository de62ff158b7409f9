// The keys of the settings' file, for config.cpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config.h"

namespace berth {

inline constexpr std::int64_t kMaxUid = 0xFFFF'FFF0;

// What is wrong with the text, to follow the key's name; empty: it was set. Nothing:
// there is no such key.
std::optional<std::string> set_key(Config& config, const std::string& key, std::string_view text);
// Those that may be set, without `grant.`; for the file that explains them all.
std::vector<std::string> setting_names();
// Whether each further line of the key adds to the ones before.
bool is_repeatable(std::string_view key);

}  // namespace berth
