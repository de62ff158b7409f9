// The client's side of OAuth2 (RFC 6749, 7636, 9207), decided without clock, store or
// network: where a browser is sent, whether what it comes back with may be believed, and
// when a token is renewed.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "connectors/kind.h"
#include "model/token_state.h"

namespace berth {

// --- The way to the provider

// 256 random bits as base64url, without padding: states, cookies and verifiers.
std::string random_token();
// RFC 7636 4.2, method S256.
std::string pkce_challenge(std::string_view verifier);

// What the braces of a kind's templates name: fields that are not secret.
struct EndpointValues {
    std::map<std::string, std::string> provisioned;  // by an administrator; goes first
    std::map<std::string, std::string> typed_in;     // by a customer
};

// An address of the provider's.
struct Endpoint {
    std::string url;
    std::string host;
    std::uint16_t port = 443;
    bool operator==(const Endpoint&) const = default;
};
// Fills the template in. https only, but for what `plain_http` (HOST:PORT, from the
// administrator's list) names. Only what is provisioned may be the beginning of an address:
// a customer does not choose where the client's secret is sent.
Result<Endpoint> make_endpoint(std::string_view url_template, const EndpointValues& values,
                               std::span<const std::string> plain_http);

// Whom an answer must come from (RFC 9207); empty when the kind does not say.
Result<std::string> make_issuer(const OAuth2& kind, const EndpointValues& values);

struct AuthorizeRequest {
    std::string client_id;
    std::string redirect_uri;
    std::vector<std::string> scopes;
    std::string state;
    std::string challenge;  // empty: without PKCE
};
std::string authorize_url(const OAuth2& kind, const Endpoint& authorize,
                          const AuthorizeRequest& request);

// A path of ours, without a host to lead elsewhere.
bool is_own_path(std::string_view return_to);

// --- The way back

using QueryPairs = std::vector<std::pair<std::string, std::string>>;
// The code. `denied` when the person or the provider refused: with their reason; `invalid`
// when it is no answer that this provider would give.
Result<std::string> read_callback(const QueryPairs& query, std::string_view issuer);

// --- Renewing

struct Keep {
    bool operator==(const Keep&) const = default;
};
struct Renew {
    bool operator==(const Renew&) const = default;
};
struct WaitUntil {
    Time time{};
    bool operator==(const WaitUntil&) const = default;
};
struct Hopeless {
    std::string why;
    bool operator==(const Hopeless&) const = default;
};
using TokenDecision = std::variant<Keep, Renew, WaitUntil, Hopeless>;

// Whoever needs the token until `need_until` asks this. A token that never lives so long is
// renewed at half its life, so that it is not renewed for each run. Times that lie further
// ahead than anybody sets them are from before the clock was set back: nobody waits for
// them, and a token that was granted then is renewed, since nobody knows how old it is.
TokenDecision decide_token(const TokenState& token, Time now, Time need_until);
// While the provider is out: it lives long enough for something to be tried with it.
bool still_usable(const TokenState& token, Time now);

// When the provider is asked again after `failures` outages in a row: doubled each time,
// at most five minutes, spread by `dice`, and not before the provider wants it.
Time next_try(int failures, std::chrono::seconds retry_after, Time now, std::uint64_t dice);

// When a token that nobody asks for is renewed all the same (kKeepAlive), spread by `dice`.
Time keep_alive_at(Time renewed, std::uint64_t dice);

}  // namespace berth
