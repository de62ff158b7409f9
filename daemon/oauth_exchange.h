// One exchange with a provider as a job for berth-oauth, and back: pure functions between a
// connector kind, a connection's sealed fields and what the store keeps.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/kind.h"
#include "connectors/oauth_request.h"
#include "connectors/oauth_rules.h"
#include "control/oauth_api.h"
#include "daemon/jobs.h"
#include "store/connection_secrets.h"
#include "store/connections.h"
#include "store/oauth_tokens.h"

namespace berth {

// By name; nullptr when there is none. What it points to stays.
using KindLookup = std::function<const ConnectorKind*(std::string_view)>;

struct OAuthSettings {
    std::string public_url;  // without a slash at its end; empty: there is no public server
    std::vector<std::string> plain_http;  // HOST:PORT entries of egress_allow

    std::string redirect_uri() const { return public_url + "/v0/author/callback/oauth2"; }
};

// unprocessable when it does not connect by OAuth2.
Result<const ConnectorKind*> oauth_kind(const KindLookup& kinds, const Connection& connection);

// What an administrator provisioned goes before what a customer typed in.
EndpointValues endpoint_values(const ConnectionMaterial& material);
// Empty when there is none, or it is sealed.
std::string_view open_client_id(const ConnectionMaterial& material);
// For jitter: nothing that must be told apart from chance.
std::uint64_t oauth_dice();

// A secret that is only passed through: the code, the verifier.
struct PassingSecret {
    const char* name = nullptr;  // in the environment of berth-oauth
    ipc::FieldRef where;
    DataKeyRow key;  // that it was sealed under; the answer is sealed under another, maybe
    std::string envelope;
};

struct ExchangeOrder {
    OAuthGrant grant = OAuthGrant::refresh_token;
    std::uint64_t ticket = 0;  // the version that the tokens are sealed under
    DataKeyRow key;            // of the connection's scope
    std::string actor;
    std::vector<PassingSecret> passing;
};
// Refusals are `unprocessable` and say what the provisioning lacks.
Result<Job> make_exchange(const ConnectorKind& kind, const ConnectionMaterial& material,
                          const ExchangeOrder& order, const OAuthSettings& settings);

// Whose connection it is. Thread: store.
Result<ConnectionOwner> owner_of(Db& db, const OAuthTarget& target);

// What is renewed with: the refresh token, or the client's own credentials.
OAuthGrant renewal_grant(const ConnectorKind& kind);

// What is stored of a granted answer.
TokenGrant to_grant(const OAuth2& kind, const OAuthOutcome& outcome, const JobAnswer& answer,
                    OAuthGrant grant, Time now, std::uint64_t dice);

ipc::FieldRef field_of(const Connection& connection, std::string_view field, std::uint64_t version);
KeyScope scope_of_connection(const Connection& connection);

}  // namespace berth
