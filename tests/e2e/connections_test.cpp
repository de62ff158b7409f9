// Connections of real kinds: what is typed in, what is shown, what reaches the script, and
// the page that a customer opens without an account.
#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>

#include "base/crypto.h"
#include "base/file.h"
#include "base/text.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;
using Catch::Contains;

namespace {

constexpr const char* kSecret = "s3cr3t-canary-31ab";

constexpr const char* kAcme = R"(# https://acme.example/docs
name: acme
title: Acme
fields:
  - {name: account, label: Account, secret: false, pattern: "[a-z]+"}
  - {name: api_key, label: API key, env: acme_key}
  - {name: hook, label: Webhook secret, required: false, in_environment: false}
request: {header: X-Acme-Key, value: "{api_key}"}
base_url: https://{account}.acme.example/v1
hosts: ["{account}.acme.example"]
webhook: {key_field: hook, signature_header: X-Acme-Mac}
)";

struct Shop {
    Daemon daemon;
    Daemon::Installed made;
    std::string tenant;

    explicit Shop(const std::string& kind, const std::string& settings = "") : daemon{settings} {
        daemon.must("POST", "/v2/connectors", {{"name", "shop"}, {"kind", kind}});
        made = daemon.install("sync", {{"PANDIUM.yaml", manifest("env | grep ^PAN_SEC | sort")}},
                              {{"connectors", {{{"name", "shop"}}}}});
        tenant = "/v2/tenants/" + std::to_string(made.tenant);
    }
    std::string connection() const { return tenant + "/connectors/shop/connection"; }
};

// As a browser or a reverse proxy does it; nothing of it is the API's.
berth::ClientResponse public_request(const Daemon& daemon, const std::string& method,
                                     const std::string& target, const std::string& body = "",
                                     berth::ClientHeaders headers = {}) {
    berth::Client client{daemon.root() / "run" / "public.sock"};
    if (method == "POST") headers.emplace_back("content-type", "application/x-www-form-urlencoded");
    auto response = client.request(method, target, body, headers);
    REQUIRE(response);
    return *std::move(response);
}

std::string between(const std::string& text, const std::string& from, const std::string& to) {
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    const auto begin = at + from.size();
    return text.substr(begin, text.find(to, begin) - begin);
}

}  // namespace

TEST_CASE("a connection's fields are held against its kind and reach the script by it", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Shop shop{"twilio"};
    Daemon& daemon = shop.daemon;
    const std::string sid = "AC0123456789abcdef0123456789abcdef";

    // An unknown field, one that is missing, a wrong one: by name, never by value.
    for (const json& fields :
         {json{{"account_sid", sid}, {"auth_token", "t"}, {"tokne", kSecret}},
          json{{"account_sid", sid}}, json{{"account_sid", kSecret}, {"auth_token", "t"}}}) {
        const auto refused = daemon.request("PUT", shop.connection(), {{"fields", fields}});
        CHECK(refused.status == 422);
        CHECK(refused.body.find(kSecret) == std::string::npos);
        CHECK(json::parse(refused.body)["detail"][0]["loc"][1] == "fields");
    }
    CHECK(daemon.must("GET", shop.connection())["status"] == "disconnected");

    const json connected = daemon.must(
        "PUT", shop.connection(), {{"fields", {{"account_sid", sid}, {"auth_token", kSecret}}}});
    CHECK(connected["status"] == "connected");
    CHECK(connected["kind"] == "twilio");
    CHECK(connected["fields"] == json{{"account_sid", sid}});
    CHECK(connected["secrets"] == json{"auth_token"});
    const auto log = daemon.run_log(daemon.run(shop.made.tenant)["id"], "stdout");
    CHECK_THAT(log, Contains("PAN_SEC_SHOP_ACCOUNT_SID=" + sid + "\n"));
    CHECK_THAT(log, Contains("PAN_SEC_SHOP_AUTH_TOKEN=***"));

    // A reconnect keeps what is not named, and the history.
    daemon.must("PUT", shop.connection(), {{"fields", {{"auth_token", "another-token-1"}}}});
    daemon.must("PATCH", shop.tenant + "/connectors/shop/disconnect");
    const json story = daemon.must("GET", shop.connection());
    CHECK(story["status"] == "disconnected");
    CHECK(story["fields"].empty());
    REQUIRE(story["history"].size() == 3);
    CHECK(story["history"][0]["status"] == "disconnected");
    CHECK(story["history"][2]["status"] == "connected");
    CHECK(daemon.log().find(kSecret) == std::string::npos);
}

TEST_CASE("an unknown kind is refused, and a wrong file of the administrator's is told", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const berth::TempDir kinds{"kinds"};
    std::ofstream{kinds.path() / "acme.yaml"}
        << "name: acme\ntitle: Acme\nfields:\n  - {name: key, label: Key}\n";
    std::ofstream{kinds.path() / "bad.yaml"} << "name: bad\n";
    std::filesystem::permissions(kinds.path(), std::filesystem::perms{0755});
    Daemon daemon{"connector_kinds = " + kinds.path().string() + "\n"};
    const auto refused =
        daemon.request("POST", "/v2/connectors", {{"name", "crm"}, {"kind", "hubspot"}});
    CHECK(refused.status == 422);
    CHECK_THAT(refused.body, Contains("hubspot-oauth") || Contains("hubspot-basic"));
    CHECK(daemon.must("POST", "/v2/connectors", {{"name", "a"}, {"kind", "acme"}})["kind"] ==
          "acme");
    CHECK(daemon.must("GET", "/v2/connector-kinds").size() >= 26);
    const json shown = daemon.must("GET", "/v2/connector-kinds/hubspot-oauth");
    CHECK(shown["variables"][0] == "PAN_SEC_HUBSPOT-OAUTH_ACCESS_TOKEN");
    CHECK(daemon.request("GET", "/v2/connector-kinds/none").status == 404);

    bool told = false;
    const json doctor = daemon.must("GET", "/v2/doctor");
    for (const json& check : doctor["checks"])
        if (check["name"] == "connector kinds")
            told = check["ok"] == false &&
                   check["detail"].get<std::string>().find("bad.yaml:1:1:") != std::string::npos;
    CHECK(told);
}

TEST_CASE("a provider needs one file: without a restart it is connected, run with and heard",
          "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const berth::TempDir kinds{"kinds"};
    std::filesystem::permissions(kinds.path(), std::filesystem::perms{0755});
    const auto put = [&](std::string_view text) {
        berth::write_file_atomically(kinds.path() / "acme.yaml", text, 0644);
    };
    Daemon daemon{"public_url = https://hooks.example\nconnector_kinds = " + kinds.path().string() +
                  "\n"};
    const auto reread = [&] { REQUIRE(::kill(daemon.pid_of("berthd"), SIGHUP) == 0); };
    const json wanted{{"name", "shop"}, {"kind", "acme"}};
    CHECK(daemon.request("POST", "/v2/connectors", wanted).status == 422);

    put(kAcme);
    reread();
    REQUIRE(eventually(
        [&] { return daemon.request("GET", "/v2/connector-kinds/acme").status == 200; }));
    daemon.must("POST", "/v2/connectors", wanted);
    const auto made =
        daemon.install("sync", {{"PANDIUM.yaml", manifest("env | grep ^PAN_SEC | sort")}},
                       {{"connectors", {{{"name", "shop"}}}}});
    const std::string tenant = "/v2/tenants/" + std::to_string(made.tenant);
    const std::string connection = tenant + "/connectors/shop/connection";
    CHECK(daemon.request("PUT", connection, {{"fields", {{"account", "No"}, {"api_key", kSecret}}}})
              .status == 422);
    daemon.must("PUT", connection,
                {{"fields", {{"account", "north"}, {"api_key", kSecret}, {"hook", "whsec"}}}});
    const auto log = daemon.run_log(daemon.run(made.tenant)["id"], "stdout");
    CHECK_THAT(log, Contains("PAN_SEC_SHOP_ACCOUNT=north\n") &&
                        Contains("PAN_SEC_SHOP_ACME_KEY=***") && !Contains("HOOK"));

    const std::string path = daemon.must("PUT", tenant + "/connectors/shop/webhook")["path"];
    berth::Client outside{daemon.root() / "run" / "public.sock"};
    const auto mac = [](std::string_view key) {
        return berth::ClientHeaders{{"x-acme-mac", berth::to_hex(berth::hmac_sha256(key, "{}"))}};
    };
    CHECK(outside.request("POST", path, "{}", mac("wrong"))->status == 401);
    CHECK(outside.request("POST", path, "{}", mac("whsec"))->status == 200);

    // The file wants another field of theirs: the secret from before counts no more.
    std::string changed = kAcme;
    changed.replace(changed.find("key_field: hook"), 15, "key_field: api_key");
    put(changed);
    reread();
    REQUIRE(eventually(
        [&] { return outside.request("POST", path, "{}", mac(kSecret))->status == 200; }));
    CHECK(outside.request("POST", path, "{}", mac("whsec"))->status == 401);

    // A slip in the file is told, and takes nothing away.
    put("name: acme\ntitel: Acme\n");
    reread();
    const auto told = [&](const char* what) {
        const json doctor = daemon.must("GET", "/v2/doctor");
        for (const json& check : doctor["checks"])
            if (check["name"] == "connector kinds")
                return check["detail"].get<std::string>().find(what) != std::string::npos;
        return false;
    };
    REQUIRE(eventually([&] { return told("acme.yaml:2:8: key 'titel' is not known here"); }));
    CHECK(daemon.request("GET", "/v2/connector-kinds/acme").status == 200);
    CHECK(daemon.run(made.tenant)["state"] == "succeeded");
}

TEST_CASE("a provisioning is kept sealed beside the global connection", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Shop shop{"slack"};
    Daemon& daemon = shop.daemon;
    const auto path = "/v2/integrations/" + std::to_string(shop.made.integration) +
                      "/connectors/shop/provisioning";
    CHECK(daemon.must("GET", path)["missing"] == json{"client_id", "client_secret"});
    CHECK(daemon.request("PUT", path, {{"fields", {{"client_id", "app"}}}}).status == 422);
    const json stored =
        daemon.must("PUT", path, {{"fields", {{"client_id", "app"}, {"client_secret", kSecret}}}});
    CHECK(stored["fields"] == json{{"client_id", "app"}});
    CHECK(stored["secrets"] == json{"client_secret"});
    CHECK(stored["missing"].empty());
    CHECK(stored["variables"] == json{"PAN_SEC_SHOP_TEAM_ID", "PAN_SEC_SHOP_ACCESS_TOKEN"});
    CHECK(daemon.must("DELETE", path)["missing"].size() == 2);
}

TEST_CASE("a customer connects by the auth link, without an account", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Shop shop{"apollo-io", "public_url = https://hooks.example\n"};
    Daemon& daemon = shop.daemon;
    CHECK(daemon.request("GET", shop.tenant + "/auth-link").status == 404);
    const std::string url = daemon.must("POST", shop.tenant + "/auth-link")["url"];
    REQUIRE(berth::to_lower_ascii(url).starts_with("https://hooks.example/connect/"));
    const std::string page_path = url.substr(url.find("/connect/"));

    const auto page = public_request(daemon, "GET", page_path);
    CHECK(page.status == 200);
    CHECK_THAT(page.body, Contains("Apollo.io") && Contains("Not connected"));
    const std::string cookie = between(std::string{page.header("set-cookie")}, "", ";");
    const std::string mark = between(page.body, "name=\"_mark\" value=\"", "\"");
    const auto done = public_request(daemon, "POST", page_path + "/shop",
                                     "_mark=" + mark + "&api_key=" + kSecret, {{"cookie", cookie}});
    CHECK(done.status == 303);
    CHECK(daemon.must("GET", shop.connection())["status"] == "connected");
    CHECK(daemon.must("GET", shop.connection())["history"][0]["by"] ==
          "auth link of tenant " + std::to_string(shop.made.tenant));
    CHECK_THAT(public_request(daemon, "GET", page_path).body, Contains("Connected"));

    SECTION("it stays the same over a disconnect and a restart") {
        daemon.must("PATCH", shop.tenant + "/connectors/shop/disconnect");
        daemon.stop(SIGTERM);
        daemon.start();
        CHECK(daemon.must("GET", shop.tenant + "/auth-link")["url"] == url);
        CHECK_THAT(public_request(daemon, "GET", page_path).body, Contains("Not connected"));
    }
    SECTION("a revoked one looks like one that never was") {
        daemon.request("DELETE", shop.tenant + "/auth-link");
        const auto revoked = public_request(daemon, "GET", page_path);
        CHECK(revoked.status == 404);
        CHECK(revoked.body == public_request(daemon, "GET", "/connect/never").body);
        const std::string other = daemon.must("POST", shop.tenant + "/auth-link")["url"];
        CHECK(other != url);
        CHECK(public_request(daemon, "GET", page_path).status == 404);
    }
    SECTION("nothing of the API is reached beside it, and nothing secret is told") {
        CHECK(public_request(daemon, "GET", "/v2/tenants").status == 404);
        const auto again = public_request(daemon, "GET", page_path);
        CHECK(again.body.find(kSecret) == std::string::npos);
        CHECK(daemon.log().find(kSecret) == std::string::npos);
        CHECK(daemon.log().find(page_path.substr(9)) == std::string::npos);
    }
}
