// The life of the access token of a connection, without the token.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"

namespace berth {

// How long somebody who asks the provider keeps others from asking: longer than his job can
// live, so that no two ask at once even when one of us dies.
inline constexpr std::chrono::seconds kClaim{60};
// When a token that nobody asks for is renewed all the same: providers let refresh tokens
// die that are not used.
inline constexpr std::chrono::hours kKeepAlive{24 * 7};
// So far apart the clocks of two hosts may be. A time that lies further ahead than anybody
// sets it is from before the clock was set back, and nobody waits for it.
inline constexpr std::chrono::minutes kSkew{1};

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
