#include "daemon/oauth_exchange.h"

#include <algorithm>

#include "base/crypto.h"
#include "base/text.h"
#include "daemon/manifests.h"
#include "store/tenants.h"

namespace berth {
namespace {

constexpr std::chrono::seconds kExchangeTime{30};
constexpr const char* kRevoke = "revoke";

// An administrator's word goes first: what a customer calls his field does not matter.
std::string_view open_value(const ConnectionMaterial& material, const std::string& name) {
    for (const auto* fields : {&material.provisioning, &material.connection.readable})
        if (const auto found = fields->find(name); found != fields->end()) return found->second;
    return {};
}

const ConnectionSecret* sealed_value(const ConnectionMaterial& material, std::string_view name,
                                     bool provisioned) {
    const auto found = std::ranges::find_if(material.secrets, [&](const ConnectionSecret& secret) {
        return secret.field == name && secret.provisioned == provisioned;
    });
    return found == material.secrets.end() ? nullptr : &*found;
}

// Client id and secret: provisioned, or a customer's own.
const ConnectionSecret* client_value(const ConnectionMaterial& material, std::string_view name) {
    const auto* provisioned = sealed_value(material, name, true);
    return provisioned ? provisioned : sealed_value(material, name, false);
}

void hand_over(Job& job, const char* name, const ConnectionMaterial& material,
               const ConnectionSecret* secret) {
    if (!secret) return;
    const DataKeyRow& key = material.key_of(*secret);
    // What was disconnected is on no list of its scope any more.
    const bool is_gone = job.purpose == kRevoke && !secret->provisioned;
    (is_gone ? job.passing : job.secrets)
        .push_back({{name},
                    {scope_for_runner(secret->scope), secret->connector_id.value, secret->sealed_as,
                     secret->version},
                    {key.id, key.envelope},
                    secret->envelope});
}

std::string scope_text(const OAuth2& kind, const ConnectionMaterial& material) {
    const auto provisioned = open_value(material, "scopes");
    if (!provisioned.empty()) return std::string{provisioned};
    std::string text;
    for (const std::string& scope : kind.scopes)
        text += (text.empty() ? "" : kind.scope_separator) + scope;
    return text;
}

Result<void> add_client(Job& job, const ConnectionMaterial& material, OAuthGrant grant) {
    const auto* sealed_id = client_value(material, "client_id");
    const auto id = open_client_id(material);
    if (!sealed_id && id.empty())
        return fail(FailureKind::unprocessable,
                    "connector '{}' is not provisioned for integration '{}': there is no "
                    "'client_id'",
                    material.connection.connector_name, material.connection.integration_id.value);
    if (sealed_id)
        hand_over(job, oauth_env::kClientId, material, sealed_id);
    else
        job.env.push_back(fmt::format("{}={}", oauth_env::kClientId, id));
    const auto* client_secret = client_value(material, "client_secret");
    if (!client_secret && grant == OAuthGrant::client_credentials)
        return fail(FailureKind::unprocessable,
                    "connector '{}' is not provisioned for integration '{}': there is no "
                    "'client_secret'",
                    material.connection.connector_name, material.connection.integration_id.value);
    hand_over(job, oauth_env::kClientSecret, material, client_secret);
    return {};
}

// The tokens that the grant needs.
void add_tokens(Job& job, const ConnectionMaterial& material, OAuthGrant grant) {
    const bool revoke = grant == OAuthGrant::revoke;
    if (grant == OAuthGrant::refresh_token || revoke)
        hand_over(job, oauth_env::kRefreshToken, material,
                  sealed_value(material, "refresh_token", false));
    if (revoke)
        hand_over(job, oauth_env::kAccessToken, material,
                  sealed_value(material, "access_token", false));
}

// The fields that come back, those that are secret sealed for this connection alone.
void add_answer(Job& job, OAuthRequest& request, const ConnectorKind& kind,
                const ConnectionMaterial& material, const ExchangeOrder& order) {
    const auto seal = [&](const std::string& field) {
        job.seal.push_back({field,
                            field_of(material.connection, field, order.ticket),
                            {order.key.id, order.key.envelope}});
    };
    seal("access_token");
    seal("refresh_token");
    for (const auto& [name, pointer] : kind.oauth2->fields_from_answer) {
        const KindField* field = kind.find_field(name);
        const bool secret = !field || field->secret;
        request.fields[name] = {pointer, secret};
        if (secret && name != "access_token" && name != "refresh_token") seal(name);
    }
}

}  // namespace

KeyScope scope_of_connection(const Connection& connection) {
    if (connection.tenant_id) return {KeyScope::Kind::tenant, connection.tenant_id->value};
    return {KeyScope::Kind::integration, connection.integration_id.value};
}

ipc::FieldRef field_of(const Connection& connection, std::string_view field,
                       std::uint64_t version) {
    return {scope_for_runner(scope_of_connection(connection)), connection.connector_id.value,
            std::string{field}, version};
}

Result<ConnectionOwner> owner_of(Db& db, const OAuthTarget& target) {
    if (!target.tenant) return ConnectionOwner{target.integration, {}};
    auto tenant = get_tenant(db, *target.tenant);
    if (!tenant) return pass_on(tenant);
    return ConnectionOwner{tenant->integration_id, target.tenant};
}

Result<const ConnectorKind*> oauth_kind(const KindLookup& kinds, const Connection& connection) {
    const ConnectorKind* kind = kinds(connection.kind);
    if (kind && kind->oauth2 && kind->auth != AuthMethod::fields) return kind;
    return fail_at(FailureKind::unprocessable, "connector",
                   "connector '{}' is of kind '{}', which is not connected by OAuth2",
                   connection.connector_name, connection.kind);
}

EndpointValues endpoint_values(const ConnectionMaterial& material) {
    return {material.provisioning, material.connection.readable};
}

std::string_view open_client_id(const ConnectionMaterial& material) {
    return open_value(material, "client_id");
}

std::uint64_t oauth_dice() {
    std::uint64_t number = 0;
    for (const char c : random_bytes(sizeof number))
        number = number << 8 | static_cast<unsigned char>(c);
    return number;
}

OAuthGrant renewal_grant(const ConnectorKind& kind) {
    return kind.auth == AuthMethod::oauth2_client_credentials ? OAuthGrant::client_credentials
                                                              : OAuthGrant::refresh_token;
}

Result<Job> make_exchange(const ConnectorKind& kind, const ConnectionMaterial& material,
                          const ExchangeOrder& order, const OAuthSettings& settings) {
    const OAuth2& oauth = *kind.oauth2;
    const bool revoke = order.grant == OAuthGrant::revoke;
    auto endpoint = make_endpoint(revoke ? oauth.revoke_url : oauth.token_url,
                                  endpoint_values(material), settings.plain_http);
    if (!endpoint) return pass_on(endpoint);

    Job job;
    job.program = JobProgram::oauth;
    job.purpose = revoke                                          ? kRevoke
                  : order.grant == OAuthGrant::authorization_code ? "authorize"
                                                                  : "refresh";
    job.actor = order.actor;
    job.connection = material.connection.id;
    job.connector = material.connection.connector_id;
    job.egress_names = {endpoint->host};
    job.wall_time = kExchangeTime;

    OAuthRequest request;
    request.grant = order.grant;
    request.url = endpoint->url;
    request.plain_http = endpoint->url.starts_with("http://");
    request.client_auth = oauth.client_auth;
    request.json = revoke ? oauth.json_revoke : oauth.json_token;
    if (order.grant == OAuthGrant::authorization_code)
        request.redirect_uri = settings.redirect_uri();
    if (order.grant == OAuthGrant::client_credentials) request.scope = scope_text(oauth, material);
    request.parameters = oauth.token_parameters;
    request.ticket = std::to_string(order.ticket);

    if (auto added = add_client(job, material, order.grant); !added) return pass_on(added);
    add_tokens(job, material, order.grant);
    for (const PassingSecret& passing : order.passing)
        job.passing.push_back({{passing.name},
                               passing.where,
                               {passing.key.id, passing.key.envelope},
                               passing.envelope});
    if (!revoke) add_answer(job, request, kind, material, order);
    job.env.push_back(fmt::format("{}={}", oauth_env::kRequest, to_json_text(request)));
    return job;
}

TokenGrant to_grant(const OAuth2& kind, const OAuthOutcome& outcome, const JobAnswer& answer,
                    OAuthGrant grant, Time now, std::uint64_t dice) {
    TokenGrant granted;
    for (const auto& [field, envelope] : answer.sealed)
        granted.sealed.push_back({field, envelope});
    granted.readable = outcome.fields;
    granted.lifetime = outcome.expires_in;
    if (!granted.lifetime && kind.lifetime.count() > 0) granted.lifetime = kind.lifetime;
    granted.scope = outcome.scope;
    const bool client = grant == OAuthGrant::client_credentials;
    if (client) granted.renewable = true;
    if (outcome.renewable) granted.renewable = true;
    if (grant == OAuthGrant::authorization_code) granted.renewable = outcome.renewable;
    // A refresh token dies of not being used; a client's credentials do not.
    const bool dies = !client && granted.lifetime && granted.renewable.value_or(true);
    if (dies) granted.keep_alive = keep_alive_at(now, dice);
    return granted;
}

}  // namespace berth
