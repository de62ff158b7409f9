// berth-call's requests to real servers: TLS with a CA of the test's own, redirects, limits,
// and who gets to see the credentials.
#include "connectors/call/perform.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "model/limits.h"
#include "tests/calls/partner.h"

using namespace berth;
using test::Certificates;
using test::Partner;
using Json = nlohmann::json;

namespace {

const Certificates& certificates() {
    static const Certificates made;
    return made;
}

CallRequest request(const std::string& url) {
    CallRequest wanted;
    wanted.url = url;
    wanted.hosts = {"localhost", "127.0.0.1"};
    return wanted;
}

FilledAuth bearer() {
    FilledAuth auth;
    auth.header_name = "Authorization";
    auth.header_value = "Bearer t0ken";
    return auth;
}

CallAnswer call(const CallRequest& wanted, const FilledAuth& auth = {}) {
    return perform(wanted, auth, certificates().ca().string());
}

Json echo(const CallAnswer& answer) {
    INFO(answer.reason);
    REQUIRE(answer.fault == CallFault::none);
    REQUIRE(answer.status == 200);
    CHECK(answer.type == "application/json");
    return Json::parse(answer.body);
}

}  // namespace

TEST_CASE("a call carries its method, headers, body and credentials", "[calls]") {
    const Partner partner{certificates()};
    auto wanted = request(partner.at() + "/a/b?c=d");
    wanted.method = "PATCH";
    wanted.headers = {
        {"X-One", "1"}, {"Content-Type", "text/plain"}, {"authorization", "mine"}, {"X-Empty", ""}};
    wanted.body = "hello";
    wanted.has_body = true;
    const Json seen = echo(call(wanted, bearer()));
    CHECK(seen["method"] == "PATCH");
    CHECK(seen["path"] == "/a/b");
    CHECK(seen["query"]["c"] == "d");
    CHECK(seen["body"] == "hello");
    CHECK(seen["headers"]["x-one"] == "1");
    CHECK(seen["headers"]["x-empty"] == "");
    CHECK(seen["headers"]["content-type"] == "text/plain");
    CHECK(seen["headers"]["authorization"] == "Bearer t0ken");  // the connection's goes before
}

TEST_CASE("a key can be a parameter of the query", "[calls]") {
    const Partner partner{certificates()};
    FilledAuth auth;
    auth.query_name = "api key";
    auth.query_value = "k&y=1";
    const Json seen = echo(call(request(partner.at() + "/?a=b"), auth));
    CHECK(seen["query"]["api key"] == "k&y=1");
    CHECK(seen["query"]["a"] == "b");
}

TEST_CASE("a partner whose certificate nobody vouches for is not spoken to", "[calls]") {
    const Partner partner{certificates()};
    const auto answer = perform(request(partner.at() + "/"), bearer());
    CHECK(answer.fault == CallFault::unreachable);
    CHECK_THAT(answer.reason, Catch::Contains("certificate"));
    // The control: with its CA it is.
    CHECK(call(request(partner.at() + "/")).status == 200);
    const Certificates others;
    CHECK(perform(request(partner.at() + "/"), {}, others.ca().string()).fault ==
          CallFault::unreachable);
}

TEST_CASE("without TLS only what the administrator named is spoken to", "[calls]") {
    const Partner partner;
    auto wanted = request(partner.at() + "/");
    const auto refused = call(wanted, bearer());
    CHECK(refused.fault == CallFault::refused);
    CHECK_THAT(refused.reason, Catch::Contains("by https only"));
    wanted.named = {"localhost:" + std::to_string(partner.port())};
    CHECK(echo(call(wanted, bearer()))["headers"]["authorization"] == "Bearer t0ken");
}

TEST_CASE("a host that is not the connector's is not asked", "[calls]") {
    const Partner partner{certificates()};
    auto wanted = request(partner.at() + "/");
    wanted.hosts = {"example.com"};
    const auto answer = call(wanted, bearer());
    CHECK(answer.fault == CallFault::refused);
    CHECK(answer.reason == "'localhost' is not one of the connector's hosts");
}

TEST_CASE("a redirect within the host keeps the credentials, one to another does not", "[calls]") {
    const Partner here{certificates()};
    const Partner there{certificates()};
    auto wanted = request(here.at() + "/go?status=302&to=/landed");
    auto seen = echo(call(wanted, bearer()));
    CHECK(seen["path"] == "/landed");
    CHECK(seen["headers"]["authorization"] == "Bearer t0ken");

    wanted = request(here.at() + "/go?status=302&to=" + there.at("127.0.0.1") + "/landed");
    wanted.headers = {{"Cookie", "c=d"}, {"X-Kept", "1"}};
    seen = echo(call(wanted, bearer()));
    CHECK(seen["path"] == "/landed");
    CHECK_FALSE(seen["headers"].contains("authorization"));
    CHECK_FALSE(seen["headers"].contains("cookie"));
    CHECK(seen["headers"]["x-kept"] == "1");

    // Another port is another server.
    wanted = request(here.at() + "/go?status=302&to=" + there.at() + "/landed");
    CHECK_FALSE(echo(call(wanted, bearer()))["headers"].contains("authorization"));

    wanted.hosts = {"localhost"};
    wanted.url = here.at() + "/go?status=302&to=" + there.at("127.0.0.1") + "/landed";
    const auto refused = call(wanted, bearer());
    CHECK(refused.fault == CallFault::refused);
    CHECK(refused.reason ==
          "the partner redirects elsewhere: '127.0.0.1' is not one of the connector's hosts");
}

TEST_CASE("a redirect to plain HTTP is not followed", "[calls]") {
    const Partner here{certificates()};
    const Partner plain;
    const auto answer =
        call(request(here.at() + "/go?status=307&to=" + plain.at() + "/landed"), bearer());
    CHECK(answer.fault == CallFault::refused);
    CHECK_THAT(answer.reason, Catch::Contains("by https only"));
}

TEST_CASE("a redirect to another port of what the administrator named is not followed", "[calls]") {
    const Partner here{certificates()};
    const Partner there{certificates()};
    const auto name = [](const Partner& one) { return "localhost:" + std::to_string(one.port()); };
    auto wanted = request(here.at() + "/go?status=302&to=" + there.at() + "/landed");
    wanted.hosts.clear();
    wanted.named = {name(here)};
    const auto answer = call(wanted, bearer());
    CHECK(answer.fault == CallFault::refused);
    CHECK(answer.reason ==
          "the partner redirects elsewhere: 'localhost' is not one of the connector's hosts");
    wanted.named.push_back(name(there));  // the control
    CHECK(echo(call(wanted, bearer()))["path"] == "/landed");
}

TEST_CASE("a partner that redirects for ever is given up", "[calls]") {
    const Partner partner{certificates()};
    const auto answer = call(request(partner.at() + "/loop"));
    CHECK(answer.fault == CallFault::refused);
    CHECK(answer.reason == "the partner redirects again and again");
}

TEST_CASE("an answer has a size and a time", "[calls]") {
    const Partner partner{certificates()};
    const auto most = limits::kCallAnswerBytes;
    const auto full = call(request(partner.at() + "/large?bytes=" + std::to_string(most)));
    CHECK(full.fault == CallFault::none);
    CHECK(full.body.size() == most);
    const auto more = call(request(partner.at() + "/large?bytes=" + std::to_string(most + 1)));
    CHECK(more.fault == CallFault::too_large);
    CHECK(more.reason == "its answer has more than 5 MiB");
    CHECK(call(request(partner.at() + "/endless")).fault == CallFault::too_large);

    auto slow = request(partner.at() + "/hang");
    slow.time = std::chrono::milliseconds{200};
    CHECK(call(slow).fault == CallFault::timed_out);
}

TEST_CASE("a partner that is not there is unreachable", "[calls]") {
    std::string gone;
    {
        const Partner partner{certificates()};
        gone = partner.at();
    }
    const auto answer = call(request(gone + "/"));
    CHECK(answer.fault == CallFault::unreachable);
    CHECK_FALSE(answer.reason.empty());
}

TEST_CASE("the partner's own status and form come back as they are", "[calls]") {
    const Partner partner{certificates()};
    const auto teapot = call(request(partner.at() + "/status?status=418"));
    CHECK(teapot.fault == CallFault::none);
    CHECK(teapot.status == 418);
    CHECK(Json::parse(teapot.body)["oh"] == "no");
    auto xml = request(partner.at() + "/xml");
    xml.method = "POST";
    xml.body = "<a/>";
    xml.has_body = true;
    const auto answer = call(xml);
    CHECK(answer.type == "text/xml");
    CHECK(answer.body == "<got><a/></got>");
}
