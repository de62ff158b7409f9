// Vectors that providers have published, to the byte.
#include "base/text.h"
#include "tests/webhooks/schemes.h"

using namespace berth;
using namespace berth::testing;

namespace {

struct Vector {
    std::string provider;
    std::string secret;
    std::string method = "POST";
    std::string url;
    HookRequest::Pairs query;
    HookRequest::Pairs headers;
    std::string body;
    std::int64_t seconds = 0;  // when
};

// Of docs.github.com (validating deliveries), docs.svix.com (manual verification),
// api.slack.com (verifying requests) and twilio-node's own tests.
const std::vector<Vector>& published() {
    const std::string slack_body =
        "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
        "&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
        "&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands"
        "%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        "&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const std::string twilio_url = "https://mycompany.com/myapp.php?foo=1&bar=2";
    const std::string hash = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    static const std::vector<Vector> kPublished{
        {"github",
         "It's a Secret to Everybody",
         "POST",
         "",
         {},
         {{"x-hub-signature-256",
           "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}},
         "Hello, World!",
         0},
        {"standard",
         "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
         "POST",
         "",
         {},
         {{"webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"},
          {"webhook-timestamp", "1614265330"},
          {"webhook-signature",
           "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= "
           "v1,bm9ldHUjKzFob2VudXRob2VodWUzMjRvdWVvdW9ldQo= v2,MzJsNDk4MzI0K2VvdSMjMTEjQEBAQDEy"}},
         R"({"test": 2432232314})",
         1'614'265'330},
        {"slack",
         "8f742231b10e8888abcd99yyyzzz85a5",
         "POST",
         "",
         {},
         {{"x-slack-request-timestamp", "1531420618"},
          {"x-slack-signature",
           "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"}},
         slack_body,
         1'531'420'618},
        {"twilio",
         "12345",
         "POST",
         twilio_url,
         {{"foo", "1"}, {"bar", "2"}},
         {{"content-type", "application/x-www-form-urlencoded; charset=UTF-8"},
          {"x-twilio-signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8="}},
         "To=%2B18005551212&From=%2B14158675309&Digits=1234&CallSid=CA1234567890ABCDE"
         "&Caller=%2B14158675309",
         0},
        {"twilio",
         "12345",
         "POST",
         twilio_url + "&bodySHA256=" + hash,
         {{"foo", "1"}, {"bar", "2"}, {"bodySHA256", hash}},
         {{"content-type", "application/json"},
          {"x-twilio-signature", "a9nBmqA0ju/hNViExpshrM61xv4="}},
         R"({"property": "value", "boolean": true})",
         0},
    };
    return kPublished;
}

}  // namespace

TEST_CASE("what providers have published as right is right", "[webhooks]") {
    for (const Vector& vector : published()) {
        INFO(vector.provider);
        const WebhookScheme scheme = scheme_of(vector.provider);
        HookRequest request{vector.method, vector.url,     "",
                            vector.query,  vector.headers, vector.body};
        const Time now = time_from_micros(vector.seconds * 1'000'000);
        CHECK(accepts(scheme, request, vector.secret, now));
        const std::string other = vector.provider == "standard"
                                      ? "whsec_" + to_base64("another secret")
                                      : vector.secret + "x";
        CHECK_FALSE(accepts(scheme, request, other, now));
        // A bit of the body, wherever it is.
        for (std::size_t at = 0; at < request.body.size(); at += 7) {
            request.body[at] ^= 1;
            CHECK_FALSE(accepts(scheme, request, vector.secret, now));
            request.body[at] ^= 1;
        }
        CHECK(accepts(scheme, request, vector.secret, now));
    }
}

TEST_CASE("a secret that is being replaced serves as one of two", "[webhooks]") {
    const WebhookScheme scheme = scheme_of("standard");
    const Vector& vector = published()[1];
    const HookRequest request{"POST", "", "", {}, vector.headers, vector.body};
    const auto proof = read_proof(scheme, request, time_from_micros(1'614'265'330'000'000));
    REQUIRE(proof);
    CHECK(proof->candidates.size() == 2);  // v2 is of a scheme that we do not know
}
