// The page that an invitation leads to, and the way back from a provider: who may press its
// button, and how often anybody may come.
#include <catch2/catch.hpp>

#include "control/public/oauth_routes.h"
#include "tests/control/harness.h"

using namespace berth;
using namespace berth::testing;
using Catch::Contains;

namespace {

// One invitation, `good`; what was asked of it.
class Behind final : public OAuthApi {
public:
    void begin(Caller, OAuthTarget, std::string, Done<OAuthStart>) override { FAIL("not here"); }
    void invite(Caller, OAuthTarget, Done<OAuthInvitation>) override { FAIL("not here"); }
    void connect_client(Caller, OAuthTarget, Done<Connection>) override { FAIL("not here"); }
    void authorize(Caller, OAuthTarget, Done<OAuthAuthorized>) override { FAIL("not here"); }

    void look_at_invitation(std::string ticket, Done<OAuthInvited> done) override {
        ++looks;
        if (ticket != "good") return done(fail(FailureKind::not_found, "it was used <already>"));
        done(OAuthInvited{"Shop & <b>Sons"});
    }
    void accept_invitation(std::string ticket, Done<OAuthStart> done) override {
        ++accepts;
        if (ticket != "good") return done(fail(FailureKind::not_found, "it was used already"));
        done(OAuthStart{"https://shop.example/authorize?a=b", "way=1; Path=/"});
    }
    void finish(OAuthCallback callback, Done<OAuthEnd> done) override {
        ++callbacks;
        const bool connected = callback.query.find("code").has_value();
        done(OAuthEnd{connected, connected ? "'shop' is connected" : "no <code>", ""});
    }

    int looks = 0, accepts = 0, callbacks = 0;  // Thread: loop
};

struct Site {
    Behind behind;
    HandClock clock;
    ServerInThread server{
        [this](Router& router) { add_oauth_routes(router, behind, clock, "https://b.example"); },
        {},
        Audience::anybody};

    std::string ask(std::string_view head, std::string_view body = {}) {
        RawClient client{server.socket()};
        client.send(fmt::format(
            "{}\r\nHost: b\r\nConnection: close\r\n{}\r\n{}", head,
            body.empty() ? "" : fmt::format("Content-Length: {}\r\n", body.size()), body));
        return client.read_all();
    }
    std::string get(std::string_view ticket, std::string_view more = "Accept: */*") {
        return ask(
            fmt::format("GET /v0/author/begin/oauth2?ticket={} HTTP/1.1\r\n{}", ticket, more));
    }
    std::string press(std::string_view form, std::string_view more) {
        return ask(fmt::format("POST /v0/author/begin/oauth2 HTTP/1.1\r\nContent-Type: "
                               "application/x-www-form-urlencoded\r\n{}",
                               more),
                   form);
    }
    std::string come_back(std::string_view client) {
        return ask(fmt::format(
            "GET /v0/author/callback/oauth2?code=x HTTP/1.1\r\nX-Forwarded-For: {}", client));
    }
};

std::string between(const std::string& text, std::string_view before, std::string_view after) {
    const auto from = text.find(before);
    REQUIRE(from != text.npos);
    const auto start = from + before.size();
    return text.substr(start, text.find(after, start) - start);
}

}  // namespace

TEST_CASE("looking at an invitation uses nothing up, and its button leads on", "[public]") {
    Site site;
    for (int i = 0; i < 3; ++i)
        site.get("good");
    const auto seen = site.get("good");
    CHECK(status_in(seen) == 200);
    CHECK_THAT(seen, Contains("Connect Shop &amp; &lt;b&gt;Sons") && !Contains("<b>"));
    CHECK_THAT(to_lower_ascii(seen), Contains("content-security-policy: default-src 'none'") &&
                                         Contains("cache-control: no-store") &&
                                         Contains("referrer-policy: no-referrer"));
    CHECK_THAT(to_lower_ascii(seen), Contains("set-cookie: __host-berth-begin=") &&
                                         Contains("; path=/; httponly; samesite=strict; secure"));
    site.server.on_loop([&] { CHECK(site.behind.accepts == 0); });

    const auto cookie = "Cookie: __Host-berth-begin=" + between(seen, "__Host-berth-begin=", ";");
    const auto mark = between(seen, "name=\"_mark\" value=\"", "\"");
    CHECK_THAT(seen, Contains("name=\"ticket\" value=\"good\""));
    const auto pressed = site.press("_mark=" + mark + "&ticket=good", cookie);
    CHECK(status_in(pressed) == 303);
    CHECK_THAT(pressed,
               Contains("https://shop.example/authorize?a=b") && Contains("way=1; Path=/"));
    site.server.on_loop([&] { CHECK(site.behind.accepts == 1); });
    // The same browser's second page has the same cookie, so that both its buttons work.
    const auto again = site.get("good", cookie);
    CHECK_THAT(again, !Contains("et-Cookie") && !Contains("et-cookie"));
    CHECK(between(again, "name=\"_mark\" value=\"", "\"") == mark);

    const auto unknown = site.get("never");
    CHECK(status_in(unknown) == 404);
    CHECK_THAT(unknown, Contains("it was used &lt;already&gt;") && !Contains("ookie: "));
}

TEST_CASE("nobody but its own page presses an invitation's button", "[public]") {
    Site site;
    const auto seen = site.get("good");
    const auto cookie = "Cookie: __Host-berth-begin=" + between(seen, "__Host-berth-begin=", ";");
    const auto form = "_mark=" + between(seen, "name=\"_mark\" value=\"", "\"") + "&ticket=good";
    for (const auto& [body, more] : std::vector<std::pair<std::string, std::string>>{
             {form, "Accept: */*"},  // another site's form
             {form, "Cookie: __Host-berth-begin=" + std::string(32, '0')},
             {"ticket=good", cookie},
             {"_mark=&ticket=good", cookie},
             {form + "x", cookie},  // of another ticket
             {form + "&ticket=good", cookie},
             {form, cookie + "\r\nSec-Fetch-Site: cross-site"},
             {form, cookie + "\r\nSec-Fetch-Site: none"},
             {"%", cookie}}) {
        INFO(body << " " << more);
        CHECK(status_in(site.press(body, more)) == 403);
    }
    CHECK(status_in(site.ask("POST /v0/author/begin/oauth2 HTTP/1.1\r\nContent-Type: "
                             "application/json\r\n" +
                                 cookie,
                             "{}")) == 415);
    site.server.on_loop([&] { CHECK(site.behind.accepts == 0); });
    CHECK(status_in(site.press(form, cookie + "\r\nSec-Fetch-Site: same-origin")) == 303);
}

TEST_CASE("each source comes to OAuth2's pages only so often, and others are not held up",
          "[public]") {
    Site site;
    int taken = 0;
    while (taken < 1000 && status_in(site.come_back("203.0.113.7")) == 200)
        ++taken;
    CHECK(taken == 120);
    const auto refused = site.come_back("203.0.113.7");
    CHECK(status_in(refused) == 429);
    CHECK_THAT(to_lower_ascii(refused), Contains("retry-after: "));
    CHECK(status_in(site.come_back("203.0.113.8")) == 200);
    site.clock.advance(std::chrono::seconds{1});
    for (int i = 0; i < 5; ++i)
        CHECK(status_in(site.come_back("203.0.113.7")) == 200);
    CHECK(status_in(site.come_back("203.0.113.7")) == 429);
    site.server.on_loop([&] { CHECK(site.behind.callbacks == taken + 6); });

    const std::string from = "X-Forwarded-For: 203.0.113.7";
    taken = 0;
    while (taken < 1000 && status_in(site.get("never", from)) == 404)
        ++taken;
    CHECK(taken == 120);
    CHECK(status_in(site.get("good", from)) == 429);
    CHECK(status_in(site.press("ticket=good", from)) == 429);
    CHECK(status_in(site.get("good")) == 200);
}
