// What refusals say of what they refuse: nothing that was typed in as a secret (S16); and a
// body of another type than the route's is not looked at (S21).
#include <iostream>

#include "base/text.h"
#include "tests/e2e/finder.h"
#include "tests/e2e/routes.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using namespace berth::test;

TEST_CASE("what is typed in as a secret is not repeated by any refusal, log or audit row",
          "[e2e][no_export]") {
    BERTH_NEEDS_SANDBOX();
    const auto canaries = make_canaries(400);
    Finder finder{canaries};
    Daemon daemon{"public_url = https://hooks.example.com\n"};
    const auto made = daemon.install("shop", {{"PANDIUM.yaml", manifest("true")}});
    std::vector<std::string> connectors;
    for (const char* kind : {"custom", "api-key", "basic", "github", "generic-oauth2", "sftp",
                             "generic-client-credentials", "postgresql"}) {
        connectors.push_back("c-" + std::string{kind});
        daemon.must("POST", "/v2/connectors", {{"name", connectors.back()}, {"kind", kind}});
        daemon.must(
            "PUT",
            fmt::format("/v2/integrations/{}/connectors/{}", made.integration, connectors.back()),
            json::object());
    }
    std::size_t used = 0, asked = 0, hits = 0;
    std::string where;
    const auto canary = [&] { return canaries.at(used++); };
    const auto look = [&](const Result<ClientResponse>& answer) {
        REQUIRE(answer);
        ++asked;
        auto found = finder.in(answer->body);
        for (const auto& [name, value] : answer->headers)
            found += finder.in(value);
        if (found > 0) where += answer->body + "\n";
        hits += found;
        return answer->status;
    };
    Client client{daemon.socket()};
    const auto ask = [&](const char* method, const std::string& target, const json& body) {
        INFO(method << " " << target);
        CHECK(look(client.request(method, target, body.dump())) / 100 >= 4);
    };
    for (const std::string& connector : connectors) {
        const auto tenant = fmt::format("/v2/tenants/{}/connectors/{}/", made.tenant, connector);
        const auto integration =
            fmt::format("/v2/integrations/{}/connectors/{}/", made.integration, connector);
        for (const char* key : {"fields", "secrets"}) {
            const std::string own = key;
            ask("PUT", tenant + "connection", {{own, canary()}});
            ask("PUT", tenant + "connection", {{own, {canary()}}});
            ask("PUT", tenant + "connection", {{own, {{"Bad Name!", canary()}}}});
            ask("PUT", tenant + "connection", {{own, {{"api_key", {canary()}}}}});
            ask("PUT", tenant + "connection", {{own, {{"api_key", {{"x", canary()}}}}}});
            ask("PUT", tenant + "connection", {{own, {{"api_key", 12345}, {"b", canary()}}}});
            ask("PUT", tenant + "connection", {{own, {{"api_key", canary()}}}, {"more", canary()}});
            ask("PUT", tenant + "connection",
                {{own, {{std::string(300, 'n'), canary()}, {"api_key", nullptr}}}});
            ask("PUT", integration + "connection", {{own, {{"api_key", canary()}}}});
            ask("PUT", integration + "provisioning", {{own, {{"No Such", canary()}}}});
            ask("PUT", integration + "provisioning", {{own, {{"client_secret", {canary()}}}}});
        }
        // A body that is no JSON, or no object, is not quoted either.
        for (const std::string& text : {"{\"secrets\": {\"a\": \"" + to_hex(canary()) + "\"",
                                        "[\"" + to_hex(canary()) + "\"]",
                                        "\"" + to_base64(canary()) + "\"", to_base64(canary())}) {
            const auto answer = client.request("PUT", tenant + "connection", text);
            CHECK(look(answer) / 100 == 4);
        }
        ask("POST", tenant + "call",
            {{"target_url", "https://example.com/"}, {"headers", {{"authorization", {canary()}}}}});
        ask("POST", tenant + "call",
            {{"target_url", "https://user:" + to_hex(canary()) + "@example.com/"}});
        ask("POST", tenant + "call", {{"body", canary()}, {"headers", canary()}});
    }
    // Strangers, through the public socket.
    Client outside{daemon.root() / "run" / "public.sock"};
    for (const char* target : {"/hooks/", "/connect/", "/oauth/callback?code=",
                               "/oauth/callback?state=", "/oauth/callback?error_description="})
        for (const char* method : {"GET", "POST"}) {
            const auto answer = outside.request(method, target + to_hex(canary()), canary(),
                                                {{"cookie", "berth=" + to_hex(canary())},
                                                 {"x-hub-signature-256", "sha256=" + canary()}});
            if (answer) CHECK(look(answer) / 100 >= 3);
        }
    std::cout << fmt::format("{} canaries as bad values in {} requests: {} echoed\n", used, asked,
                             hits);
    INFO(where);
    CHECK(hits == 0);
    CHECK(finder.in(daemon.log()) == 0);
    CHECK(finder.in(daemon.must("GET", "/v2/audit?limit=500").dump()) == 0);
    CHECK(finder.in("log: " + canaries[7]) > 0);  // the control
}

TEST_CASE("a body of another type than the route's is refused, by every route",
          "[e2e][no_export]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    std::vector<std::string> types{
        "text/plain",        "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
        "application/jsonx", "application/json-patch+json",       "text/json",
        "application/xml",   "application/octet-stream"};
    for (int i = 0; full() && types.size() < 40; ++i)
        types.push_back(fmt::format("{}/x-{}", i % 2 == 0 ? "application" : "text", i));
    Client client{daemon.socket()};
    std::size_t asked = 0, routes = 0;
    for (const Route& route : all_routes()) {
        if (!has_body(route) || route.content_type.empty()) continue;
        ++routes;
        for (const std::string& type : types) {
            const auto answer = client.request(to_string(route.method), route.pattern, "{}",
                                               {{"content-type", type}});
            REQUIRE(answer);
            INFO(to_string(route.method) << " " << route.pattern << " " << type);
            CHECK(answer->status == 415);
            ++asked;
        }
    }
    std::cout << fmt::format("{} routes with a body x {} types: {} refusals\n", routes,
                             types.size(), asked);
    CHECK(routes > 20);
}
