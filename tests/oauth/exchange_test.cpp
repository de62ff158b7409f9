// What is made of a token endpoint's answer, whoever gave it.
#include "connectors/oauth/exchange.h"

#include <catch2/catch.hpp>

#include "model/job_answer.h"
#include "tests/support/seed.h"

using namespace berth;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

const OAuthSecrets kSecrets{"client-1",     "the-client-secret", "the-code",
                            "the-verifier", "the-refresh-token", "the-access-token"};

OAuthRequest request(OAuthGrant grant = OAuthGrant::refresh_token) {
    OAuthRequest made;
    made.grant = grant;
    made.url = "https://p.example/token";
    made.redirect_uri = "https://h.example/cb";
    made.ticket = "7";
    return made;
}

Exchanged answered(int status, std::string body, OAuthRequest asked = request()) {
    return judge(asked, kSecrets, {status, "", std::move(body)});
}

}  // namespace

TEST_CASE("each grant sends what its section of the RFC wants", "[oauth]") {
    auto code = make_form(request(OAuthGrant::authorization_code), kSecrets);
    REQUIRE(code);
    CHECK(code->body ==
          "code=the-code&code_verifier=the-verifier&grant_type=authorization_code"
          "&redirect_uri=https%3A%2F%2Fh.example%2Fcb");
    CHECK(code->authorization == "Basic Y2xpZW50LTE6dGhlLWNsaWVudC1zZWNyZXQ=");
    CHECK(make_form(request(), kSecrets)->body ==
          "grant_type=refresh_token&refresh_token=the-refresh-token");
    auto client = request(OAuthGrant::client_credentials);
    client.scope = "a b";
    client.parameters = {{"audience", "x&y"}, {"grant_type", "mine"}};
    client.client_auth = ClientAuth::body;
    CHECK(make_form(client, kSecrets)->body ==
          "audience=x%26y&client_id=client-1&client_secret=the-client-secret"
          "&grant_type=client_credentials&scope=a+b");
    CHECK(make_form(client, kSecrets)->authorization.empty());
    CHECK(make_form(request(OAuthGrant::revoke), kSecrets)->body ==
          "token=the-refresh-token&token_type_hint=refresh_token");
    // RFC 6749 2.3.1: both are encoded before they are joined.
    CHECK(make_form(request(), {"a:b", "c d%", "", "", "r", ""})->authorization ==
          "Basic YSUzQWI6YytkJTI1");
}

TEST_CASE("a provider that wants JSON gets the same, as an object of texts", "[oauth]") {
    auto asked = request(OAuthGrant::authorization_code);
    asked.json = true;
    const auto code = make_form(asked, kSecrets);
    REQUIRE(code);
    CHECK(code->content_type == "application/json");
    CHECK(code->body ==
          R"({"code":"the-code","code_verifier":"the-verifier","grant_type":"authorization_code",)"
          R"("redirect_uri":"https://h.example/cb"})");
    CHECK(code->authorization == "Basic Y2xpZW50LTE6dGhlLWNsaWVudC1zZWNyZXQ=");
    CHECK(make_form(request(), kSecrets)->content_type == "application/x-www-form-urlencoded");
    CHECK(parse_oauth_request(to_json_text(asked)).value() == asked);
}

TEST_CASE("what a grant needs and has not is named", "[oauth]") {
    const auto no_token = make_form(request(), {"id", "s", "", "", "", ""});
    REQUIRE_FALSE(no_token);
    CHECK(no_token.error().message == "there is no refresh token for grant 'refresh_token'");
    const auto no_client = make_form(request(), {});
    REQUIRE_FALSE(no_client);
    CHECK(no_client.error().message == "there is no client id for grant 'refresh_token'");
}

TEST_CASE("a grant gives its tokens as secrets and the rest openly", "[oauth]") {
    auto asked = request();
    asked.fields = {
        {"team", {"/team/id", false}}, {"bot", {"/bot/token", true}}, {"gone", {"/x", false}}};
    const auto got =
        answered(200,
                 R"({"access_token":"AAAAAA","refresh_token":"RRRRRR","expires_in":3600,
        "scope":"a b","token_type":"Bearer","team":{"id":42},"bot":{"token":"BBBBBB"}})",
                 asked);
    CHECK(got.outcome.verdict == OAuthVerdict::granted);
    CHECK(got.outcome.reason.empty());
    CHECK(got.outcome.expires_in == 3600s);
    CHECK(got.outcome.scope == "a b");
    CHECK(got.outcome.renewable);
    CHECK(got.outcome.fields == std::map<std::string, std::string>{{"team", "42"}});
    CHECK(got.outcome.ticket == "7");
    CHECK(got.secrets == std::map<std::string, std::string>{{"access_token", "AAAAAA"},
                                                            {"bot", "BBBBBB"},
                                                            {"refresh_token", "RRRRRR"}});
}

TEST_CASE("lives are read in the forms that providers give them", "[oauth]") {
    const auto life = [](const std::string& value) {
        return answered(200, R"({"access_token":"A","expires_in":)" + value + "}")
            .outcome.expires_in;
    };
    CHECK(life("60") == 60s);
    CHECK(life("\"60\"") == 60s);
    CHECK(life("60.5") == 60s);
    CHECK(life("999999999999") == std::nullopt);
    for (const char* none : {"0", "-5", "null", "\"soon\"", "[]", "1e300", "true"})
        CHECK(life(none) == std::nullopt);
}

TEST_CASE("their refusal, their outage and our client's fault are told apart", "[oauth]") {
    using enum OAuthVerdict;
    const auto [status, body, verdict,
                reason] = GENERATE(table<int, std::string, OAuthVerdict, std::string>({
        {400, R"({"error":"invalid_grant","error_description":"expired"})", refused_grant,
         "the provider answers 'invalid_grant': expired"},
        {200, R"({"ok":false,"error":"token_revoked"})", refused_grant,
         "the provider answers 'token_revoked'"},
        {200, R"({"error":"invalid_grant","access_token":"AAAA"})", refused_grant,
         "the provider answers 'invalid_grant'"},
        {400, R"({"error":{"status":"PERMISSION_DENIED","message":"no"}})", refused_grant,
         "the provider answers 'PERMISSION_DENIED': no"},
        {401, R"({"message":"bad token"})", refused_grant, "the provider answers 401: bad token"},
        {401, R"({"error":"invalid_client"})", refused_client,
         "the provider answers 'invalid_client'"},
        {400, R"({"error":"unauthorized_client"})", refused_client,
         "the provider answers 'unauthorized_client'"},
        {400, R"({"error":"temporarily_unavailable"})", outage,
         "the provider answers 'temporarily_unavailable'"},
        {503, R"({"error":"invalid_grant"})", outage, "the provider answers 503"},
        {429, "", outage, "the provider answers 429"},
        {302, "", outage, "the provider answers 302, a redirect, which is not followed"},
        {404, "{}", outage, "the provider answers 404"},
        {200, "<html>", outage, "the provider answers 200 with what is not a JSON object"},
        {200, R"({"access_token":"A","access_token":"B"})", outage,
         "the provider answers 200 with what is not a JSON object"},
        {200, R"({"token":"A"})", outage, "the provider's answer has no 'access_token'"},
        {200, R"({"access_token":"a\nb"})", outage,
         "the provider's 'access_token' is too large, or no token"},
        {200, R"({"access_token":")" + std::string(40'000, 'a') + "\"}", outage,
         "the provider's 'access_token' is too large, or no token"},
    }));
    INFO(body);
    const auto got = answered(status, body);
    CHECK(got.outcome.verdict == verdict);
    CHECK(got.outcome.reason == reason);
    CHECK(got.secrets.empty());
}

TEST_CASE("how long the provider wants to be left alone is heard", "[oauth]") {
    const auto wait = [](const std::string& header) {
        return judge(request(), kSecrets, {429, header, ""}).outcome.retry_after;
    };
    CHECK(wait(" 30 ") == 30s);
    CHECK(wait("4000000000") == 86400s);
    CHECK(wait("Wed, 21 Oct 2026 07:28:00 GMT") == 0s);
    CHECK(wait("-1") == 0s);
}

TEST_CASE("a description that repeats a secret is not repeated", "[oauth]") {
    for (const std::string& secret : {kSecrets.client_secret, kSecrets.refresh_token, kSecrets.code,
                                      kSecrets.verifier, kSecrets.access_token}) {
        const auto got =
            answered(400, R"({"error":"invalid_grant","error_description":"bad )" + secret + "\"}");
        CHECK(got.outcome.reason ==
              "the provider answers 'invalid_grant': (a text that repeats a secret)");
    }
}

TEST_CASE("what is revoked needs no answer", "[oauth]") {
    CHECK(answered(200, "", request(OAuthGrant::revoke)).outcome.verdict == OAuthVerdict::granted);
    CHECK(answered(503, "", request(OAuthGrant::revoke)).outcome.verdict == OAuthVerdict::outage);
    CHECK(answered(400, R"({"error":"unsupported_token_type"})", request(OAuthGrant::revoke))
              .outcome.verdict == OAuthVerdict::refused_client);
}

TEST_CASE("both ends of an exchange read each other", "[oauth]") {
    OAuthRequest asked = request(OAuthGrant::client_credentials);
    asked.plain_http = true;
    asked.client_auth = ClientAuth::body;
    asked.scope = "a";
    asked.parameters = {{"x", "\"y\""}};
    asked.fields = {{"team", {"/t", false}}};
    CHECK(*parse_oauth_request(to_json_text(asked)) == asked);
    for (const char* bad : {"", "{}", "[]", R"({"grant":"password"})"})
        CHECK(parse_oauth_request(bad).error().kind == FailureKind::invalid);

    auto got = answered(200, R"({"access_token":"AAAA","expires_in":5,"scope":"s"})");
    got.outcome.fields = {{"team", "9"}};
    const std::string text = answer_text(got);
    std::vector<JobRecord> records;
    REQUIRE(parse_job_answer(text, records));
    std::map<std::string, std::string> plain;
    for (const JobRecord& record : records)
        if (!record.secret) plain[std::string{record.name}] = record.value;
    CHECK(*read_outcome(plain) == got.outcome);
    CHECK(read_outcome({}).error().message == "berth-oauth did not say how it went");
}

TEST_CASE("no answer whatever makes a secret open or anything throw", "[oauth]") {
    auto random = berth::test::seeded_random("hostile answers");
    const std::string good =
        R"({"access_token":"TOKEN-ONE","refresh_token":"TOKEN-TWO","expires_in":3600,"scope":"s"})";
    auto asked = request();
    asked.fields = {{"team", {"/team/0/id~1", false}}, {"odd", {"no pointer", true}}};
    for (int i = 0; i < 20'000; ++i) {
        std::string body = good;
        for (std::size_t cuts = berth::test::below(random, 6); cuts-- > 0 && !body.empty();) {
            const auto at = berth::test::below(random, body.size());
            switch (berth::test::below(random, 4)) {
                case 0: body[at] = static_cast<char>(random()); break;
                case 1: body.erase(at, berth::test::below(random, 9)); break;
                case 2: body.insert(at, kSecrets.refresh_token); break;
                case 3: body.insert(at, body.substr(0, at)); break;
            }
            body.resize(std::min<std::size_t>(body.size(), 4096));
        }
        const int status = static_cast<int>(berth::test::below(random, 700));
        const auto got = judge(asked, kSecrets, {status, "", body});
        if (got.outcome.verdict != OAuthVerdict::granted) REQUIRE(got.secrets.empty());
        for (const auto& [name, value] : to_records(got.outcome)) {
            REQUIRE(value.find("TOKEN-ONE") == std::string::npos);
            REQUIRE(value.find(kSecrets.refresh_token) == std::string::npos);
            REQUIRE(value.size() < 5000);
        }
        std::vector<JobRecord> records;
        const std::string text = answer_text(got);
        REQUIRE(parse_job_answer(text, records));
    }
}
