// What is given for a connection is held against its kind, and never repeated.
#include "connectors/kind_fields.h"

#include <catch2/catch.hpp>

#include "connectors/kind_reader.h"

using namespace berth;

namespace {

constexpr const char* kCanary = "s3cr3t-canary";

const ConnectorKind& kind() {
    static const ConnectorKind read = *read_kind(R"(
name: acme
title: Acme
auth: oauth2_code
fields:
  - {name: shop, label: Shop, secret: false, pattern: "[a-z]+", help: the name before .example}
  - {name: api_key, label: Key, env: HAPIKEY}
  - {name: region, label: Region, secret: false, required: false, default_value: eu}
  - {name: team, label: Team, secret: false}
oauth2:
  authorize_url: https://{shop}.example/authorize
  token_url: https://{shop}.example/token
  fields_from_answer: {team: /team}
)",
                                                 "acme.yaml");
    return read;
}

std::map<std::string, Secret> given(std::initializer_list<std::pair<const char*, const char*>> of) {
    std::map<std::string, Secret> fields;
    for (const auto& [name, value] : of)
        fields.emplace(name, Secret{value});
    return fields;
}

std::string refusal(std::map<std::string, Secret> fields, std::set<std::string> held = {}) {
    const auto taken = check_fields(typed_fields(kind()), std::move(fields), held);
    REQUIRE_FALSE(taken);
    CHECK(taken.error().kind == FailureKind::unprocessable);
    CHECK(taken.error().message.find(kCanary) == std::string::npos);
    return taken.error().where + ": " + taken.error().message;
}

}  // namespace

TEST_CASE("fields are told apart by what their kind says of them", "[connectors]") {
    const auto taken =
        check_fields(typed_fields(kind()), given({{"shop", "acme"}, {"api_key", kCanary}}), {});
    REQUIRE(taken);
    CHECK(taken->secret.at("api_key").reveal() == kCanary);
    CHECK(taken->secret.size() == 1);
    CHECK(taken->readable ==
          std::map<std::string, std::string>{{"shop", "acme"}, {"region", "eu"}});
}

TEST_CASE("wrong fields are refused by name", "[connectors]") {
    CHECK(refusal(given({{"shop", "acme"}})) == "body.fields.api_key: 'api_key' (Key) is missing");
    CHECK(refusal(given({{"shop", kCanary}, {"api_key", "k"}})) ==
          "body.fields.shop: 'shop' (Shop) does not have the form that is expected: the name "
          "before .example");
    CHECK(refusal(given({{"shop", "acme"}, {"api_key", "k"}, {"apikey", kCanary}})) ==
          "body.fields.apikey: there is no field 'apikey' here; there are: shop, api_key, region");
    CHECK_THAT(refusal(given({{"shop", "acme"}, {"api_key", "k"}, {"region", "a\x1b[0m"}})),
               Catch::Contains("characters that are no text"));
    CHECK_THAT(refusal(given({{"shop", "acme"}, {"api_key", "k"}, {"region", "\xff"}})),
               Catch::Contains("characters that are no text"));
}

TEST_CASE("what is stored need not be given again, and a default does not overwrite it",
          "[connectors]") {
    const auto taken =
        check_fields(typed_fields(kind()), given({{"api_key", "new"}}), {"shop", "region"});
    REQUIRE(taken);
    CHECK(taken->readable.empty());
    CHECK(taken->secret.size() == 1);
}

TEST_CASE("what is stored is sent nowhere else than where it was stored for", "[connectors]") {
    const std::map<std::string, std::string> before{{"shop", "acme"}, {"region", "eu"}};
    const auto only = [](std::map<std::string, std::string> readable) {
        GivenFields given;
        given.readable = std::move(readable);
        return given;
    };
    const auto changed = [&](const GivenFields& given, const std::set<std::string>& sealed) {
        const auto allowed = check_place(kind(), given, before, sealed);
        return allowed ? std::string{} : allowed.error().where + ": " + allowed.error().message;
    };
    CHECK(changed(only({{"shop", "evil"}}), {"api_key"}) ==
          "body.fields.shop: 'shop' says where 'api_key' would be sent, stored for another place: "
          "give it anew together with 'shop', or disconnect first");
    // Tokens cannot be given by people: only a disconnect takes them away.
    GivenFields anew = only({{"shop", "evil"}});
    anew.secret.emplace("api_key", Secret{kCanary});
    CHECK_THAT(changed(anew, {"access_token", "api_key"}), Catch::Contains("'access_token'"));
    CHECK(changed(anew, {"api_key"}).empty());
    CHECK(changed(only({{"shop", "acme"}}), {"api_key"}).empty());
    CHECK(changed(only({{"shop", "evil"}}), {}).empty());
    // Where only the integration knows what a field means, any may be a host.
    CHECK_THAT(changed(only({{"region", "us"}}), {"api_key"}), Catch::Contains("'region'"));
}

TEST_CASE("people are not asked for what comes from the provider", "[connectors]") {
    std::vector<std::string> names;
    for (const KindField& field : typed_fields(kind()))
        names.push_back(field.name);
    CHECK(names == std::vector<std::string>{"shop", "api_key", "region"});
    CHECK(comes_from_provider(kind(), "team"));
    CHECK(comes_from_provider(kind(), "refresh_token"));
}

TEST_CASE("a field's variable has the name its kind gives it", "[connectors]") {
    CHECK(env_names("acme-one", *kind().find_field("api_key")) ==
          std::vector<std::string>{"PAN_SEC_ACME-ONE_HAPIKEY", "PAN_SEC_ACME_ONE_HAPIKEY"});
    CHECK(env_names("acme", *kind().find_field("refresh_token")).empty());
}
