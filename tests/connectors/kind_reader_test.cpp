// What is wrong with a kind's file is told with its place and a cure.
#include "connectors/kind_reader.h"

#include <catch2/catch.hpp>

#include "base/text.h"
#include "connectors/template.h"
#include "model/limits.h"

using namespace berth;

namespace {

constexpr const char* kHead = "name: acme\ntitle: Acme\n";
constexpr const char* kField = "fields:\n  - {name: api_key, label: Key}\n";

std::string refusal(const std::string& text) {
    const auto kind = read_kind(text, "kinds/acme.yaml");
    if (kind) return "(taken)";
    return kind.error().message;
}

}  // namespace

TEST_CASE("requests that a provider wants as JSON are named", "[connectors]") {
    const auto kind = read_kind(std::string{kHead} +
                                    "auth: oauth2_code\noauth2:\n"
                                    "  authorize_url: https://acme.example/authorize\n"
                                    "  token_url: https://acme.example/token\n"
                                    "  json_requests: [token]\n",
                                "acme.yaml");
    REQUIRE(kind);
    CHECK(kind->oauth2->json_token);
    CHECK_FALSE(kind->oauth2->json_revoke);
}

TEST_CASE("a kind of fields is read with its defaults", "[connectors]") {
    const auto kind = read_kind(std::string{kHead} + kField +
                                    "request: {header: X-Key, value: \"{api_key}\"}\n"
                                    "headers: {Acme-Version: \"2025-01-01\"}\n"
                                    "hosts: [\"*.acme.example\"]\n",
                                "kinds/acme.yaml");
    REQUIRE(kind);
    CHECK(kind->auth == AuthMethod::fields);
    REQUIRE(kind->fields.size() == 1);
    CHECK(kind->fields[0].secret);
    CHECK(kind->fields[0].required);
    CHECK(kind->fields[0].in_environment);
    CHECK(kind->request.place == RequestAuth::Place::header);
    CHECK(kind->request.value == "{api_key}");
    CHECK(kind->headers == std::map<std::string, std::string>{{"Acme-Version", "2025-01-01"}});
    CHECK(kind->hosts == std::vector<std::string>{"*.acme.example"});
    CHECK_FALSE(kind->oauth2);
}

TEST_CASE("OAuth2 kinds have tokens and a client without naming them", "[connectors]") {
    const auto kind = read_kind(std::string{kHead} +
                                    "auth: oauth2_code\noauth2:\n"
                                    "  authorize_url: https://acme.example/authorize\n"
                                    "  token_url: https://acme.example/token\n",
                                "acme.yaml");
    if (!kind) FAIL(kind.error().message);
    REQUIRE(kind->find_field("access_token") != nullptr);
    REQUIRE(kind->find_field("refresh_token") != nullptr);
    CHECK_FALSE(kind->find_field("refresh_token")->in_environment);
    REQUIRE(kind->provisioning.size() == 3);
    CHECK(kind->provisioning[0].name == "client_id");
    CHECK_FALSE(kind->provisioning[0].secret);
    CHECK(kind->provisioning[1].name == "client_secret");
    CHECK(kind->provisioning[1].secret);
    CHECK(kind->oauth2->pkce);
    CHECK(kind->oauth2->client_auth == ClientAuth::basic);
}

TEST_CASE("each mistake in a kind is told with its file, line, field and cure", "[connectors]") {
    const std::string head = kHead;
    const std::string oauth = head + "auth: oauth2_code\noauth2:\n";
    const std::string urls =
        "  token_url: https://a.example/t\n  authorize_url: https://a.example/a\n";
    const std::string client =
        head + "auth: oauth2_client_credentials\noauth2:\n  token_url: https://a.example/t\n";
    const auto field = [&](const std::string& more) {
        return head + "fields:\n  - {name: a, label: A" + more + "}\n";
    };
    const auto with = [&](const std::string& more) { return head + kField + more; };
    std::string many = head + "fields:\n";
    for (std::size_t i = 0; i <= limits::kKindFields; ++i)
        many += fmt::format("  - {{name: f{}, label: F}}\n", i);

    const std::vector<std::pair<std::string, std::string>> rows{
        // The kind itself
        {std::string{"title: A\n"} + kField, "1:1: 'name' is missing; write 'name: ...'"},
        {std::string{"name: \"\"\ntitle: A\n"} + kField, "1:7: name: must not be empty"},
        {std::string{"name: Acme\ntitle: A\n"} + kField, "1:7: name: must have 1 to 63 lower-case"},
        {std::string{"name: other\ntitle: A\n"} + kField,
         "1:7: name: the kind is called 'other' and its file 'acme.yaml'; rename one of them"},
        {std::string{"name: acme\n"} + kField, "1:1: 'title' is missing"},
        {std::string{"name: acme\ntitle: 7\n"} + kField,
         "2:8: title: must be a text; put quotes around it"},
        {with("documentation: http://a.example\n"),
         "5:16: documentation: must begin with 'https://'"},
        {with("colour: red\n"), "5:9: key 'colour' is not known here; one of: auth, base_url"},
        {with("auth: magic\n"), "5:7: auth: must be one of: fields, oauth2_code, oauth2_client"},
        {"- a\n", "1:1: must be a map with keys such as 'auth'"},
        {"name: [\n", "2:1: "},
        {"name: acme\nname: acme\n", "2:1: "},
        {"name: *a\n", "1:7: "},
        // Fields
        {head, "1:1: 'fields' is missing; name at least one"},
        {head + "fields: {a: b}\n", "3:9: fields: must be a list, '- name: ...' each"},
        {head + "fields: [a]\n",
         "3:10: fields[0]: must be a map with keys such as 'default_value'"},
        {many, "fields: has 33 fields; at most 32 are allowed"},
        {field(", secrte: true"), "4:33: fields[0]: key 'secrte' is not known here; one of:"},
        {head + "fields:\n  - {label: A}\n", "4:5: fields[0]: 'name' is missing"},
        {head + "fields:\n  - {name: a}\n", "4:5: fields[0]: 'label' is missing"},
        {head + "fields:\n  - {name: a-b, label: A}\n",
         "4:12: fields[0].name: must have 1 to 40 lower-case letters, digits and '_'"},
        {head + "fields:\n  - {name: a, label: A}\n  - {name: a, label: B, env: b}\n",
         "5:12: fields[1].name: field 'a' is there twice; leave one out"},
        {head + "fields:\n  - {name: a, label: A}\n  - {name: b, label: B, env: A}\n",
         "5:5: fields[1]: its variable has the name of that of 'a'; give one another 'env'"},
        {field(", required: maybe"), "fields[0].required: must be true or false"},
        {field(", env: \"a b\""), "fields[0].env: must have letters, digits and '_'"},
        {field(", pattern: \"(\""), "fields[0].pattern: is not of RE2's form: "},
        {field(", default_value: x"),
         "fields[0].default_value: a secret has no default; leave it out"},
        {field(", secret: false, pattern: \"[0-9]+\", default_value: x"),
         "fields[0].default_value: does not match 'pattern'; change one of them"},
        {with("provisioning: {a: b}\n"), "5:15: provisioning: must be a list"},
        // OAuth2
        {head + "auth: oauth2_code\n" + kField, "3:7: auth: 'oauth2' goes with"},
        {with("oauth2: {token_url: \"https://a.example\"}\n"),
         "5:9: oauth2: 'oauth2' goes with 'auth: oauth2_code' and"},
        {oauth + "  token_url: https://a.example/t\n", "oauth2: 'authorize_url' is missing"},
        {oauth + "  authorize_url: https://a.example/a\n", "oauth2: 'token_url' is missing"},
        {oauth + urls + "  issuer: a.example\n", "7:11: oauth2.issuer: must begin with 'https://'"},
        {oauth + urls + "  revoke_url: http://a.example\n",
         "7:15: oauth2.revoke_url: must begin with 'https://'"},
        {oauth + "  token_url: https://{nobody}.example/t\n  authorize_url: https://a.example/a\n",
         "5:14: oauth2.token_url: names '{nobody}', which is no field of this kind; add it to"},
        {oauth + "  token_url: https://a.example/{t\n  authorize_url: https://a.example\n",
         "5:14: oauth2.token_url: has a brace that is not closed, or holds no name; write "
         "'{name}'"},
        {oauth + urls + "  scopes: read\n", "7:11: oauth2.scopes: must be a list of texts, as in"},
        {oauth + urls + "  scopes: [1]\n", "7:12: oauth2.scopes[0]: must be a text; put quotes"},
        {oauth + urls + "  scope_separator: \"\"\n", "oauth2.scope_separator: must not be empty"},
        {oauth + urls + "  client_auth: jwt\n",
         "7:16: oauth2.client_auth: must be one of: basic, body"},
        {oauth + urls + "  json_requests: [refresh]\n",
         "oauth2.json_requests: has 'refresh'; there are: token, revoke"},
        {oauth + urls + "  token_parameters: [a]\n",
         "oauth2.token_parameters: must be a map of texts, as in {name: text}"},
        {oauth + urls + "  authorize_parameters: {a: 1}\n",
         "7:29: oauth2.authorize_parameters.a: must be a text; put quotes around it"},
        {oauth + urls + "  fields_from_answer: {team: /team/id}\n",
         "oauth2.fields_from_answer.team: 'team' is no field of this kind; add it to 'fields'"},
        {oauth + urls + "  fields_from_answer: {access_token: token}\n",
         "oauth2.fields_from_answer.access_token: must be a JSON pointer, like '/team/id'"},
        {oauth + urls + "  lifetime_seconds: soon\n",
         "7:21: oauth2.lifetime_seconds: must be a number of seconds, at most a year: 31536000"},
        {client + "  pkce: true\n", "6:9: oauth2.pkce: goes with 'auth: oauth2_code' only"},
        // Requests
        {with("request: {header: A, value: \"{secret}\"}\n"),
         "5:29: request.value: names '{secret}', which is no field of this kind"},
        {with("request: {header: A, user: b}\n"), "5:10: request: must have 'header' and 'value'"},
        {with("request: {header: A, value: b, password: c}\n"), "request: must have 'header' and"},
        {with("request: {user: a}\n"), "request: must have 'header' and 'value', or 'query' and"},
        {with("request: {header: \"\", value: b}\n"), "request.header: must not be empty"},
        {with("request: {cookie: a}\n"), "request: key 'cookie' is not known here; one of: header"},
        {with("base_url: a.example\n"), "5:11: base_url: must begin with 'https://'"},
        {with("hosts: a.example\n"), "5:8: hosts: must be a list of texts"},
        {with("headers: [a]\n"), "5:10: headers: must be a map of texts, as in {name: text}"},
        {with("headers: {A: 7}\n"), "5:14: headers.A: must be a text; put quotes around it"},
        {with("headers: {\"A B\": c}\n"), "headers.A B: 'A B' is no name of a header"},
        {with("headers: {Host: c}\n"), "headers.Host: the header 'Host' is not the caller's to"},
        {with("headers: {A: \"b\\nC: d\"}\n"), "headers.A: the header 'A' has a value that no"},
        {with("headers: {A: \"{api_key}\"}\n"),
         "5:14: headers.A: is sent as it is, and cannot name a field; leave the braces out"},
        {with("request: {header: A, value: \"{api_key}\"}\nheaders: {a: b}\n"),
         "6:14: headers.a: is the header of 'request'; leave one of them out"},
        {with("hosts: [\"https://a.example\"]\n"),
         "5:9: hosts[0]: must be a host's name, without scheme, port and path"},
        {with("hosts: [a.example, \"*\"]\n"),
         "5:20: hosts[1]: '*.' stands in front of a name only, as in '*.example.com'"},
        // Webhooks
        {with("webhook: {signature_header: x-sig}\n"),
         "5:10: webhook.key_field: is 'webhook_secret', which is no field of this kind; add it"},
        {with("webhook: {key_field: api_key}\n"), "5:10: webhook: 'signature_header' or"},
        {with("webhook: {key_field: api_key, signature_header: x, message: \"{timestamp}\"}\n"),
         "5:61: webhook: 'message' must have {body}"},
        {with("webhook: {key_field: api_key, signature_haeder: x}\n"),
         "5:10: webhook: 'signature_h"},
        {with("webhook: {key_field: api_key, signature_header: x, windw: 3}\n"),
         "5:59: webhook: 'windw' is no key of a webhook's scheme; check its spelling"},
        {with("webhook: yes\n"), "5:10: webhook: "},
    };
    for (const auto& [text, told] : rows) {
        INFO(text);
        CHECK_THAT(refusal(text), Catch::StartsWith("kinds/acme.yaml:") && Catch::Contains(told));
    }
}

TEST_CASE("all mistakes of a file are told at once", "[connectors]") {
    const auto told = refusal("name: acme\ntitle: Acme\ncolour: red\nshape: round\nfields: []\n");
    CHECK_THAT(told, Catch::Contains("acme.yaml:3:9: key 'colour'") &&
                         Catch::Contains("\nkinds/acme.yaml:4:8: key 'shape'") &&
                         Catch::Contains("\nkinds/acme.yaml:1:1: 'fields' is missing"));
}

TEST_CASE("a template's names are found", "[connectors]") {
    CHECK(template_names("https://{shop}.example/{path}") ==
          std::vector<std::string>{"shop", "path"});
    CHECK(template_names("plain")->empty());
    CHECK_FALSE(template_names("{a"));
    CHECK_FALSE(template_names("a}"));
    CHECK_FALSE(template_names("{}"));
    CHECK_FALSE(template_names("{a{b}}"));
}
