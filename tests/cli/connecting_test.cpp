// The verbs that connect: what each asks of the daemon, and what it shows, exactly.
#include <catch2/catch.hpp>

#include "tests/cli/fake_daemon.h"

using namespace berth;
using namespace berth::test;
using Catch::Matchers::Contains;

namespace {

const char* const kOf7 = "/v2/tenants/7/connectors/shop/";

const char* const kWebhook = R"json({"connector":"shop","path":"/hooks/0a0a",
 "url":"https://hooks.example.com/hooks/0a0a","created_date":"2026-11-20T08:00:00.000000Z",
 "ends_date":null,"signature_header":"x-shopify-hmac-sha256","secret_field":"client_secret",
 "has_secret":true,"replaced":[{"path":"/hooks/0b0b",
 "url":"https://hooks.example.com/hooks/0b0b","created_date":"2026-11-19T08:00:00.000000Z",
 "ends_date":"2026-11-21T08:00:00.000000Z"}]})json";

const char* const kDeliveries = R"json([
 {"number":3,"date":"2026-11-22T03:00:00.000000Z","outcome":"refused",
  "reason":"its signature is wrong","delivery_id":"","event":"","client":"203.0.113.7",
  "bytes":2,"trigger_id":null},
 {"number":2,"date":"2026-11-22T02:00:00.000000Z","outcome":"duplicate","reason":"",
  "delivery_id":"d-1","event":"orders/create","client":"203.0.113.7","bytes":20,
  "trigger_id":"0f"}])json";

const char* const kJob = R"json({"id":17,"program":"berth-oauth","purpose":"refresh",
 "connector":"crm","tenant_id":7,"actor":"berthd","state":"failed",
 "reason":"it was ended by signal 9","created_date":"2026-11-22T03:00:00.000000Z",
 "completed_date":"2026-11-22T03:00:01.500000Z","user_ms":12,"system_ms":3,
 "log":"refresh_token: outage\n\u001b[31m","connections":[
 {"name":"provider.example","address":"203.0.113.9","port":443,"sent_bytes":700,
  "received_bytes":0,"refused":""},
 {"name":"","address":"169.254.169.254","port":80,"sent_bytes":0,"received_bytes":0,
  "refused":"link-local address"}]})json";

// A daemon with a tenant 7 and an integration 1, and one answer.
struct Laid : FakeDaemon {
    Laid(const std::string& what, Answer answer) {
        on("GET /v2/tenants/7", {200, R"({"id":7,"name":"acme"})"});
        on("GET /v2/integrations/1", {200, R"({"id":1,"name":"shop-sync"})"});
        on(what, std::move(answer));
    }
};

struct Shown {
    std::vector<std::string> command;
    std::string asks;    // `METHOD /path`
    const char* answer;  // its body
    const char* golden;
    std::string sent = "";  // the body that was asked with
};

void show(const Shown& one) {
    INFO(one.golden);
    Laid daemon{one.asks, {200, one.answer}};
    const Ran ran = run_berth(daemon, one.command);
    INFO(ran.err);
    CHECK(ran.exit == Exit::ok);
    check_golden(one.golden, ran.out + "--\n" + ran.err);
    const auto space = one.asks.find(' ');
    CHECK(daemon.only(one.asks.substr(0, space), one.asks.substr(space + 1)).body == one.sent);
    // The same as JSON, for programs.
    auto as_json = one.command;
    as_json.insert(as_json.begin(), "--json");
    const Ran json = run_berth(daemon, as_json);
    CHECK(json.exit == Exit::ok);
    if (!json.out.empty()) CHECK_THAT(json.out, Contains("{") || Contains("["));
}

}  // namespace

TEST_CASE("a connection is shown with its story, and ended", "[cli]") {
    show({{"connection", "show", "7", "shop"},
          std::string{"GET "} + kOf7 + "connection",
          R"json({"connector":"shop","kind":"shopify","status":"failed_refresh",
              "reason":"the provider answers 'invalid_grant'",
              "last_change":"2026-11-22T03:00:00.000000Z","secrets":["access_token"],
              "fields":{"shop":"north"},"history":[
              {"date":"2026-11-22T03:00:00.000000Z","status":"failed_refresh","by":"berthd",
               "reason":"the provider answers 'invalid_grant'"},
              {"date":"2026-11-20T03:00:00.000000Z","status":"connected","by":"auth link",
               "reason":""}]})json",
          "connection_show.txt"});
    show({{"connection", "disconnect", "7", "shop"},
          std::string{"PATCH "} + kOf7 + "disconnect",
          "{}",
          "connection_disconnect.txt"});
}

TEST_CASE("a consent is asked for by a link, and needs none of a client", "[cli]") {
    show({{"connection", "authorize", "7", "shop"},
          std::string{"POST "} + kOf7 + "authorize",
          R"({"url":"https://b.example/v0/author/begin/oauth2?ticket=x",
              "expires":"2026-11-22T03:10:00.000000Z"})",
          "connection_authorize.txt"});
    show({{"connection", "authorize", "--global", "1", "shop"},
          "POST /v2/integrations/1/connectors/shop/authorize",
          R"({"connector":"shop","status":"connected"})",
          "connection_authorize_client.txt"});
}

TEST_CASE("a partner is called with what was typed, and answers as it did", "[cli]") {
    Laid daemon{std::string{"POST "} + kOf7 + "call", {200, R"({"data":{"orders":[1,2]}})"}};
    const Ran ran =
        run_berth(daemon, {"connection", "call", "7", "shop", "/orders.json", "--query", "limit=2",
                           "--header", "X-A: b", "--body", R"({"n":1})", "-X", "PUT"});
    INFO(ran.err);
    CHECK(ran.exit == Exit::ok);
    CHECK_THAT(ran.out, Contains("\"orders\""));
    CHECK(daemon.only("POST", kOf7).body ==
          R"({"body":{"n":1},"headers":[["X-A","b"]],"method":"PUT",)"
          R"("query_params":[["limit","2"]],"target_url":"/orders.json"})");
    daemon.on(std::string{"POST "} + kOf7 + "call", {404, R"({"detail":"{'data': 'no'}"})"});
    const Ran failed = run_berth(daemon, {"connection", "call", "7", "shop", "/x"});
    CHECK(failed.exit != Exit::ok);
    CHECK_THAT(failed.err, Contains("{'data': 'no'}"));
    const Ran wrong = run_berth(daemon, {"connection", "call", "7", "shop", "/x", "--query", "n"});
    CHECK(wrong.exit == Exit::usage);
    CHECK_THAT(wrong.err, Contains("'--query n' is not of the form name=value"));
}

TEST_CASE("an app is provisioned, shown and forgotten, and no secret is repeated", "[cli]") {
    const std::string path = "/v2/integrations/1/connectors/shop/provisioning";
    const char* now = R"json({"connector":"shop","kind":"shopify","isGlobal":false,
        "fields":{"client_id":"abc","webhook_topics":"orders/create"},
        "secrets":["client_secret"],"missing":["scopes"],
        "variables":["PAN_SEC_SHOP_ACCESS_TOKEN"],"last_change":"2026-11-22T03:00:00.000000Z"})json";
    show({{"connector", "provision", "1", "shop"}, "GET " + path, now, "provisioning_show.txt"});
    show({{"connector", "provision", "1", "shop", "--forget"},
          "DELETE " + path,
          R"({"connector":"shop","kind":"shopify","fields":{},"secrets":[]})",
          "provisioning_forget.txt"});
    Laid daemon{"PUT " + path, {200, now}};
    const Ran ran = run_berth(
        daemon, {"connector", "provision", "1", "shop", "client_id=abc", "client_secret=-"},
        {.input = "hunter2hunter2\n"});
    CHECK(ran.exit == Exit::ok);
    CHECK_THAT(daemon.only("PUT", path).body,
               Contains(R"("client_id":"abc")") && Contains(R"("client_secret":"hunter2hunter2")"));
    CHECK((ran.out + ran.err).find("hunter2") == std::string::npos);
}

TEST_CASE("an auth link is shown, made anew and revoked", "[cli]") {
    const std::string path = "/v2/tenants/7/auth-link";
    const char* link = R"({"url":"https://b.example/connect/xyz",
                           "created_date":"2026-11-22T03:00:00.000000Z"})";
    show({{"tenant", "auth-link", "7"}, "GET " + path, link, "auth_link.txt"});
    show({{"tenant", "auth-link", "7", "--new"}, "POST " + path, link, "auth_link.txt"});
    show({{"tenant", "auth-link", "7", "--revoke"}, "DELETE " + path, "{}", "auth_link_gone.txt"});
    show({{"tenant", "auth-link", "7"},
          "GET " + path,
          R"({"url":null,"created_date":"2026-11-22T03:00:00.000000Z"})",
          "auth_link_elsewhere.txt"});
}

TEST_CASE("an endpoint is shown, made, replaced and revoked", "[cli]") {
    const std::string path = std::string{kOf7} + "webhook";
    show({{"webhook", "show", "7", "shop"}, "GET " + path, kWebhook, "webhook_show.txt"});
    show({{"webhook", "create", "7", "shop"}, "PUT " + path, kWebhook, "webhook_show.txt"});
    show({{"webhook", "rotate", "7", "shop", "--overlap", "60"},
          "POST " + path,
          kWebhook,
          "webhook_show.txt",
          R"({"overlap_seconds":60})"});
    show({{"webhook", "revoke", "7", "shop"}, "DELETE " + path, "{}", "webhook_revoke.txt"});
    show({{"webhook", "show", "7", "shop"},
          "GET " + path,
          R"({"connector":"shop","path":"/hooks/0a0a","url":null,"has_secret":false,
              "created_date":"2026-11-20T08:00:00.000000Z","secret_field":"client_secret",
              "signature_header":"x","replaced":[]})",
          "webhook_unready.txt"});
    show({{"webhook", "deliveries", "7", "shop"},
          "GET " + path + "/deliveries?limit=20",
          kDeliveries,
          "webhook_deliveries.txt"});
}

TEST_CASE("jobs are listed, and one is shown with whom it spoke to and its log", "[cli]") {
    show({{"job", "list", "--tenant", "7", "--state", "failed"},
          "GET /v2/jobs?limit=100&skip=0&sort_by=id__DESC&tenant_id=7&state=failed",
          (std::string{"["} + kJob + "]").c_str(),
          "job_list.txt"});
    show({{"job", "show", "17"}, "GET /v2/jobs/17", kJob, "job_show.txt"});
}

TEST_CASE("connectors and their kinds are shown", "[cli]") {
    show({{"connector", "kinds"},
          "GET /v2/connector-kinds",
          R"([{"name":"shopify","title":"Shopify","auth":"oauth2_code","webhooks":true},
              {"name":"sftp","title":"SFTP","auth":"fields","webhooks":false}])",
          "connector_kinds.txt"});
    show({{"connector", "kind", "shopify"},
          "GET /v2/connector-kinds/shopify",
          R"json({"name":"shopify","title":"Shopify","auth":"oauth2_code","webhooks":true,
              "documentation":"https://shopify.dev","hosts":["{shop}.myshopify.com"],
              "variables":["PAN_SEC_SHOPIFY_SHOP"],
              "fields":[{"name":"shop","label":"Shop","secret":false,"required":true}],
              "provisioning":[{"name":"client_secret","label":"Client secret","secret":true,
                               "required":true}]})json",
          "connector_kind.txt"});
}
