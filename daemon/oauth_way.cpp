#include "daemon/oauth_way.h"

#include "base/text.h"

namespace berth {

std::vector<std::string> wanted_scopes(const OAuth2& kind, const ConnectionMaterial& material) {
    const auto provisioned = material.provisioning.find("scopes");
    if (provisioned == material.provisioning.end() || provisioned->second.empty())
        return kind.scopes;
    std::vector<std::string> scopes;
    std::string text = provisioned->second;
    for (char& c : text)
        if (c == ',' || c == '\n' || c == '\t') c = ' ';
    for (const std::string& scope : split(text, ' '))
        if (!scope.empty()) scopes.push_back(scope);
    return scopes;
}

Result<void> prepare_way(Way& way, const ConnectionMaterial& material, const KindLookup& kinds,
                         const OAuthSettings& settings) {
    auto kind = oauth_kind(kinds, material.connection);
    if (!kind) return pass_on(kind);
    if ((*kind)->auth != AuthMethod::oauth2_code)
        return fail_at(FailureKind::unprocessable, "connector",
                       "connector '{}' needs nobody's consent: connect it with its client's "
                       "credentials",
                       material.connection.connector_name);
    const OAuth2& oauth = *(*kind)->oauth2;
    auto endpoint =
        make_endpoint(oauth.authorize_url, endpoint_values(material), settings.plain_http);
    if (!endpoint) return pass_on(endpoint);
    const auto id = open_client_id(material);
    if (id.empty())
        return fail(FailureKind::unprocessable,
                    "connector '{}' is not provisioned for integration '{}': there is no "
                    "'client_id'",
                    material.connection.connector_name, material.connection.integration_id.value);
    way.state = random_token();
    way.cookie = random_token();
    AuthorizeRequest request{std::string{id}, settings.redirect_uri(),
                             wanted_scopes(oauth, material), way.state, ""};
    if (oauth.pkce) {
        const std::string verifier = random_token();
        request.challenge = pkce_challenge(verifier);
        way.verifier = Secret{verifier};
    }
    way.url = authorize_url(oauth, *endpoint, request);
    return {};
}

}  // namespace berth
