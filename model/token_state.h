// The life of the access token of a connection, without the token.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"

namespace berth {

struct TokenState {
    Time granted{};                // when it was asked for
    std::optional<Time> expires;   // nothing: never
    bool renewable = false;        // there is a refresh token, or the client's credentials do
    bool refused = false;          // by the provider, for `reason`: nothing helps but reconnecting
    std::string reason;            // of the last failure
    int failures = 0;              // outages in a row
    std::optional<Time> next_try;  // after an outage
    std::optional<Time> busy_until;  // somebody is at it
    bool operator==(const TokenState&) const = default;
};

}  // namespace berth
