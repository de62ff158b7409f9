// What a delivery is: its id, what it is about, a question; and what a run sees of it.
#include <nlohmann/json.hpp>

#include "tests/webhooks/schemes.h"

using namespace berth;
using namespace berth::testing;
using namespace std::chrono_literals;

namespace {

HookSubject subject_of(const WebhookScheme& scheme, const HookRequest& request) {
    return read_subject(scheme, request, read_proof(scheme, request, kNow).value());
}

HookRequest asking(HookRequest::Pairs query, HookRequest::Pairs headers = {}) {
    return {"GET", "", "", std::move(query), std::move(headers), ""};
}

}  // namespace

TEST_CASE("the id is the provider's, from where it says", "[webhooks]") {
    const std::string body = R"({"id": "evt_1", "type": "charge.ok", "event_id": "Ev1",
                                 "event": {"type": "message"}})";
    const auto of = [&](const char* provider) {
        const auto scheme = scheme_of(provider);
        return subject_of(scheme, signed_request(scheme, secret_of(provider), body));
    };
    CHECK(of("github").id == "d-1");
    CHECK(of("stripe").id == "evt_1");
    CHECK(of("stripe").event == "charge.ok");
    CHECK(of("slack").id == "Ev1");
    CHECK(of("slack").event == "message");
}

TEST_CASE("without an id, what was signed is the id, since it has the time in it", "[webhooks]") {
    const auto scheme = scheme_of("hubspot");
    const auto at = [&](Time when) {
        return subject_of(scheme, signed_request(scheme, "s", "{}", when)).id;
    };
    CHECK(at(kNow).size() == 64);
    CHECK(at(kNow) == at(kNow));
    CHECK(at(kNow) != at(kNow + 1ms));
}

TEST_CASE("without an id and a time, no delivery is taken for another", "[webhooks]") {
    const auto scheme = parse_scheme(R"({"signature_header": "s"})");
    CHECK(subject_of(scheme, signed_request(scheme, "s", "{}")).id.empty());
    CHECK(subject_of(scheme, signed_request(scheme, "s", "{}")).key.empty());
}

TEST_CASE("where what was signed is the id, another id makes no other delivery", "[webhooks]") {
    const auto of = [](const char* provider, const char* body, const char* id) {
        const auto scheme = scheme_of(provider);
        return subject_of(scheme, signed_request(scheme, secret_of(provider), body, kNow, id));
    };
    CHECK(of("shopify", "{}", "one").id == "one");  // as the provider calls it
    CHECK(of("shopify", "{}", "one").key == of("shopify", "{}", "two").key);
    CHECK(of("shopify", "{}", "one").key != of("shopify", "{ }", "one").key);
    // Of the others an id is its provider's word, and equal texts are two deliveries.
    CHECK(of("github", "{}", "one").key != of("github", "{}", "two").key);
    CHECK(of("github", "{}", "one").key == "one");
}

TEST_CASE("an id that is not where it should be is none", "[webhooks]") {
    const auto scheme = parse_scheme(R"({"signature_header": "s", "id_pointer": "/a/id",
                                         "event_pointer": "/what"})");
    for (const char* body : {"{}", "[]", "7", "no JSON", R"({"a": 1})", R"({"a": {"id": {}}})",
                             R"({"a": {"id": null}})", R"({"a": {"id": 1.5}})", ""}) {
        INFO(body);
        const auto subject = subject_of(scheme, signed_request(scheme, "s", body));
        CHECK(subject.id.empty());
        CHECK(subject.event.empty());
    }
    CHECK(subject_of(scheme, signed_request(scheme, "s", R"({"a": {"id": 17}})")).id == "17");
}

TEST_CASE("Slack's question is answered with its challenge, and only when it is one",
          "[webhooks]") {
    const auto scheme = scheme_of("slack");
    const auto answer = [&](const std::string& body) {
        return subject_of(scheme, signed_request(scheme, "s", body)).answer;
    };
    const auto asked = answer(R"({"type": "url_verification", "challenge": "3eZbrw1aBm2r"})");
    REQUIRE(asked);
    CHECK(asked->body == "3eZbrw1aBm2r");
    CHECK_FALSE(answer(R"({"type": "event_callback", "challenge": "3eZbrw1aBm2r"})"));
    CHECK_FALSE(answer(R"({"type": "url_verification"})"));
    CHECK_FALSE(answer(R"({"type": "url_verification", "challenge": "a\nb"})"));
    CHECK_FALSE(unsigned_handshake(scheme, asking({{"challenge", "x"}})));  // signed, or nothing
}

TEST_CASE("an echo answers what was asked, as text, and nothing else", "[webhooks]") {
    const auto graph = scheme_of("graph");
    const auto asked = unsigned_handshake(graph, asking({{"validationToken", "Hello <b>"}}));
    REQUIRE(asked);
    CHECK(asked->body == "Hello <b>");
    CHECK(asked->content_type == "text/plain; charset=utf-8");
    CHECK_FALSE(unsigned_handshake(graph, asking({})));
    CHECK_FALSE(unsigned_handshake(graph, asking({{"validationToken", ""}})));
    CHECK_FALSE(
        unsigned_handshake(graph, asking({{"validationToken", "a"}, {"validationToken", "b"}})));
    CHECK_FALSE(unsigned_handshake(graph, asking({{"validationToken", std::string(1025, 'x')}})));
    CHECK_FALSE(unsigned_handshake(graph, asking({{"validationToken", "a\r\nset-cookie: x"}})));
    CHECK_FALSE(unsigned_handshake(scheme_of("github"), asking({{"validationToken", "x"}})));

    const auto echo = parse_scheme(R"({"signature_header": "s", "handshake": "echo_header",
                                       "handshake_name": "X-Hook-Secret"})");
    const auto told = unsigned_handshake(echo, asking({}, {{"x-hook-secret", "abc"}}));
    REQUIRE(told);
    CHECK(told->body.empty());
    CHECK(told->headers == HookRequest::Pairs{{"x-hook-secret", "abc"}});
}

TEST_CASE("a run sees the headers but those that prove something", "[webhooks]") {
    const HookRequest::Pairs headers{{"authorization", "Bearer x"},
                                     {"cookie", "a=b"},
                                     {"x-github-event", "push"},
                                     {"x-forwarded-for", "1.2.3.4"},
                                     {"x-gitlab-token", "s3cret"},
                                     {"accept", "a"},
                                     {"accept", "b"},
                                     {"proxy-authorization", "x"}};
    const Json seen = Json::parse(kept_headers(scheme_of("github"), headers, 4096));
    CHECK(seen ==
          Json{{"x-github-event", "push"}, {"x-gitlab-token", "s3cret"}, {"accept", "a, b"}});
    // GitLab's header is the secret itself.
    CHECK_FALSE(
        Json::parse(kept_headers(scheme_of("gitlab"), headers, 4096)).contains("x-gitlab-token"));
}

TEST_CASE("headers that are too much are left out, and the others stay", "[webhooks]") {
    const HookRequest::Pairs headers{
        {"a", "1"}, {"big", std::string(100, 'x')}, {"b", "2"}, {"latin", "\xe9t\xe9"}};
    const Json seen = Json::parse(kept_headers(scheme_of("github"), headers, 50));
    CHECK(seen["a"] == "1");
    CHECK(seen["b"] == "2");
    CHECK_FALSE(seen.contains("big"));
    CHECK(seen.contains("latin"));  // whatever its bytes, the text is JSON
}
