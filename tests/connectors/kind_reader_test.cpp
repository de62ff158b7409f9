// What is wrong with a kind's file is told with its place and a cure.
#include "connectors/kind_reader.h"

#include <catch2/catch.hpp>

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

TEST_CASE("a kind of fields is read with its defaults", "[connectors]") {
    const auto kind = read_kind(std::string{kHead} + kField +
                                    "request: {header: X-Key, value: \"{api_key}\"}\n"
                                    "hosts: [\"*.acme.example\"]\nports: [22]\n",
                                "kinds/acme.yaml");
    REQUIRE(kind);
    CHECK(kind->auth == AuthMethod::fields);
    REQUIRE(kind->fields.size() == 1);
    CHECK(kind->fields[0].secret);
    CHECK(kind->fields[0].required);
    CHECK(kind->fields[0].in_environment);
    CHECK(kind->request.place == RequestAuth::Place::header);
    CHECK(kind->request.value == "{api_key}");
    CHECK(kind->hosts == std::vector<std::string>{"*.acme.example"});
    CHECK(kind->ports == std::vector<std::uint16_t>{22});
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

TEST_CASE("each mistake in a kind is told with its place", "[connectors]") {
    const std::string oauth = "auth: oauth2_code\noauth2:\n";
    const auto row = GENERATE_COPY(table<std::string, std::string>({
        {"title: A\n" + std::string{kField}, "acme.yaml:1:1: 'name' is missing"},
        {"name: Acme\ntitle: A\n" + std::string{kField}, "acme.yaml:1:7: 'name' must have"},
        {"name: other\ntitle: A\n" + std::string{kField},
         "acme.yaml:1:7: the kind is called 'other' and its file 'acme.yaml'"},
        {std::string{kHead}, "'fields' is missing"},
        {kHead + std::string{"colour: red\n"} + kField, ":3:9: key 'colour' is not known here"},
        {kHead + std::string{"fields:\n  - {name: a, label: A, secrte: true}\n"},
         "key 'secrte' is not known here"},
        {kHead + std::string{"fields:\n  - {name: a-b, label: A}\n"}, ":4:12: a field's name has"},
        {kHead + std::string{"fields:\n  - {name: a, label: A}\n  - {name: a, label: B}\n"},
         ":5:12: field 'a' is there twice"},
        {kHead + std::string{"fields:\n  - {name: a, label: A, pattern: \"(\"}\n"},
         "'pattern' cannot be read"},
        {kHead + std::string{"fields:\n  - {name: a, label: A, required: maybe}\n"},
         "'required' must be true or false"},
        {kHead + std::string{"fields:\n  - {name: a, label: A, default_value: x}\n"},
         "a secret has no default"},
        {kHead + std::string{"auth: magic\n"} + kField, "'auth' must be one of: fields, oauth2"},
        {kHead + std::string{"auth: oauth2_code\n"} + kField, "'oauth2' goes with"},
        {kHead + std::string{"oauth2: {token_url: \"https://a.example\"}\n"} + kField,
         "'oauth2' goes with"},
        {kHead + oauth + "  token_url: https://a.example/t\n", "'authorize_url' is missing"},
        {kHead + oauth + "  token_url: http://a.example/t\n  authorize_url: https://a.example/a\n",
         ":5:14: the address must begin with 'https://'"},
        {kHead + oauth +
             "  token_url: https://{nobody}.example/t\n  authorize_url: https://a.example/a\n",
         "names '{nobody}', which is no field"},
        {kHead + oauth + "  token_url: https://a.example/{t\n  authorize_url: https://a.example\n",
         "a brace that is not closed"},
        {kHead + oauth +
             "  token_url: https://a.example/t\n  authorize_url: https://a.example/a\n"
             "  fields_from_answer: {team: /team/id}\n",
         "'team' is no field of this kind"},
        {kHead + std::string{kField} + "request: {header: A, value: \"{secret}\"}\n",
         "names '{secret}', which is no field"},
        {kHead + std::string{kField} + "request: {header: A, user: b}\n", "must have 'header' and"},
        {kHead + std::string{kField} + "hosts: [\"https://a.example\"]\n", "must be a host's name"},
        {kHead + std::string{kField} + "hosts: [\"*\"]\n", "'*.' stands in front of a name only"},
        {kHead + std::string{kField} + "ports: [0]\n", "a port is a number from 1 to 65535"},
        {kHead + std::string{kField} + "webhook: {signature_header: x-sig}\n",
         "'key_field' is 'webhook_secret', which is no field"},
        {kHead + std::string{kField} + "webhook: {key_field: api_key}\n", "acme.yaml:5:10: "},
        {"- a\n", "must be a map"},
        {"name: [\n", "acme.yaml:"},
    }));
    INFO(std::get<0>(row));
    CHECK_THAT(refusal(std::get<0>(row)), Catch::Contains(std::get<1>(row)));
}

TEST_CASE("all mistakes of a file are told at once", "[connectors]") {
    const auto told = refusal("name: acme\ntitle: Acme\ncolour: red\nshape: round\nfields: []\n");
    CHECK_THAT(told, Catch::Contains("'colour'") && Catch::Contains("'shape'"));
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
