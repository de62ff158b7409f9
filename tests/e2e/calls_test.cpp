// Connector calls through the real daemons: the credentials reach the partner and nobody
// else, and what happened is on record.
#include <array>
#include <catch2/catch.hpp>
#include <thread>

#include "base/text.h"
#include "tests/calls/partner.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using namespace berth::test;
using Catch::Contains;

namespace {

constexpr const char* kKey = "k3y-of-the-shop/with\"odd&chars";

// A tenant whose connector `shop` has a key for a partner on this host.
struct Shop {
    Shop() {
        daemon.must("POST", "/v2/connectors", {{"name", "shop"}, {"kind", "api-key"}});
        daemon.must("POST", "/v2/connectors", {{"name", "old"}});
        made = daemon.install("shop", {{"PANDIUM.yaml", manifest("true")}},
                              {{"connectors", {{{"name", "shop"}}, {{"name", "old"}}}}});
    }
    void connect(const std::string& connector = "shop") {
        daemon.must("PUT", path(connector) + "connection", {{"secrets", {{"api_key", kKey}}}});
    }
    std::string path(const std::string& connector = "shop") const {
        return fmt::format("/v2/tenants/{}/connectors/{}/", made.tenant, connector);
    }
    ClientResponse call(const json& body, const std::string& form = "call") {
        return daemon.request("POST", path() + form, body);
    }
    json last_job() {
        const json list = daemon.must("GET", "/v2/jobs?sort_by=id__DESC");
        REQUIRE_FALSE(list.empty());
        return daemon.must("GET", fmt::format("/v2/jobs/{}", list[0]["id"].get<int>()));
    }

    Partner partner;
    Daemon daemon{
        fmt::format("egress_allow = 127.0.0.1:{0}\negress_ports = 80, 443, {0}\n", partner.port())};
    Daemon::Installed made;
    std::string at = partner.at("127.0.0.1");
};

json detail_of(const ClientResponse& response) {
    INFO(response.body);
    return json::parse(response.body).at("detail");
}

}  // namespace

TEST_CASE("a call carries the connection's key, and its answer does not show it", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Shop shop;
    shop.connect();
    const auto answer = shop.call({{"target_url", shop.at + "/v1/orders"},
                                   {"method", "POST"},
                                   {"headers", {{"X-One", "1"}}},
                                   {"query_params", {{"limit", 5}, {"tag", {"a", "b"}}}},
                                   {"body", {{"name", "\u00e4"}}}});
    INFO(answer.body << shop.daemon.log());
    REQUIRE(answer.status == 200);
    const json data = json::parse(answer.body).at("data");
    CHECK(data["method"] == "POST");
    CHECK(data["path"] == "/v1/orders");
    CHECK(data["query"]["limit"] == "5");
    CHECK(json::parse(data["body"].get<std::string>())["name"] == "\u00e4");
    CHECK(data["headers"]["x-one"] == "1");
    CHECK(data["headers"]["content-type"] == "application/json");
    // It was there: what stands for it is what the runner put.
    CHECK(data["headers"]["authorization"] == "***");
    CHECK(answer.body.find("k3y-of") == std::string::npos);

    const json job = shop.last_job();
    CHECK(job["program"] == "berth-call");
    CHECK(job["purpose"] == "call");
    CHECK(job["state"] == "succeeded");
    CHECK(job["connector"] == "shop");
    CHECK(job["tenant_id"] == shop.made.tenant);
    CHECK_THAT(job["log"].get<std::string>(), Contains("POST 127.0.0.1: 200"));
    REQUIRE(job["connections"].size() == 1);
    CHECK(job["connections"][0]["address"] == "127.0.0.1");
    CHECK(job["connections"][0]["allowed"] == true);
    const json audit = shop.daemon.must("GET", "/v2/audit?limit=5");
    bool used = false;
    for (const json& row : audit)
        used = used || row["action"] == "secret.use";
    CHECK(used);
}

TEST_CASE("a partner's refusal has its own status, and its answer as a text", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Shop shop;
    shop.connect();
    const auto teapot = shop.call({{"target_url", shop.at + "/status?status=418"}});
    CHECK(teapot.status == 418);
    const json told = json::parse(detail_of(teapot).get<std::string>());
    CHECK(told["data"]["oh"] == "no");
    CHECK(told["status"] == 418);
    CHECK(shop.last_job()["state"] == "succeeded");
}

TEST_CASE("SOAP and XML go as they are and come back in a text", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Shop shop;
    shop.connect();
    for (const char* form : {"soap", "xml"}) {
        const auto answer =
            shop.call({{"target_url", shop.at + "/xml"}, {"data", "<a>1</a>"}}, form);
        INFO(answer.body);
        REQUIRE(answer.status == 200);
        CHECK(json::parse(answer.body)["data"]["xml"] == "<got><a>1</a></got>");
    }
}

TEST_CASE("what is wrong with a call is said before anything is asked", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Shop shop;
    const json good{{"target_url", shop.at + "/"}};
    const auto unconnected = shop.call(good);
    CHECK(unconnected.status == 400);
    CHECK_THAT(detail_of(unconnected).get<std::string>(), Contains("connect it first"));
    shop.connect();
    shop.connect("old");
    const auto elsewhere = shop.call({{"target_url", "https://example.com/"}});
    CHECK(elsewhere.status == 400);
    CHECK(detail_of(elsewhere) == "'example.com' is not one of the connector's hosts");
    const auto other_port = shop.call({{"target_url", "http://127.0.0.1:1/"}});
    CHECK(other_port.status == 400);
    const auto no_kind = shop.daemon.request("POST", shop.path("old") + "call", good);
    CHECK(no_kind.status == 400);
    CHECK_THAT(detail_of(no_kind).get<std::string>(), Contains("'custom'"));
    CHECK(shop.daemon.request("POST", shop.path("absent") + "call", good).status == 404);
    CHECK(shop.daemon.request("POST", "/v2/tenants/4242/connectors/shop/call", good).status == 404);
    CHECK(shop.call({{"target_url", 5}}).status == 422);
    CHECK(shop.call(json::object()).status == 422);
    CHECK(shop.call({{"target_url", shop.at}, {"headers", 5}}).status == 422);
    CHECK(shop.call({{"target_url", shop.at}, {"data", "<a/>"}}).status == 422);
    CHECK(shop.daemon.must("GET", "/v2/jobs").empty());
}

TEST_CASE("a partner that is not there is a fault of its own, with a reason", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Shop shop;
    shop.connect();
    const auto redirected =
        shop.call({{"target_url", shop.at + "/go?status=302&to=https://example.com/"}});
    CHECK(redirected.status == 400);
    CHECK_THAT(detail_of(redirected).get<std::string>(), Contains("redirects elsewhere"));
    const auto large = shop.call({{"target_url", shop.at + "/large?bytes=6000000"}});
    CHECK(large.status == 502);
    CHECK(detail_of(large) == "its answer has more than 5 MiB");
}

TEST_CASE("a partner that hangs is not asked more and more, and who comes next is told at once",
          "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Shop shop;
    shop.connect();
    const std::string hang = json{{"target_url", shop.at + "/hang"}}.dump();
    std::array<int, 4> statuses{};  // all that a tenant may have at once
    {
        std::vector<std::jthread> callers;
        for (int& status : statuses)
            callers.emplace_back([&shop, &hang, &status] {
                const auto answer =
                    Client{shop.daemon.socket()}.request("POST", shop.path() + "call", hang);
                if (answer) status = answer->status;
            });
        REQUIRE(eventually([&] {
            return shop.daemon.must("GET", "/v2/jobs?state=running").size() == statuses.size();
        }));
        const auto next = shop.call({{"target_url", shop.at + "/"}});
        CHECK(next.status == 429);
        CHECK(detail_of(next) ==
              fmt::format("tenant '{}' has 4 calls going on, which is all it may; wait for one to "
                          "end",
                          shop.made.tenant));
        CHECK_FALSE(next.header("retry-after").empty());
        // Another tenant's partner is asked all the while: it is what lets the others go.
        shop.daemon.must("POST", "/v2/connectors", {{"name", "quick"}, {"kind", "api-key"}});
        shop.daemon.must("PUT",
                         fmt::format("/v2/integrations/{}/connectors/quick", shop.made.integration),
                         json::object());
        const json other = shop.daemon.must(
            "POST", "/v2/tenants", {{"name", "other"}, {"integration_id", shop.made.integration}});
        const auto of_other =
            fmt::format("/v2/tenants/{}/connectors/quick/", other["id"].get<std::int64_t>());
        shop.daemon.must("PUT", of_other + "connection", {{"secrets", {{"api_key", kKey}}}});
        const auto release =
            shop.daemon.request("POST", of_other + "call", {{"target_url", shop.at + "/release"}});
        INFO(release.body);
        CHECK(release.status == 200);
    }
    for (const int status : statuses)
        CHECK(status == 200);
}

TEST_CASE("a client that its provider refuses is told why, and keeps what was typed in", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Shop shop;
    shop.daemon.must("POST", "/v2/connectors",
                     {{"name", "machine"}, {"kind", "generic-client-credentials"}});
    const auto of_all =
        fmt::format("/v2/integrations/{}/connectors/machine", shop.made.integration);
    shop.daemon.must("PUT", of_all, {{"isGlobal", false}});
    const auto provision = [&](const char* path) {
        shop.daemon.must("PUT", of_all + "/provisioning",
                         {{"fields", {{"token_url", shop.at + path}}}});
    };
    const json fields{{"fields", {{"client_id", "me"}, {"client_secret", kKey}}}};
    const auto tried = [&](int status) {
        const auto answer = shop.daemon.request("PUT", shop.path("machine") + "connection", fields);
        INFO(answer.body << shop.daemon.log());
        CHECK(answer.status == status);
        CHECK_THAT(answer.body, Contains("cannot connect") && !Contains("k3y-of"));
        const json connection = shop.daemon.must("GET", shop.path("machine") + "connection");
        INFO(connection.dump());
        CHECK(connection["status"] == "pending");
    };
    provision("/status?status=400");  // it refuses
    tried(400);
    provision("/status?status=500");  // it is ill
    tried(503);
}

TEST_CASE("after a restart of the daemons calls go on, with the same release of programs",
          "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Shop shop;
    shop.connect();
    const json body{{"target_url", shop.at + "/"}};
    REQUIRE(shop.call(body).status == 200);
    const auto folders = [&] {
        std::size_t count = 0;
        for (const auto& entry :
             std::filesystem::directory_iterator{shop.daemon.state_dir() / "releases"})
            count += entry.is_directory() ? 1U : 0U;
        return count;
    };
    const auto before = folders();
    CHECK(shop.daemon.stop(SIGTERM) == 0);
    shop.daemon.start();
    const auto again = shop.call(body);
    INFO(again.body);
    CHECK(again.status == 200);
    CHECK(folders() == before);
    CHECK(shop.daemon.must("GET", "/v2/jobs").size() == 2);
}
