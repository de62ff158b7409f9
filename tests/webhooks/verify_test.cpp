// What is taken for a delivery of its provider, and what is not.
#include <limits>

#include "base/text.h"
#include "tests/support/seed.h"
#include "tests/webhooks/schemes.h"

using namespace berth;
using namespace berth::testing;
using namespace std::chrono_literals;

namespace {

const std::string kBody = R"({"id": "e-1", "type": "order.paid", "value": [{"clientState": "s"}]})";

bool is_dated(const WebhookScheme& scheme) {
    return !scheme.timestamp_header.empty() || !scheme.timestamp_list_key.empty();
}

std::string why_not(const WebhookScheme& scheme, const HookRequest& request, Time now = kNow) {
    const auto proof = read_proof(scheme, request, now);
    if (proof) return {};
    CHECK(proof.error().kind == FailureKind::denied);
    return proof.error().message;
}

}  // namespace

TEST_CASE("a delivery that is signed as agreed is taken, of any provider", "[webhooks]") {
    for (const std::string& provider : providers()) {
        INFO(provider);
        const auto scheme = scheme_of(provider);
        const std::string secret = provider == "graph" ? "s" : secret_of(provider);
        CHECK(accepts(scheme, signed_request(scheme, secret, kBody), secret));
    }
}

TEST_CASE("a delivery with one bit changed is not", "[webhooks]") {
    auto random = test::seeded_random("flipped bits");
    for (const std::string& provider : providers()) {
        if (provider == "graph" || provider == "gitlab") continue;  // tokens sign nothing
        INFO(provider);
        const auto scheme = scheme_of(provider);
        const std::string secret = secret_of(provider);
        const HookRequest good = signed_request(scheme, secret, kBody);
        REQUIRE(accepts(scheme, good, secret));
        for (int i = 0; i < 40; ++i) {
            HookRequest bad = good;
            char& c = bad.body[test::below(random, bad.body.size())];
            c = static_cast<char>(c ^ (1 << test::below(random, 8)));
            CHECK_FALSE(accepts(scheme, bad, secret));
        }
        CHECK_FALSE(accepts(scheme, good, another_secret(provider, secret)));
    }
}

TEST_CASE("a token is right as a whole or not at all", "[webhooks]") {
    const auto scheme = scheme_of("gitlab");
    HookRequest request = signed_request(scheme, "a token", kBody);
    CHECK(accepts(scheme, request, "a token"));
    for (const char* other : {"a toke", "a token ", "A token", "a tokeN", "x"}) {
        INFO(other);
        set_header(request, "x-gitlab-token", other);
        // Blanks around a header's value are no part of it.
        CHECK(accepts(scheme, request, "a token") == (trim(other) == "a token"));
    }
    set_header(request, "x-gitlab-token", "");
    CHECK(why_not(scheme, request) == "it has no signature");
}

TEST_CASE("without a signature, or with two, there is nothing to check", "[webhooks]") {
    for (const std::string& provider : providers()) {
        if (provider == "graph") continue;
        INFO(provider);
        const auto scheme = scheme_of(provider);
        HookRequest request = signed_request(scheme, secret_of(provider), kBody);
        HookRequest twice = request;
        twice.headers.emplace_back(scheme.signature_header,
                                   header(request, scheme.signature_header));
        CHECK(why_not(scheme, twice) == "it has no signature");
        std::erase_if(request.headers,
                      [&](const auto& pair) { return pair.first == scheme.signature_header; });
        CHECK(why_not(scheme, request) == "it has no signature");
        set_header(request, scheme.signature_header, "!");
        if (scheme.algorithm != MacAlgorithm::token)
            CHECK(why_not(scheme, request) == "its signature cannot be read");
    }
}

TEST_CASE("a signature of another form than the scheme's cannot be read, whatever it is",
          "[webhooks]") {
    struct Case {
        const char* provider;
        std::string text;
    };
    const std::string mac(64, 'a');
    for (const Case& one : {
             Case{"github", mac},                          // no prefix
             {"github", "sha1=" + mac},                    // another algorithm's
             {"github", "SHA256=" + mac},                  // in capitals
             {"github", "sha256=" + mac.substr(1)},        // half a byte
             {"github", "sha256=" + mac.substr(1) + "g"},  // no hex digit
             {"github", "sha256= " + mac},
             {"github", "sha256="},
             {"slack", "v1=" + mac},
             {"stripe", "v1"},
             {"stripe", "t=1700000000"},
             {"stripe", "t=1700000000,v0=" + mac},  // what it sends for tests
             {"stripe", "t=1700000000;v1=" + mac},
             {"standard", "v1a,AAAA"},
             {"standard", "AAAA"},
             {"standard", "v1,====="},
             {"shopify", "AAAAA"},
             {"shopify", "AA=A"},
             {"hubspot", "AA\x01\x02"},
             {"twilio", "*"},
             {"sendgrid", "MEUCI?"},
             {"klaviyo", "0x" + mac},
         }) {
        INFO(one.provider << ": " << one.text);
        const auto scheme = scheme_of(one.provider);
        HookRequest request = signed_request(scheme, secret_of(one.provider), kBody);
        REQUIRE(accepts(scheme, request, secret_of(one.provider)));
        set_header(request, scheme.signature_header, one.text);
        CHECK(why_not(scheme, request) == "its signature cannot be read");
    }
}

TEST_CASE("a timestamp holds for the window and no second longer, on both sides", "[webhooks]") {
    for (const std::string& provider : providers()) {
        const auto scheme = scheme_of(provider);
        if (!is_dated(scheme)) continue;
        INFO(provider);
        const HookRequest request = signed_request(scheme, secret_of(provider), kBody);
        CHECK(why_not(scheme, request, kNow + scheme.window).empty());
        CHECK(why_not(scheme, request, kNow - scheme.window).empty());
        CHECK(why_not(scheme, request, kNow + scheme.window + 1s) == "its timestamp is too old");
        CHECK(why_not(scheme, request, kNow - scheme.window - 1s) ==
              "its timestamp is in the future");
    }
}

TEST_CASE("a timestamp that is no time is refused, whatever it is", "[webhooks]") {
    for (const char* provider :
         {"slack", "hubspot", "zendesk", "standard", "klaviyo", "sendgrid"}) {
        const auto scheme = scheme_of(provider);
        HookRequest request = signed_request(scheme, secret_of(provider), kBody);
        for (const char* text : {"-1", "1e9", "99999999999999999999", "9223372036854775807", " ",
                                 "0x10", "2023-13-40T00:00:00Z", "+1700000000", "1700000000 "}) {
            INFO(provider << " " << text);
            set_header(request, scheme.timestamp_header, text);
            CHECK_FALSE(why_not(scheme, request).empty());
        }
        request.headers.emplace_back(scheme.timestamp_header, "1700000000");
        CHECK(why_not(scheme, request) == "it has no timestamp");
    }
}

TEST_CASE("a form's parameters are signed by name, whatever their order", "[webhooks]") {
    const auto scheme = scheme_of("twilio");
    HookRequest request{"POST", "https://h.example/x", "/x", {}, {}, "b=2&a=1&a=0&a=1&c"};
    set_header(request, "content-type", "application/x-www-form-urlencoded");
    set_header(request, "x-twilio-signature", "AAAA");
    CHECK(read_proof(scheme, request, kNow)->message == "https://h.example/xa0a1b2c");
    request.body = "";
    CHECK(read_proof(scheme, request, kNow)->message == "https://h.example/x");
}

TEST_CASE("a body that no MAC covers is refused", "[webhooks]") {
    const auto scheme = scheme_of("twilio");
    HookRequest request{"POST", "https://h.example/x", "/x", {}, {}, R"({"a": 1})"};
    set_header(request, "content-type", "application/json");
    set_header(request, "x-twilio-signature", "AAAA");
    CHECK(why_not(scheme, request) == "its body is no form, and the address has no hash of it");
    request.query = {{"bodySHA256", std::string(64, '0')}};
    CHECK(why_not(scheme, request) == "its body is not the one that the address has the hash of");
    // Of a type that says it is a form, the parameters are what is signed.
    set_header(request, "content-type", "application/x-www-form-urlencoded");
    CHECK(why_not(scheme, request).empty());
}

TEST_CASE("what nobody has signed yet is not taken apart without an end", "[webhooks]") {
    const auto form = scheme_of("twilio");
    HookRequest request{"POST", "https://h.example/x", "/x", {}, {}, std::string(999, '&')};
    set_header(request, "content-type", "application/x-www-form-urlencoded");
    set_header(request, "x-twilio-signature", "AAAA");
    CHECK(why_not(form, request).empty());
    request.body += '&';
    CHECK(why_not(form, request) == "it has too many parameters");

    const auto in_body = scheme_of("graph");
    const auto body_of = [](std::size_t size) {
        std::string body = R"({"value": [{"clientState": "s"}], "x": ")";
        return body.append(size - body.size() - 2, 'x') + "\"}";
    };
    request = {"POST", "https://h.example/x", "/x", {}, {}, body_of(256 * 1024)};
    CHECK(why_not(in_body, request).empty());
    request.body = body_of(256 * 1024 + 1);
    CHECK(why_not(in_body, request) ==
          "its signature lies in a body that is too large to be looked through");
}

TEST_CASE("more signatures than anybody sends are not tried", "[webhooks]") {
    const auto scheme = scheme_of("standard");
    HookRequest request = signed_request(scheme, secret_of("standard"), kBody);
    std::string many = header(request, "webhook-signature");
    for (int i = 0; i < 15; ++i)
        many += " v1,AAAA";
    set_header(request, "webhook-signature", many);
    CHECK(accepts(scheme, request, secret_of("standard")));
    set_header(request, "webhook-signature", many + " v1,AAAA");
    CHECK(why_not(scheme, request) == "it has too many signatures");
}
