// A connector kind: what a provider needs in order to be connected, called and heard.
// Data, not code: each is a file of connectors/kinds or of the administrator's own
// folder (kind_reader.h), and nothing else in Berth knows a provider's name.
//
// Texts marked `template` name values in braces: `https://{shop}.myshopify.com/admin`.
// What may be named is said at each; a name that nothing has is refused at start.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/signature.h"

namespace berth {

// One value that somebody types in, or that the provider hands over.
struct KindField {
    std::string name;    // `api_key`: its name in the API, and in the environment unless `env` says
    std::string label;   // for people
    std::string help;    // where at the provider it is found; may be empty
    bool secret = true;  // sealed at once and never shown again; else shown as it is
    bool required = true;
    bool in_environment = true;  // runs get it
    bool multiline = false;      // a key file, a service account's JSON
    std::string env;             // `HAPIKEY`, when it is not the upper-cased name
    std::string pattern;         // RE2, of the whole value; empty: any text
    std::string default_value;   // of one that is not secret
    bool operator==(const KindField&) const = default;
};

enum class AuthMethod {
    fields,                    // what the customer types in is all
    oauth2_code,               // RFC 6749 4.1 with PKCE (RFC 7636)
    oauth2_client_credentials  // RFC 6749 4.4
};

// How the client proves who it is at the token endpoint (RFC 6749 2.3.1).
enum class ClientAuth { basic, body };

// The endpoints are templates over the provisioning and the customer's fields.
struct OAuth2 {
    std::string authorize_url;  // empty with client credentials
    std::string token_url;
    std::string issuer;      // compared with `iss` of the answer (RFC 9207); empty: not sent
    std::string revoke_url;  // RFC 7009; empty: there is none
    std::vector<std::string> scopes;  // asked for when the provisioning names none
    std::string scope_separator = " ";
    bool pkce = true;
    ClientAuth client_auth = ClientAuth::basic;
    // RFC 6749 and 7009 have forms; some providers read a JSON object only.
    bool json_token = false;
    bool json_revoke = false;
    std::map<std::string, std::string> authorize_parameters;  // `access_type`: `offline`
    std::map<std::string, std::string> token_parameters;
    // Fields of the connection from the token answer: name → JSON pointer. `access_token`
    // and `refresh_token` need none.
    std::map<std::string, std::string> fields_from_answer;
    std::chrono::seconds lifetime{0};  // when the answer has no `expires_in`; 0: for ever
    bool operator==(const OAuth2&) const = default;
};

// How a request of Berth's own (connector calls) proves who it is.
struct RequestAuth {
    enum class Place { none, header, query, basic };
    Place place = Place::none;
    std::string name;   // of the header or of the query's parameter
    std::string value;  // template over fields: `Bearer {access_token}`
    std::string user;   // basic: templates over fields
    std::string password;
    bool operator==(const RequestAuth&) const = default;
};

struct ConnectorKind {
    std::string name;           // slug: `shopify`; the file is called the same
    std::string title;          // `Shopify`
    std::string documentation;  // the provider's public page
    AuthMethod auth = AuthMethod::fields;
    std::vector<KindField> fields;  // of a connection, typed in or from the token answer
    // Of the integration's provisioning: client id and secret, `base_url` and the like.
    std::vector<KindField> provisioning;
    std::optional<OAuth2> oauth2;  // with both oauth2 methods
    RequestAuth request;
    // Of each call, as they are, unless the caller gives one of that name: `Notion-Version`.
    std::map<std::string, std::string> headers;
    std::string base_url;  // template; of calls whose target is only a path
    std::vector<std::string>
        hosts;  // templates, `*.` in front for all below: calls go nowhere else
    std::optional<WebhookScheme> webhook;
    bool operator==(const ConnectorKind&) const = default;

    const KindField* find_field(std::string_view field) const;
};

}  // namespace berth
