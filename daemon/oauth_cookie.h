// What the browser holds while it is away: the names and values of cookies, and the hashes
// that are on record of them. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace berth {

// Hex SHA-256: what is stored of a state, a ticket or a cookie's value.
std::string oauth_hash(std::string_view secret);

// One cookie for each way, so that two tabs do not disturb each other: named by the state's
// hash. Over https it is bound to the very host.
std::string oauth_cookie_name(std::string_view state_hash, std::string_view public_url);
std::string oauth_set_cookie(std::string_view name, std::string_view value,
                             std::string_view public_url);
// From a Cookie header; nothing when it is not there, or twice.
std::optional<std::string> find_cookie(std::string_view header, std::string_view name);

}  // namespace berth
