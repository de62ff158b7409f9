// The rules of connector calls, without a network.
#include <catch2/catch.hpp>

#include "connectors/call_rules.h"
#include "tests/support/seed.h"

using namespace berth;

namespace {

std::string why(const Result<void>& result) { return result ? "" : result.error().message; }

RequestAuth in_header(const std::string& value) {
    RequestAuth auth;
    auth.place = RequestAuth::Place::header;
    auth.name = "Authorization";
    auth.value = value;
    return auth;
}

std::optional<std::string_view> example_field(std::string_view name) {
    if (name == "token") return "s3cr3t-token";
    if (name == "user") return "alice";
    return {};
}

CallRequest example() {
    CallRequest request;
    request.hosts = {"api.example.com", "*.example.org"};
    return request;
}

}  // namespace

TEST_CASE("an address says its host and port, in one way only", "[calls]") {
    CHECK(parse_call_target("https://api.example.com/a?b=c") ==
          CallTarget{true, "api.example.com", 443});
    CHECK(parse_call_target("HTTPS://API.Example.com") == CallTarget{true, "api.example.com", 443});
    CHECK(parse_call_target("http://localhost:8080/x") == CallTarget{false, "localhost", 8080});
    for (const char* wrong : {"",
                              "api.example.com",
                              "/path",
                              "ftp://api.example.com/",
                              "https://",
                              "https:///x",
                              "https://user@api.example.com/",
                              "https://api.example.com@evil.example/",
                              "https://api.example.com\\@evil.example/",
                              "https://api.example.com#@evil.example",
                              "https://api.example.com:0/",
                              "https://api.example.com:99999/",
                              "https://api.example.com:/",
                              "https://api.example.com /x",
                              "https://[::1]/",
                              "https://api..example.com/",
                              "https://.example.com/",
                              "https://api.example.com./",
                              "https://api.example.com/\r\nX: y",
                              "https://\xc3\xa4.example/",
                              "https://a%2eexample/",
                              "javascript://x"}) {
        INFO(wrong);
        const auto target = parse_call_target(wrong);
        REQUIRE_FALSE(target);
        CHECK(target.error().kind == FailureKind::invalid);
    }
    CHECK(parse_call_target("ftp://x/").error().message ==
          "'ftp://x/' is no address to call: it must begin with https://");
}

TEST_CASE("a call reaches its connector's hosts only, and by https", "[calls]") {
    const std::vector<std::string> hosts{"api.example.com", "*.example.org"};
    const auto reach = [&](const char* url, std::vector<std::string> plain = {}) {
        return why(may_reach(*parse_call_target(url), hosts, plain));
    };
    CHECK(reach("https://api.example.com/").empty());
    CHECK(reach("https://a.b.example.org/").empty());
    CHECK(reach("https://example.org/") == "'example.org' is not one of the connector's hosts");
    CHECK(reach("https://evilexample.org/") ==
          "'evilexample.org' is not one of the connector's hosts");
    CHECK(reach("https://api.example.com.evil.net/") ==
          "'api.example.com.evil.net' is not one of the connector's hosts");
    CHECK(reach("http://api.example.com/") ==
          "'api.example.com' is called by https only; an administrator can allow http by naming "
          "'api.example.com:80' in 'egress_allow'");
    CHECK(reach("http://api.example.com/", {"api.example.com:80"}).empty());
    CHECK_FALSE(reach("http://api.example.com:81/", {"api.example.com:80"}).empty());
    // What the administrator names is one more, at that port only.
    CHECK(reach("http://erp.internal/", {"erp.internal:80"}).empty());
    CHECK(reach("https://erp.internal:8443/", {"erp.internal:8443"}).empty());
    for (const char* other : {"https://erp.internal/", "https://erp.internal:8080/"})
        CHECK(reach(other, {"erp.internal:80"}) ==
              "'erp.internal' is not one of the connector's hosts");
}

TEST_CASE("headers that would break or double a request are refused", "[calls]") {
    CHECK(why(check_header("X-Shop", "a b")).empty());
    CHECK(why(check_header("X Y", "a")) == "'X Y' is no name of a header");
    CHECK(why(check_header("", "a")) == "'' is no name of a header");
    CHECK(why(check_header("X", "a\r\nY: b")) ==
          "the header 'X' has a value that no header can have");
    for (const char* ours : {"Host", "content-length", "Transfer-Encoding", "CONNECTION"})
        CHECK_FALSE(check_header(ours, "x"));
    for (const char* method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
        CHECK(is_method(method));
    for (const char* method : {"", "get", "TRACE", "CONNECT", "GET /"})
        CHECK_FALSE(is_method(method));
}

TEST_CASE("how a request is authenticated is filled in from the connection", "[calls]") {
    const auto bearer = fill_auth(in_header("Bearer {token}"), example_field);
    REQUIRE(bearer);
    CHECK(bearer->header_name == "Authorization");
    CHECK(bearer->header_value == "Bearer s3cr3t-token");
    CHECK(bearer->made_of_secrets == std::vector<std::string>{"Bearer s3cr3t-token"});

    RequestAuth basic;
    basic.place = RequestAuth::Place::basic;
    basic.user = "{user}";
    basic.password = "{token}";
    const auto filled = fill_auth(basic, example_field);
    REQUIRE(filled);
    CHECK(filled->header_value == "Basic YWxpY2U6czNjcjN0LXRva2Vu");
    // What a partner echoes of it is none of the field's own forms.
    CHECK(filled->made_of_secrets[0] == "YWxpY2U6czNjcjN0LXRva2Vu");

    const auto missing = fill_auth(in_header("{absent}"), example_field);
    REQUIRE_FALSE(missing);
    CHECK(missing.error().kind == FailureKind::unprocessable);
    CHECK(missing.error().message == "the connection has no 'absent'; connect it again with it");

    const auto broken = fill_auth(in_header("{token}"), [](std::string_view) {
        return std::optional<std::string_view>{"two\r\nlines"};
    });
    REQUIRE_FALSE(broken);
    CHECK(broken.error().message.find("two") == std::string::npos);  // never a value
}

TEST_CASE("a redirect is followed to the connector's hosts, without credentials to another",
          "[calls]") {
    const CallRequest request = example();
    const Hop from{"GET", "https://api.example.com/v1/a/b?c=d", false, true};
    const auto to = [&](const Hop& start, int status, const char* where) {
        auto hop = follow(request, start, status, where);
        REQUIRE(hop);
        return *hop;
    };
    CHECK(to(from, 302, "/x").url == "https://api.example.com/x");
    CHECK(to(from, 302, "x").url == "https://api.example.com/v1/a/x");
    CHECK(to(from, 302, "?q").url == "https://api.example.com/v1/a/b?q");
    CHECK(to(from, 302, "//a.example.org/y").url == "https://a.example.org/y");
    CHECK(to(from, 302, "/x#part").url == "https://api.example.com/x");
    CHECK(to(from, 302, "/x?u=http://evil.net/").url ==
          "https://api.example.com/x?u=http://evil.net/");
    CHECK(to(from, 302, "/x").with_credentials);
    CHECK_FALSE(to(from, 302, "https://a.example.org/").with_credentials);
    CHECK_FALSE(to(from, 302, "https://api.example.com:8443/").with_credentials);
    // Once without, always without: it might be led back with something else in its address.
    const Hop bare{"GET", "https://a.example.org/", false, false};
    CHECK_FALSE(to(bare, 302, "https://api.example.com/").with_credentials);

    const auto refused = [&](const Hop& start, int status, const char* where) {
        auto hop = follow(request, start, status, where);
        REQUIRE_FALSE(hop);
        CHECK(hop.error().kind == FailureKind::denied);
        return hop.error().message;
    };
    CHECK(refused(from, 302, "https://evil.net/") ==
          "the partner redirects elsewhere: 'evil.net' is not one of the connector's hosts");
    CHECK_THAT(refused(from, 302, "http://api.example.com/"), Catch::Contains("by https only"));
    CHECK(refused(from, 302, "//evil.net") ==
          "the partner redirects elsewhere: 'evil.net' is not one of the connector's hosts");
    CHECK(refused(from, 302, "file:///etc/passwd") ==
          "the partner redirects to what is no address of a host");

    // Another port of a host that the administrator named is none that he opened.
    CallRequest named = example();
    named.named = {"erp.internal:8443"};
    const Hop at_erp{"GET", "https://erp.internal:8443/a", false, true};
    CHECK(follow(named, at_erp, 302, "/b"));
    CHECK(follow(named, from, 302, "https://erp.internal:8443/b"));
    for (const char* where :
         {"https://erp.internal/", "https://erp.internal:9200/", "http://erp.internal:8080/"}) {
        INFO(where);
        for (const Hop& start : {from, at_erp}) {
            const auto hop = follow(named, start, 302, where);
            REQUIRE_FALSE(hop);
            CHECK(hop.error().message ==
                  "the partner redirects elsewhere: 'erp.internal' is not one of the connector's "
                  "hosts");
        }
    }

    const Hop post{"POST", "https://api.example.com/a", true, true};
    CHECK(to(post, 302, "/x").method == "GET");
    CHECK_FALSE(to(post, 303, "/x").with_body);
    CHECK(to(post, 307, "/x").method == "POST");
    CHECK(to(post, 308, "/x").with_body);
    CHECK(refused(post, 307, "https://a.example.org/") ==
          "the partner redirects a request with a body to 'a.example.org', another host");
}

TEST_CASE("no text leads a call to a host that is not the connector's", "[calls]") {
    auto random = test::seeded_random("redirects");
    const std::vector<std::string> pieces{"https:",
                                          "http:",
                                          "//",
                                          "/",
                                          "\\",
                                          "@",
                                          "?",
                                          "#",
                                          ":",
                                          "443",
                                          "evil.net",
                                          "api.example.com",
                                          ".",
                                          "..",
                                          "%2f",
                                          "\t",
                                          " ",
                                          "a",
                                          "x.example.org"};
    const CallRequest request = example();
    int followed = 0;
    for (int round = 0; round < 5000; ++round) {
        std::string to;
        for (auto count = test::below(random, 8); count > 0; --count)
            to += pieces[test::below(random, pieces.size())];
        const auto hop =
            follow(request, {"GET", "https://api.example.com/p", false, true}, 302, to);
        if (!hop) continue;
        ++followed;
        INFO(to << " → " << hop->url);
        const auto target = parse_call_target(hop->url);
        REQUIRE(target);
        CHECK((target->host == "api.example.com" || target->host.ends_with(".example.org")));
        CHECK(target->tls);
        CHECK(hop->with_credentials == (*target == CallTarget{true, "api.example.com", 443}));
    }
    CHECK(followed > 100);  // else it proved nothing
}
