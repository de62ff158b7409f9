// Where a browser is sent, what is believed of its answer, and when a token is renewed.
#include <catch2/catch.hpp>
#include <set>

#include "base/crypto.h"
#include "base/text.h"
#include "connectors/oauth_rules.h"
#include "tests/support/seed.h"

using namespace berth;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

const Time kNow = time_from_micros(1'800'000'000'000'000);
const std::vector<std::string> kNoPlain;

Result<Endpoint> endpoint(std::string_view text, EndpointValues values = {}) {
    return make_endpoint(text, values, kNoPlain);
}

TokenState state(Time granted, Time expires) {
    TokenState made;
    made.granted = granted;
    made.expires = expires;
    made.renewable = true;
    return made;
}

std::string refusal(const Result<Endpoint>& result, FailureKind kind) {
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == kind);
    return result.error().message;
}

}  // namespace

TEST_CASE("the challenge is that of RFC 7636", "[oauth]") {
    CHECK(pkce_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") ==
          "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

TEST_CASE("states, cookies and verifiers are 256 bits that no two share", "[oauth]") {
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        const auto token = random_token();
        CHECK(token.size() == 43);  // RFC 7636 wants a verifier of at least that
        CHECK(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                      "0123456789-_") == std::string::npos);
        seen.insert(token);
    }
    CHECK(seen.size() == 1000);
}

TEST_CASE("an endpoint is https, with what is provisioned filled in", "[oauth]") {
    CHECK(*endpoint("https://api.example.com/token") ==
          Endpoint{"https://api.example.com/token", "api.example.com", 443});
    CHECK(*endpoint("https://{shop}.example.com:8443/x", {{}, {{"shop", "a-b"}}}) ==
          Endpoint{"https://a-b.example.com:8443/x", "a-b.example.com", 8443});
    CHECK(*endpoint("{base_url}/token", {{{"base_url", "https://id.example.com/o/v1"}}, {}}) ==
          Endpoint{"https://id.example.com/o/v1/token", "id.example.com", 443});
    // The administrator's word stands, whatever a customer calls his field.
    CHECK(endpoint("{base_url}/t",
                   {{{"base_url", "https://a.example"}}, {{"base_url", "https://evil.example"}}})
              ->host == "a.example");
}

TEST_CASE("a customer does not choose where the client's secret goes", "[oauth]") {
    CHECK_THAT(refusal(endpoint("{base_url}/token", {{}, {{"base_url", "https://evil.example"}}}),
                       FailureKind::unprocessable),
               Contains("becomes part of an address"));
    for (const char* bad : {"evil.example/", "a#", "a?", "a@evil.example", "a:80", "a\\b", "",
                            "a b", "a\r\nHost: x", "ä", "a%2fb"}) {
        INFO(bad);
        CHECK_FALSE(endpoint("https://{shop}.example.com/", {{}, {{"shop", bad}}}));
    }
    CHECK(refusal(endpoint("https://{shop}.example.com/"), FailureKind::unprocessable) ==
          "there is no 'shop' yet; set it first");
}

TEST_CASE("no address that leads elsewhere than it seems is an endpoint", "[oauth]") {
    for (const char* bad :
         {"http://a.example/", "ftp://a.example", "https://", "https:///x", "https://u@a.example/",
          "https://u:p@a.example/", "https://a.example\\@b.example/", "https://a.example/#x",
          "https://a.example:0/", "https://a.example:99999/", "https://a.example:/", "//a.example",
          "https://[::1]/", "https://a b/", "HTTPS://a.example/", "javascript:alert(1)"}) {
        INFO(bad);
        const auto made = make_endpoint(bad, {}, kNoPlain);
        REQUIRE_FALSE(made);
        CHECK(made.error().kind == FailureKind::unprocessable);
    }
}

TEST_CASE("plain http is for the very host and port that the administrator names", "[oauth]") {
    const std::vector<std::string> allowed{"127.0.0.1:8080"};
    CHECK(make_endpoint("http://127.0.0.1:8080/token", {}, allowed)->port == 8080);
    for (const char* bad :
         {"http://127.0.0.1:8081/", "http://127.0.0.2:8080/", "http://127.0.0.1/"}) {
        const auto made = make_endpoint(bad, {}, allowed);
        REQUIRE_FALSE(made);
        CHECK_THAT(made.error().message, Contains("'egress_allow'"));
    }
}

TEST_CASE("the browser is sent off with everything the provider must know", "[oauth]") {
    OAuth2 kind;
    kind.authorize_parameters = {{"access_type", "offline"}, {"state", "mine"}};
    const AuthorizeRequest request{
        "id&1", "https://h.example/v0/author/callback/oauth2", {"read:a", "b c"}, "S", "C"};
    CHECK(authorize_url(kind, *endpoint("https://p.example/auth"), request) ==
          "https://p.example/auth?access_type=offline&client_id=id%261&code_challenge=C"
          "&code_challenge_method=S256&redirect_uri=https%3A%2F%2Fh.example%2Fv0%2Fauthor%2F"
          "callback%2Foauth2&response_type=code&scope=read%3Aa%20b%20c&state=S");
    kind.scope_separator = ",";
    CHECK_THAT(authorize_url(kind, *endpoint("https://p.example/auth?x=1"), request),
               Contains("auth?x=1&access_type") && Contains("scope=read%3Aa%2Cb%20c"));
}

TEST_CASE("only a path of ours is returned to", "[oauth]") {
    for (const char* good : {"/", "/connect/abc-DEF_1", "/a?b=c&d=%20"})
        CHECK(is_own_path(good));
    for (const char* bad : {"", "//evil.example", "https://evil.example", "/\\evil.example", "a",
                            "/a\r\nSet-Cookie: x", "/a#b", "/ä", "/a:b"}) {
        INFO(bad);
        CHECK_FALSE(is_own_path(bad));
    }
}

TEST_CASE("the issuer is the kind's, filled in like its endpoints", "[oauth]") {
    OAuth2 kind;
    CHECK(make_issuer(kind, {})->empty());
    kind.issuer = "https://{region}.provider.example";
    CHECK(*make_issuer(kind, {{}, {{"region", "eu"}}}) == "https://eu.provider.example");
    CHECK_FALSE(make_issuer(kind, {{}, {{"region", "evil.example/"}}}));
    CHECK_FALSE(make_issuer(kind, {}));
}

TEST_CASE("a callback gives its code only when it comes from the issuer", "[oauth]") {
    CHECK(*read_callback({{"code", "abc"}, {"state", "s"}}, "") == "abc");
    CHECK(*read_callback({{"code", "abc"}, {"iss", "https://i"}}, "https://i") == "abc");
    for (const QueryPairs& bad :
         {QueryPairs{{"code", "abc"}}, QueryPairs{{"code", "abc"}, {"iss", "https://evil"}},
          QueryPairs{{"error", "access_denied"}, {"iss", "https://i/"}}}) {
        const auto read = read_callback(bad, "https://i");
        REQUIRE_FALSE(read);
        CHECK(read.error().kind == FailureKind::invalid);
        CHECK_THAT(read.error().message, Contains("does not come from 'https://i'"));
    }
}

TEST_CASE("an error answer is told with its reason, made printable", "[oauth]") {
    const auto refused = read_callback(
        {{"error", "access_denied"}, {"error_description", "no\x1b[31m way"}, {"code", "x"}}, "");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == FailureKind::denied);
    CHECK(refused.error().message == "the provider refused: 'access_denied': no\\x1b[31m way");
    for (const QueryPairs& bad :
         {QueryPairs{}, QueryPairs{{"code", ""}}, QueryPairs{{"code", "a"}, {"code", "b"}},
          QueryPairs{{"code", std::string(9000, 'a')}}}) {
        const auto read = read_callback(bad, "");
        REQUIRE_FALSE(read);
        CHECK(read.error().kind == FailureKind::invalid);
    }
}

TEST_CASE("a token is renewed when less is left than is needed", "[oauth]") {
    TokenState token = state(kNow - 30min, kNow + 30min);
    CHECK(decide_token(token, kNow, kNow + 30min) == TokenDecision{Keep{}});
    CHECK(decide_token(token, kNow, kNow + 30min + 1us) == TokenDecision{Renew{}});
    token.expires.reset();
    CHECK(decide_token(token, kNow, kNow + 24h) == TokenDecision{Keep{}});
}

TEST_CASE("a token that never lives as long as a run is renewed at half its life", "[oauth]") {
    const TokenState token = state(kNow, kNow + 5min);
    CHECK(decide_token(token, kNow, kNow + 10min) == TokenDecision{Keep{}});
    CHECK(decide_token(token, kNow + 2min, kNow + 12min) == TokenDecision{Keep{}});
    CHECK(decide_token(token, kNow + 3min, kNow + 13min) == TokenDecision{Renew{}});
    // However it comes about, an expired one is never kept.
    CHECK(decide_token(token, kNow + 5min, kNow + 5min) == TokenDecision{Renew{}});
}

TEST_CASE("a refusal is for good, an outage only for a while", "[oauth]") {
    TokenState token = state(kNow - 1h, kNow + 1min);
    token.next_try = kNow + 10s;
    CHECK(decide_token(token, kNow, kNow + 10min) == TokenDecision{WaitUntil{kNow + 10s}});
    CHECK(decide_token(token, kNow + 10s, kNow + 10min) == TokenDecision{Renew{}});
    token.busy_until = kNow + 20s;
    CHECK(decide_token(token, kNow + 10s, kNow + 10min) == TokenDecision{WaitUntil{kNow + 20s}});
    CHECK(still_usable(token, kNow));
    CHECK_FALSE(still_usable(token, kNow + 1us));
    token.refused = true;
    token.reason = "gone";
    CHECK(decide_token(token, kNow, kNow) == TokenDecision{Hopeless{"gone"}});
    CHECK_FALSE(still_usable(token, kNow));
}

TEST_CASE("without anything to renew it a token serves until it ends", "[oauth]") {
    TokenState token = state(kNow, kNow + 5min);
    token.renewable = false;
    CHECK(decide_token(token, kNow + 4min, kNow + 1h) == TokenDecision{Keep{}});
    CHECK(std::holds_alternative<Hopeless>(decide_token(token, kNow + 5min, kNow + 1h)));
}

TEST_CASE("a clock that was set back makes nobody wait, and no token older than it is", "[oauth]") {
    // Granted under a clock that was ahead: by this one it would live far too long.
    TokenState token = state(kNow + 24h, kNow + 25h);
    CHECK(decide_token(token, kNow, kNow + 10min) == TokenDecision{Renew{}});
    token.renewable = false;  // there is nothing better
    CHECK(decide_token(token, kNow, kNow + 10min) == TokenDecision{Keep{}});
    // Clocks of two hosts may differ a little.
    CHECK(decide_token(state(kNow + 30s, kNow + 1h), kNow, kNow + 10min) == TokenDecision{Keep{}});

    token = state(kNow - 2h, kNow - 1h);
    token.busy_until = kNow + 2min;
    CHECK(decide_token(token, kNow, kNow) == TokenDecision{WaitUntil{kNow + 2min}});
    token.busy_until = kNow + 2min + 1us;  // nobody claims for so long
    CHECK(decide_token(token, kNow, kNow) == TokenDecision{Renew{}});
    token.busy_until.reset();
    token.next_try = kNow + 16min;
    CHECK(decide_token(token, kNow, kNow) == TokenDecision{WaitUntil{kNow + 16min}});
    token.next_try = kNow + 24h;
    CHECK(decide_token(token, kNow, kNow) == TokenDecision{Renew{}});
}

TEST_CASE("whatever the times are, a kept token is good now", "[oauth]") {
    auto random = berth::test::seeded_random("kept tokens");
    int kept = 0;
    for (int i = 0; i < 100'000; ++i) {
        const auto pick = [&](std::size_t most) {
            return std::chrono::seconds{berth::test::below(random, most)};
        };
        const Time granted = kNow - pick(7200);
        TokenState token = state(granted, granted + pick(7200));
        token.renewable = berth::test::below(random, 2) == 1;
        const auto need = pick(4000);
        const auto decision = decide_token(token, kNow, kNow + need);
        if (!std::holds_alternative<Keep>(decision)) continue;
        ++kept;
        REQUIRE(*token.expires > kNow);
        const bool lasts = *token.expires - kNow >= need;
        const bool never_would = *token.expires - token.granted <= need;
        REQUIRE((lasts || never_would || !token.renewable));
    }
    CHECK(kept > 1000);
}

TEST_CASE("outages are waited out ever longer, spread, and as long as is asked for", "[oauth]") {
    CHECK(next_try(1, 0s, kNow, 0) == kNow + 500ms);
    CHECK(next_try(4, 0s, kNow, 0) == kNow + 4s);
    CHECK(next_try(1000, 0s, kNow, 0) == kNow + 150s);
    CHECK(next_try(1, 30s, kNow, 7) == kNow + 30s);
    CHECK(next_try(1, 24h, kNow, 7) == kNow + 15min);  // nobody makes us wait for a day
    auto random = berth::test::seeded_random("backoff");
    for (int i = 0; i < 10'000; ++i) {
        const auto failures = static_cast<int>(berth::test::below(random, 40));
        const auto at = next_try(failures, 0s, kNow, random());
        REQUIRE(at > kNow);
        REQUIRE(at <= kNow + 5min);
    }
    CHECK(keep_alive_at(kNow, 0) == kNow + 24h * 7);
    CHECK(keep_alive_at(kNow, 1023) > kNow + 24h * 6);
}
