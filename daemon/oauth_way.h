// One person's way to a provider, before he is sent off. Pure.
#pragma once

#include <string>

#include "base/secret.h"
#include "control/oauth_api.h"
#include "daemon/oauth_exchange.h"

namespace berth {

// What the verifier and the code are sealed as: no connection has such fields.
inline constexpr const char* kVerifierField = "oauth/verifier";
inline constexpr const char* kCodeField = "oauth/code";

struct Way {
    std::string actor;
    OAuthTarget target;
    std::string return_to;
    Connection connection;
    std::uint64_t version = 0;  // that the verifier is sealed under
    std::string state;
    std::string cookie;
    Secret verifier;
    std::string sealed_verifier;
    std::string url;
};

// Draws state, cookie and verifier, and makes the address. Refusals are `unprocessable`: the
// kind has no such page, the provisioning lacks something.
Result<void> prepare_way(Way& way, const ConnectionMaterial& material, const KindLookup& kinds,
                         const OAuthSettings& settings);

// The scopes that are asked for: those of the provisioning, else of the kind.
std::vector<std::string> wanted_scopes(const OAuth2& kind, const ConnectionMaterial& material);

}  // namespace berth
