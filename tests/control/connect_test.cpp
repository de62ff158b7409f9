// The page behind an auth link: what it shows, what it takes, and from whom.
#include <catch2/catch.hpp>

#include "control/public/connect_page.h"
#include "control/public/connect_routes.h"
#include "control/public/form.h"
#include "tests/control/harness.h"

using namespace berth;
using namespace berth::testing;
using Catch::Contains;

namespace {

constexpr const char* kSecret = "s3cr3t-canary";

// One tenant's page; whatever was submitted is kept.
class Behind final : public ConnectPageApi {
public:
    void open(std::string token, Done<ConnectPage> done) override {
        if (token != "good") return done(fail(FailureKind::not_found, "leads nowhere"));
        done(ConnectPage{"Shop",
                         {{"shop",
                           "Shop",
                           ConnectionStatus::disconnected,
                           "",
                           false,
                           {{"account", "Account", "", "", false, true, false},
                            {"api_key", "Key", "", "", true, true, false}}}}});
    }
    void submit(std::string token, std::string connector, TypedFields fields,
                Done<ConnectNext> done) override {
        if (token != "good") return done(fail(FailureKind::not_found, "leads nowhere"));
        for (const auto& [name, value] : fields)
            seen += fmt::format("{}.{}={};", connector, name, value.reveal());
        if (connector == "crm") return done(ConnectNext{"https://crm.example/go", "way=1; Path=/"});
        if (!fields.contains("api_key"))
            return done(fail(FailureKind::unprocessable, "'api_key' (Key) is missing"));
        done(ConnectNext{});
    }
    std::string form_mark(std::string_view token, std::string_view cookie) const override {
        return fmt::format("mark-{}-{}", token, cookie);
    }

    std::string seen;  // Thread: loop
};

struct Site {
    Behind behind;
    HandClock clock;
    ServerInThread server{[this](Router& router) {
                              add_auth_link_routes(router, behind, clock, "https://b.example");
                          },
                          {},
                          Audience::anybody};

    // The whole answer.
    std::string ask(std::string_view head, std::string_view body = {}) {
        RawClient client{server.socket()};
        client.send(fmt::format(
            "{}\r\nHost: b\r\nConnection: close\r\n{}\r\n{}", head,
            body.empty() ? "" : fmt::format("Content-Length: {}\r\n", body.size()), body));
        return client.read_all();
    }
    std::string get(std::string_view token) {
        return ask(fmt::format("GET /connect/{} HTTP/1.1", token));
    }
    std::string post(
        std::string_view path, std::string_view body,
        std::string_view more = "Cookie: berth_connect=0123456789abcdef0123456789abcdef") {
        return ask(fmt::format("POST {} HTTP/1.1\r\nContent-Type: "
                               "application/x-www-form-urlencoded\r\n{}",
                               path, more),
                   body);
    }
};

const std::string kMark = "_mark=mark-good-0123456789abcdef0123456789abcdef";

std::string body_of(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n")); }

}  // namespace

TEST_CASE("the page escapes all that it shows, runs nothing and holds no secret", "[public]") {
    ConnectPage page{"A & <b>", {}};
    page.items.push_back({"shop",
                          "S\"<i>",
                          ConnectionStatus::connected,
                          "",
                          false,
                          {{"account", "Account", "its <name>", "ac\"me", false, true, false},
                           {"api_key", "Key", "", kSecret, true, true, false},
                           {"cert", "Certificate", "", kSecret, true, false, true}}});
    const std::string html = connect_page_html(
        page, {"tok", "mark", "<script>alert(1)</script>", "shop", true, {{"account", "<x>"}}});
    CHECK(html.find(kSecret) == std::string::npos);
    CHECK(html.find("<script") == std::string::npos);
    CHECK(html.find("<i>") == std::string::npos);
    CHECK(html.find("<x>") == std::string::npos);
    CHECK_THAT(html, Contains("Connect A &amp; &lt;b&gt;"));
    CHECK_THAT(html, Contains("value=\"&lt;x&gt;\""));  // what was typed, not what is stored
    CHECK_THAT(html, Contains("role=\"alert\""));
    CHECK_THAT(html, Contains("type=\"password\""));
    CHECK_THAT(html, Contains("<textarea"));
    CHECK_THAT(html, Contains("its &lt;name&gt;"));
    // Each field has its label.
    CHECK_THAT(html, Contains("<label for=\"c0f0\">") && Contains("id=\"c0f0\""));
    CHECK_THAT(html, Contains("lang=\"en\""));
    const auto policy = content_security_policy();
    CHECK_THAT(policy, Contains("default-src 'none'") && Contains("frame-ancestors 'none'"));
    CHECK(policy.find("unsafe") == std::string::npos);
}

TEST_CASE("a form's body is read as browsers write it", "[public]") {
    auto form = parse_form("a=1+2&key=-----BEGIN%0D%0Ax%3D%3D&empty=&umlaut=%C3%A4");
    REQUIRE(form);
    CHECK(form->at("a").reveal() == "1 2");
    CHECK(form->at("key").reveal() == "-----BEGIN\nx==");
    CHECK(form->at("empty").empty());
    CHECK(form->at("umlaut").reveal() == "\xC3\xA4");
    CHECK(parse_form("")->empty());
    for (const char* bad : {"a=%", "a=%4", "a=%zz", "a=1&a=2", "a=%00", "a=%ff"}) {
        INFO(bad);
        const auto refused = parse_form(bad);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().kind == FailureKind::invalid);
    }
}

TEST_CASE("a link that leads nowhere says the same, whatever it is", "[public]") {
    Site site;
    const auto never = site.get("never");
    CHECK(status_in(never) == 404);
    CHECK(body_of(site.get("a.b~c")) == body_of(never));
    CHECK(body_of(site.post("/connect/never/shop",
                            "_mark=mark-never-0123456789abcdef0123456789abcdef")) ==
          body_of(never));
    CHECK(never.find("set-cookie") == std::string::npos);
}

TEST_CASE("the page comes with a cookie of its site and a policy", "[public]") {
    Site site;
    const auto answer = site.get("good");
    CHECK(status_in(answer) == 200);
    const auto page = to_lower_ascii(answer);
    CHECK_THAT(page, Contains("set-cookie: berth_connect=") &&
                         Contains("; path=/connect; httponly; samesite=strict; secure"));
    CHECK_THAT(page, Contains("content-security-policy: default-src 'none'"));
    CHECK_THAT(page,
               Contains("referrer-policy: no-referrer") && Contains("cache-control: no-store"));
    CHECK_THAT(page, Contains("action=\"/connect/good/shop\""));
}

TEST_CASE("a form counts only with the cookie and the mark of its page", "[public]") {
    Site site;
    const auto taken = site.post("/connect/good/shop", kMark + "&account=acme&api_key=" + kSecret);
    CHECK(status_in(taken) == 303);
    CHECK_THAT(to_lower_ascii(taken), Contains("location: /connect/good?connected=1"));
    site.server.on_loop([&] {
        CHECK(site.behind.seen == fmt::format("shop.account=acme;shop.api_key={};", kSecret));
        site.behind.seen.clear();
    });
    const std::string cookie = "Cookie: berth_connect=0123456789abcdef0123456789abcdef";
    CHECK(status_in(site.post("/connect/good/shop", "api_key=a")) == 403);
    CHECK(status_in(site.post("/connect/good/shop", "_mark=mark-good-&api_key=a")) == 403);
    CHECK(status_in(site.post("/connect/good/shop", kMark + "&api_key=a", "Accept: */*")) == 403);
    CHECK(status_in(site.post("/connect/good/shop", kMark + "&api_key=a",
                              "Cookie: berth_connect=fedcba9876543210fedcba9876543210")) == 403);
    CHECK(status_in(site.post("/connect/good/shop", kMark + "&api_key=a",
                              cookie + "\r\nSec-Fetch-Site: cross-site")) == 403);
    CHECK(status_in(site.ask("POST /connect/good/shop HTTP/1.1\r\nContent-Type: application/json",
                             "{}")) == 415);
    site.server.on_loop([&] { CHECK(site.behind.seen.empty()); });
}

TEST_CASE("a form that is refused comes back without its secrets", "[public]") {
    Site site;
    const auto answer =
        site.post("/connect/good/shop", kMark + "&account=ac%22me&other=" + kSecret);
    CHECK(status_in(answer) == 422);
    CHECK_THAT(answer, Contains("Not connected: &#39;api_key&#39; (Key) is missing"));
    CHECK_THAT(answer, Contains("value=\"ac&quot;me\""));
    CHECK(answer.find(kSecret) == std::string::npos);
}

TEST_CASE("where a provider asks, the browser is sent there with its cookie", "[public]") {
    Site site;
    const auto answer = site.post("/connect/good/crm", kMark);
    CHECK(status_in(answer) == 303);
    CHECK_THAT(answer, Contains("https://crm.example/go") && Contains("way=1; Path=/"));
}

TEST_CASE("each link is asked for only so often, and others are not held up", "[public]") {
    Site site;
    for (int i = 0; i < limits::kConnectViewsPerMinute; ++i)
        REQUIRE(status_in(site.get("good")) == 200);
    CHECK(status_in(site.get("good")) == 429);
    CHECK(status_in(site.get("other")) == 404);
    site.clock.advance(std::chrono::seconds{2});
    CHECK(status_in(site.get("good")) == 200);
    for (int i = 0; i < limits::kConnectFormsPerMinute; ++i)
        REQUIRE(status_in(site.post("/connect/good/shop", "a=b")) != 429);
    CHECK(status_in(site.post("/connect/good/shop", "a=b")) == 429);
}
