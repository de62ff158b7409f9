// What berthd asks berth-oauth to do, and what it is told: the two ends of one exchange
// with a token endpoint. The request holds no secret; those come beside it in the
// environment, under the names below, and the tokens go back sealed.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "connectors/kind.h"

namespace berth {

enum class OAuthGrant { authorization_code, refresh_token, client_credentials, revoke };
std::string_view to_string(OAuthGrant grant);

struct OAuthRequest {
    OAuthGrant grant = OAuthGrant::refresh_token;
    std::string url;
    bool plain_http = false;  // the administrator's list names this host and port
    ClientAuth client_auth = ClientAuth::basic;
    bool json = false;         // the body is a JSON object, not a form
    std::string redirect_uri;  // of authorization_code
    std::string scope;         // of client_credentials
    std::map<std::string, std::string> parameters;
    struct Field {
        std::string pointer;  // into the answer
        bool secret = true;
        bool operator==(const Field&) const = default;
    };
    std::map<std::string, Field> fields;  // of the connection, from the answer
    std::string ticket;                   // said again in the answer
    bool operator==(const OAuthRequest&) const = default;
};
std::string to_json_text(const OAuthRequest& request);
Result<OAuthRequest> parse_oauth_request(std::string_view json);

// In the environment of berth-oauth.
namespace oauth_env {
inline constexpr const char* kRequest = "BERTH_OAUTH_REQUEST";
inline constexpr const char* kClientId = "BERTH_OAUTH_CLIENT_ID";
inline constexpr const char* kClientSecret = "BERTH_OAUTH_CLIENT_SECRET";
inline constexpr const char* kCode = "BERTH_OAUTH_CODE";
inline constexpr const char* kVerifier = "BERTH_OAUTH_VERIFIER";
inline constexpr const char* kRefreshToken = "BERTH_OAUTH_REFRESH_TOKEN";
inline constexpr const char* kAccessToken = "BERTH_OAUTH_ACCESS_TOKEN";
}  // namespace oauth_env

// Who is at fault, and so what helps.
enum class OAuthVerdict {
    granted,         // also: revoked
    refused_grant,   // the provider takes back what it gave: reconnect
    refused_client,  // it does not accept the client: the provisioning is wrong
    outage,          // it could not be reached, or gave no answer of its kind: later again
    ours
};
std::string_view to_string(OAuthVerdict verdict);

// The open part of the answer; names of its records as in to_records().
struct OAuthOutcome {
    OAuthVerdict verdict = OAuthVerdict::ours;
    std::string reason;  // printable, bounded, without any secret; empty when granted
    std::chrono::seconds retry_after{0};
    std::optional<std::chrono::seconds> expires_in;
    std::string scope;
    bool renewable = false;                     // there was a refresh token
    std::map<std::string, std::string> fields;  // of the connection, not secret
    std::string ticket;
    bool operator==(const OAuthOutcome&) const = default;
};
std::map<std::string, std::string> to_records(const OAuthOutcome& outcome);
// `invalid` when berth-oauth did not say what it must.
Result<OAuthOutcome> read_outcome(const std::map<std::string, std::string>& plain);

}  // namespace berth
