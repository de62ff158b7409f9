// The parts of a kind's file that tell of requests: OAuth2, how a request carries a secret,
// which hosts, webhooks.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/text.h"
#include "connectors/call_rules.h"
#include "connectors/kind_parts.h"
#include "connectors/webhook_scheme.h"

namespace berth {
namespace {

using Keys = KindFile::Keys;

const Keys kOAuth2Keys{"authorize_url",
                       "token_url",
                       "issuer",
                       "revoke_url",
                       "scopes",
                       "scope_separator",
                       "pkce",
                       "client_auth",
                       "json_requests",
                       "authorize_parameters",
                       "token_parameters",
                       "fields_from_answer",
                       "lifetime_seconds"};
const Keys kRequestKeys{"header", "query", "value", "user", "password"};

KindField usual(std::string name, std::string label, std::string help = {}) {
    KindField field;
    field.name = std::move(name);
    field.label = std::move(label);
    field.help = std::move(help);
    return field;
}
KindField open(KindField field) {
    field.secret = false;
    return field;
}
KindField optional(KindField field) {
    field.required = false;
    return field;
}

std::set<std::string> keys_of(const Json& map) {
    std::set<std::string> keys;
    for (const auto& [key, value] : map.items())
        keys.insert(key);
    return keys;
}

}  // namespace

void KindReader::read_oauth2(const Json& root) {
    const bool needed = kind_.auth != AuthMethod::fields;
    if (root.contains("oauth2") != needed)
        return wrong(needed ? "/auth" : "/oauth2",
                     "'oauth2' goes with 'auth: oauth2_code' and "
                     "'auth: oauth2_client_credentials', and with these only; {}",
                     needed ? "add it" : "leave it out, or change 'auth'");
    if (!needed) return;
    const Json& map = root["oauth2"];
    const std::string at = "/oauth2";
    if (!check_keys(at, map, kOAuth2Keys)) return;
    const bool code = kind_.auth == AuthMethod::oauth2_code;
    if (!code)
        for (const char* key : {"authorize_url", "authorize_parameters", "issuer", "pkce"})
            if (map.contains(key))
                wrong(at + "/" + key, "goes with 'auth: oauth2_code' only; leave it out");
    OAuth2 oauth2;
    oauth2.authorize_url = text(at, map, "authorize_url", code ? Need::needed : Need::optional);
    oauth2.token_url = text(at, map, "token_url", Need::needed);
    oauth2.issuer = text(at, map, "issuer");
    oauth2.revoke_url = text(at, map, "revoke_url");
    oauth2.scopes = texts(at, map, "scopes");
    if (map.contains("scope_separator"))
        oauth2.scope_separator = text(at, map, "scope_separator", Need::needed);
    oauth2.pkce = flag(at, map, "pkce", code);
    oauth2.client_auth =
        word(at, map, "client_auth", {{"basic", ClientAuth::basic}, {"body", ClientAuth::body}},
             ClientAuth::basic);
    for (const std::string& request : texts(at, map, "json_requests"))
        if (request == "token")
            oauth2.json_token = true;
        else if (request == "revoke")
            oauth2.json_revoke = true;
        else
            wrong(at + "/json_requests", "has '{}'; there are: token, revoke",
                  printable(request, 40));
    oauth2.authorize_parameters = pairs(at, map, "authorize_parameters");
    oauth2.token_parameters = pairs(at, map, "token_parameters");
    oauth2.fields_from_answer = pairs(at, map, "fields_from_answer");
    if (const auto found = map.find("lifetime_seconds"); found != map.end()) {
        if (found->is_number_unsigned() && *found <= 365 * 24 * 3600)
            oauth2.lifetime = std::chrono::seconds{found->get<std::int64_t>()};
        else
            wrong(at + "/lifetime_seconds",
                  "must be a number of seconds, at most a year: 31536000");
    }
    kind_.oauth2 = std::move(oauth2);
}

void KindReader::add_usual_fields(const Json& root) {
    const auto add = [](std::vector<KindField>& to, KindField field) {
        if (std::ranges::count(to, field.name, &KindField::name) == 0)
            to.push_back(std::move(field));
    };
    if (kind_.oauth2) {
        add(kind_.fields, usual("access_token", "Access token"));
        if (kind_.auth == AuthMethod::oauth2_code) {
            KindField refresh = optional(usual("refresh_token", "Refresh token"));
            refresh.in_environment = false;
            add(kind_.fields, std::move(refresh));
        }
        if (!kind_.find_field("client_id")) {
            add(kind_.provisioning, open(usual("client_id", "Client ID")));
            add(kind_.provisioning, usual("client_secret", "Client secret"));
        }
        add(kind_.provisioning,
            optional(open(
                usual("scopes", "Scopes", "instead of the usual ones, with spaces between them"))));
    }
    if (root.contains("base_url")) {
        KindField base = optional(open(usual("base_url", "Base URL", "instead of the usual one")));
        base.pattern = R"(https?://[^\s]+)";
        add(kind_.provisioning, std::move(base));
    }
    if (root.contains("webhook"))
        add(kind_.provisioning,
            optional(open(usual("webhook_topics", "Webhook topics", "with spaces between them"))));
    if (!kind_.oauth2) return;
    check_answers();
    for (const auto& [key, url] : {std::pair{"authorize_url", &kind_.oauth2->authorize_url},
                                   std::pair{"token_url", &kind_.oauth2->token_url},
                                   std::pair{"revoke_url", &kind_.oauth2->revoke_url},
                                   std::pair{"issuer", &kind_.oauth2->issuer}})
        if (!url->empty()) check_address(fmt::format("/oauth2/{}", key), *url);
}

void KindReader::check_answers() {
    for (const auto& [field, pointer] : kind_.oauth2->fields_from_answer) {
        const std::string at = "/oauth2/fields_from_answer/" + field;
        if (!kind_.find_field(field))
            wrong(at, "'{}' is no field of this kind; add it to 'fields'", field);
        if (!pointer.starts_with('/')) wrong(at, "must be a JSON pointer, like '/team/id'");
    }
}

void KindReader::read_request(const Json& root) {
    if (!root.contains("request")) return;
    const Json& map = root["request"];
    const std::string at = "/request";
    if (!check_keys(at, map, kRequestKeys)) return;
    RequestAuth& request = kind_.request;
    using Place = RequestAuth::Place;
    const std::set<std::string> given = keys_of(map);
    if (given == std::set<std::string>{"user", "password"}) {
        request.place = Place::basic;
        request.user = text(at, map, "user", Need::needed);
        request.password = text(at, map, "password", Need::needed);
        check_template(at + "/user", request.user);
        return check_template(at + "/password", request.password);
    }
    const bool header = given.contains("header");
    if (given != std::set<std::string>{header ? "header" : "query", "value"})
        return wrong(at,
                     "must have 'header' and 'value', or 'query' and 'value', or 'user' and "
                     "'password'");
    request.place = header ? Place::header : Place::query;
    request.name = text(at, map, header ? "header" : "query", Need::needed);
    request.value = text(at, map, "value", Need::needed);
    check_template(at + "/value", request.value);
}

// The same for everybody: what differs, or is secret, is a field of the connection.
void KindReader::read_headers(const Json& root) {
    kind_.headers = pairs("", root, "headers");
    for (const auto& [name, value] : kind_.headers) {
        const std::string at = "/headers/" + name;
        if (auto good = check_header(name, value); !good) wrong(at, "{}", good.error().message);
        if (value.find_first_of("{}") != std::string::npos)
            wrong(at, "is sent as it is, and cannot name a field; leave the braces out");
        if (kind_.request.place == RequestAuth::Place::header &&
            to_lower_ascii(name) == to_lower_ascii(kind_.request.name))
            wrong(at, "is the header of 'request'; leave one of them out");
    }
}

void KindReader::read_hosts(const Json& root) {
    kind_.hosts = texts("", root, "hosts");
    for (std::size_t i = 0; i < kind_.hosts.size(); ++i) {
        const std::string& host = kind_.hosts[i];
        const std::string at = fmt::format("/hosts/{}", i);
        check_template(at, host);
        if (host.empty() || host.find_first_of("/: ") != std::string::npos)
            wrong(at, "must be a host's name, without scheme, port and path");
        else if (host == "*" || (host.find('*', 1) != std::string::npos))
            wrong(at, "'*.' stands in front of a name only, as in '*.example.com'");
    }
}

void KindReader::read_webhook(const Json& map) {
    auto scheme = parse_webhook_scheme(map, "webhook");
    if (!scheme)
        return add(place("/webhook" + scheme.error().where) + ": " + scheme.error().message);
    // The shared secret is a field, of the connection or of the app.
    if (!is_field(scheme->key_field))
        wrong("/webhook/key_field",
              "is '{}', which is no field of this kind; add it to 'fields' or "
              "'provisioning'",
              scheme->key_field);
    kind_.webhook = *std::move(scheme);
}

}  // namespace berth
