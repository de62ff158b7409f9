// A scheme that is read from a kind's file, and what is refused in one.
#include <nlohmann/json.hpp>

#include "tests/webhooks/schemes.h"

using namespace berth;
using namespace berth::testing;
using Catch::Contains;

namespace {

std::string refusal(const std::string& json) {
    const auto scheme = parse_webhook_scheme(Json::parse(json), "shop.yaml: webhook");
    if (scheme) return {};
    CHECK(scheme.error().kind == FailureKind::invalid);
    CHECK_THAT(scheme.error().message, Catch::StartsWith("shop.yaml: webhook: "));
    return scheme.error().message;
}

}  // namespace

TEST_CASE("the schemes of well-known providers can be said", "[webhooks]") {
    for (const std::string& provider : providers()) {
        INFO(provider);
        scheme_of(provider);
    }
    const WebhookScheme github = scheme_of("github");
    CHECK(github.signature_header == "x-hub-signature-256");  // as headers are looked up
    CHECK(github.message == "{body}");
    CHECK(scheme_of("stripe").timestamp_list_key == "t");
    CHECK(scheme_of("graph").handshake_name == "validationToken");
}

TEST_CASE("a scheme that a stranger could forge under is refused", "[webhooks]") {
    // The body is not signed.
    CHECK_THAT(refusal(R"({"signature_header": "s", "message": "{timestamp}",
                           "timestamp_header": "t"})"),
               Contains("anybody may write the body"));
    CHECK_THAT(refusal(R"({"signature_header": "s", "message": "{url}{sorted_parameters}"})"),
               Contains("anybody may write the body"));
    CHECK_THAT(refusal(R"({"signature_header": "s", "message": "{sorted_parameters}",
                           "body_hash_parameter": "h"})"),
               Contains("anybody may write the body"));
    // The timestamp is not.
    CHECK_THAT(refusal(R"({"signature_header": "s", "timestamp_header": "t"})"),
               Contains("anybody may write another"));
    CHECK_THAT(refusal(R"({"algorithm": "token", "signature_header": "s",
                           "timestamp_header": "t"})"),
               Contains("says nothing beside a token"));
    // A MAC over the body cannot be in the body.
    CHECK_THAT(refusal(R"({"signature_pointer": "/mac"})"), Contains("no MAC covers"));
}

TEST_CASE("a scheme with a mistake is refused by the name of its key", "[webhooks]") {
    CHECK_THAT(refusal(R"({})"), Contains("'signature_header'"));
    CHECK_THAT(refusal(R"({"signature_header": "s", "signature_pointer": "/s"})"),
               Contains("'signature_header'"));
    CHECK_THAT(refusal(R"({"signature_header": "s", "algoritm": "token"})"),
               Contains("'algoritm' is no key"));
    CHECK_THAT(refusal(R"({"signature_header": "s", "algorithm": "md5"})"),
               Contains("must be one of hmac_sha256, hmac_sha1, hmac_sha512, token, ecdsa_p256, "
                        "not 'md5'"));
    CHECK_THAT(refusal(R"({"signature_header": 1})"), Contains("must be a text"));
    CHECK_THAT(refusal(R"({"signature_header": "s", "window": 0})"), Contains("from 1 to 3600"));
    CHECK_THAT(refusal(R"({"signature_header": "s", "window": 3601})"), Contains("from 1 to 3600"));
    CHECK_THAT(refusal(R"({"signature_header": "s", "message": "{bdy}{body}"})"),
               Contains("'{bdy}'") && Contains("{body}"));
    CHECK_THAT(refusal(R"({"signature_header": "s", "message": "{body}{"})"), Contains("'{'"));
    CHECK_THAT(refusal(R"({"signature_header": "s", "message": "{id}.{body}"})"),
               Contains("id_header"));
    CHECK_THAT(refusal(R"({"signature_header": "s", "message": "{timestamp}.{body}"})"),
               Contains("nothing says where"));
    CHECK_THAT(refusal(R"({"signature_header": "s", "list_separator": ","})"),
               Contains("goes with"));
    CHECK_THAT(refusal(R"({"signature_header": "s", "list_separator": ", ", "list_key": "v",
                           "list_key_separator": "="})"),
               Contains("one character"));
    CHECK_THAT(refusal(R"({"signature_header": "s", "handshake": "echo_query"})"),
               Contains("what is echoed"));
    CHECK_THAT(refusal(R"({"signature_header": "s", "handshake_name": "x"})"),
               Contains("goes with an echo"));
    CHECK_THAT(refusal(R"({"signature_header": "s", "id_pointer": "id"})"),
               Contains("JSON pointer"));
    CHECK_THAT(refusal(R"({"signature_header": "s", "idempotency": "body"})"),
               Contains("must be one of id, message"));
    CHECK_THAT(refusal(R"({"algorithm": "token", "signature_header": "s",
                           "idempotency": "message"})"),
               Contains("a token signs none"));
    CHECK_THAT(refusal("[]"), Contains("keys and values"));
}

TEST_CASE("a message is taken apart into what is said and what is named", "[webhooks]") {
    CHECK(split_message("v0:{timestamp}:{body}").value() ==
          std::vector<std::string>{"v0:", "{timestamp}", ":", "{body}"});
    CHECK(split_message("{body}").value() == std::vector<std::string>{"{body}"});
    CHECK(split_message("").value().empty());
    CHECK_FALSE(split_message("{body"));
    CHECK_FALSE(split_message("{}"));
}
