// OAuth2 from the customer's browser to the run's environment, with the real daemons and a
// real OAuth2 server: consent, renewal, outage, refusal.
#include <catch2/catch.hpp>
#include <iostream>
#include <set>

#include "base/clock.h"
#include "base/text.h"
#include "store/db_sqlite.h"
#include "tests/oauth/provider.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

constexpr const char* kKind =
    "name: test-oauth\ntitle: Test\ndocumentation: https://example.com\nauth: oauth2_code\n"
    "fields: []\n"
    "provisioning:\n"
    "  - {name: base_url, label: Address, secret: false, pattern: 'https?://[^\\s]+'}\n"
    "oauth2:\n"
    "  authorize_url: \"{base_url}/auth\"\n"
    "  token_url: \"{base_url}/token\"\n"
    "  revoke_url: \"{base_url}/token/revocation\"\n"
    "  scopes: [openid, offline_access]\n"
    "  authorize_parameters: {prompt: consent}\n"
    "request: {header: Authorization, value: \"Bearer {access_token}\"}\n";

// The run says how long its token is, and its first characters' checksum: never the token.
constexpr const char* kScript =
    "printf '%s' \"$PAN_SEC_PARTNER_ACCESS_TOKEN\" | sha256sum | cut -c1-16";

struct World {
    Provider provider;
    TempDir kinds{"kinds"};
    std::optional<Daemon> daemon;
    std::int64_t integration = 0;
    std::vector<std::int64_t> tenants;

    explicit World(std::size_t count, bool global = false) {
        write_file_atomically(kinds.path() / "test-oauth.yaml", kKind, 0644);
        // berthd reads it as its own user.
        std::filesystem::permissions(kinds.path(), std::filesystem::perms{0755});
        daemon.emplace(
            fmt::format("public_url = {}\nconnector_kinds = {}\n"
                        "egress_allow = 127.0.0.1:{}\negress_ports = 80, {}\n",
                        kPublicUrl, kinds.path().string(), provider.port(), provider.port()));
        const auto made = daemon->install("shop", {{"PANDIUM.yaml", manifest(kScript)}},
                                          {{"wall_time_seconds", 60}});
        integration = made.integration;
        daemon->must("POST", "/v2/connectors", {{"name", "partner"}, {"kind", "test-oauth"}});
        const auto of = fmt::format("/v2/integrations/{}/connectors/partner", integration);
        daemon->must("PUT", of, {{"isGlobal", global}});
        daemon->must("PUT", of + "/provisioning",
                     {{"fields",
                       {{"client_id", "berth"},
                        {"client_secret", "a-client-secret-of-the-test"},
                        {"base_url", provider.url("")}}}});
        tenants.push_back(made.tenant);
        for (std::size_t i = 1; i < count; ++i)
            tenants.push_back(daemon->must(
                "POST", "/v2/tenants",
                {{"name", "tenant-" + std::to_string(i)}, {"integration_id", integration}})["id"]);
    }

    std::filesystem::path public_socket() const { return daemon->root() / "run" / "public.sock"; }
    std::string invite(std::int64_t tenant) {
        const auto path = fmt::format("/v2/tenants/{}/connectors/partner/authorize", tenant);
        return daemon->must("POST", path)["url"];
    }
    void consent(const std::vector<std::int64_t>& whose) {
        std::vector<std::string> urls;
        for (const auto tenant : whose)
            urls.push_back(invite(tenant));
        for (const json& page : browse(public_socket(), urls)) {
            INFO(page.dump(2));
            REQUIRE(page["status"] == 200);
            REQUIRE_THAT(page["body"].get<std::string>(), Contains("is connected"));
        }
    }
    json connection(std::int64_t tenant) {
        return daemon->must("GET", fmt::format("/v2/tenants/{}/connectors", tenant))[0];
    }
    // All at once; how each ended.
    std::vector<json> run_all() {
        std::vector<std::string> triggers;
        for (const auto tenant : tenants)
            triggers.push_back(daemon->sync(tenant));
        std::vector<json> runs;
        for (const std::string& trigger : triggers)
            runs.push_back(daemon->wait_run(trigger));
        return runs;
    }
    // As if this much time had gone by for the tokens.
    void pass(std::chrono::seconds time) {
        daemon->stop(SIGTERM);
        {
            const auto db = SqliteDb::open(daemon->state_dir() / "store" / "berth.db",
                                           SqliteDb::Access::read_write);
            REQUIRE(db);
            Tx tx{**db, Tx::Mode::write};
            (*db)->exec("update oauth_tokens set granted = granted - $1, expires = expires - $1",
                        {std::chrono::microseconds{time}.count()});
            tx.commit();
        }
        daemon->start();
    }
};

std::size_t refreshes() {
    const char* wanted = std::getenv("BERTH_REFRESHES");
    return wanted ? std::strtoul(wanted, nullptr, 10) : 60;
}

// Why there is none; the build of CI demands it.
bool has_provider() {
    const bool there = !npm_modules().empty() && std::system("node --version >/dev/null") == 0;
    const char* required = std::getenv("BERTH_REQUIRE_NPM");
    if (!there && required != nullptr && std::string{required} == "1")
        FAIL("npm's oidc-provider is not there; './dev npm' fetches it");
    if (!there) std::cout << "skipped: no oidc-provider; './dev npm' fetches it\n";
    return there;
}

#define NEEDS_PROVIDER()   \
    BERTH_NEEDS_SANDBOX(); \
    if (!has_provider()) return

}  // namespace

TEST_CASE("a customer's consent becomes a token that his runs get", "[oauth]") {
    NEEDS_PROVIDER();
    World world{1};
    CHECK(world.connection(world.tenants[0])["status"] == "disconnected");
    world.consent(world.tenants);
    const json connected = world.connection(world.tenants[0]);
    INFO(connected.dump(2));
    CHECK(connected["status"] == "connected");
    const json run = world.run_all()[0];
    INFO(world.daemon->run_log(run["id"]));
    CHECK(run["state"] == "succeeded");
    CHECK(run["std_out"] != "e3b0c44298fc1c14");  // the sum of nothing
    CHECK(world.provider.command("count")["granted"] == 1);
    CHECK(world.provider.command("count")["refreshed"] == 0);
}

TEST_CASE("only the browser that began it, once, in time, gets a connection", "[oauth]") {
    NEEDS_PROVIDER();
    World world{1};
    const auto socket = world.public_socket();
    const std::string invitation = world.invite(world.tenants[0]);
    // Another browser: our cookie is not there.
    const json other = browse(socket, {"--no-cookies", invitation})[0];
    CHECK(other["status"] == 400);
    CHECK_THAT(other["body"].get<std::string>(), Contains("begun in another browser"));
    // The invitation was used by that.
    CHECK(browse(socket, {invitation})[0]["status"] == 404);
    // A code that somebody else obtained, under a state that we never gave out.
    const json stopped = browse(socket, {"--stop", world.invite(world.tenants[0])})[0];
    const std::string url = stopped["url"];
    REQUIRE_THAT(url, Contains("code=") && Contains("state="));
    CHECK(browse(socket, {url})[0]["status"] == 400);  // without the cookie
    CHECK(browse(socket, {std::string{kPublicUrl} +
                          "/v0/author/callback/oauth2?code=x&state=y"})[0]["status"] == 400);
    CHECK(world.connection(world.tenants[0])["status"] == "disconnected");
    CHECK(world.provider.command("count")["granted"] == 0);
}

TEST_CASE("what is renewed is renewed once, however many runs wait for it", "[oauth]") {
    NEEDS_PROVIDER();
    World world{20};
    world.consent(world.tenants);
    std::set<std::string> tokens;
    std::size_t renewed = 0, ran = 0;
    const auto began = SystemClock{}.steady();
    for (std::size_t round = 0; renewed < refreshes(); ++round) {
        world.pass(3600s);
        // The provider dies below them, and is there again.
        if (round == 1) world.provider.kill();
        std::vector<std::string> triggers;
        for (const auto tenant : world.tenants)
            triggers.push_back(world.daemon->sync(tenant));
        if (round == 1) world.provider.start();
        for (const std::string& trigger : triggers) {
            const json run = world.daemon->wait_run(trigger);
            INFO(run.dump(2));
            REQUIRE(run["state"] == "succeeded");
            CHECK(tokens.insert(run["std_out"]).second);  // nobody else's, and a new one
            ++ran;
        }
        renewed += world.tenants.size();
        // Every run of this round found its token fresh now.
        if (round == 0)
            for (const json& run : world.run_all()) {
                CHECK(run["state"] == "succeeded");
                CHECK_FALSE(tokens.insert(run["std_out"]).second);
            }
        // Counted since its start: it was started again in round 1.
        if (round == 0 || round == 1)
            CHECK(world.provider.command("count")["refreshed"] == world.tenants.size());
        else
            CHECK(world.provider.command("count")["refreshed"] == world.tenants.size() * round);
    }
    const auto seconds = std::chrono::duration<double>(SystemClock{}.steady() - began).count();
    std::cout << renewed << " renewals for " << ran << " runs, 20 in flight, 0 failed, in "
              << seconds << " s\n";
}

TEST_CASE("a global token is renewed once for all tenants", "[oauth]") {
    NEEDS_PROVIDER();
    World world{20, true};
    const auto path =
        fmt::format("/v2/integrations/{}/connectors/partner/authorize", world.integration);
    const json page = browse(world.public_socket(), {world.daemon->must("POST", path)["url"]})[0];
    REQUIRE(page["status"] == 200);
    world.pass(3600s);
    std::set<std::string> tokens;
    for (const json& run : world.run_all()) {
        INFO(run.dump(2));
        CHECK(run["state"] == "succeeded");
        tokens.insert(run["std_out"]);
    }
    CHECK(tokens.size() == 1);
    CHECK(world.provider.command("count")["refreshed"] == 1);
}

TEST_CASE("a consent that was taken back fails the run until somebody reconnects", "[oauth]") {
    NEEDS_PROVIDER();
    World world{1};
    world.consent(world.tenants);
    world.pass(3600s);
    world.provider.command("revoke");
    const json run = world.run_all()[0];
    INFO(run.dump(2));
    CHECK(run["state"] == "failed_refresh");
    CHECK_THAT(run["reason"].get<std::string>(),
               Contains("invalid_grant") && Contains("reconnect"));
    const json broken = world.connection(world.tenants[0]);
    CHECK(broken["status"] == "failed_refresh");
    CHECK_THAT(broken["reason"].get<std::string>(), Contains("invalid_grant"));
    // Nobody asks again what was refused for good.
    const int asked = world.provider.command("count")["asked"];
    CHECK(world.run_all()[0]["state"] == "failed_refresh");
    CHECK(world.provider.command("count")["asked"] == asked);
    world.consent(world.tenants);
    CHECK(world.connection(world.tenants[0])["status"] == "connected");
    CHECK(world.run_all()[0]["state"] == "succeeded");
}

TEST_CASE("a provider that is out for a while fails no run", "[oauth]") {
    NEEDS_PROVIDER();
    World world{3};
    world.consent(world.tenants);
    world.pass(3600s);
    world.provider.command("refuse on");
    std::vector<std::string> triggers;
    for (const auto tenant : world.tenants)
        triggers.push_back(world.daemon->sync(tenant));
    // Each was answered 503 at least once before the provider comes to itself.
    REQUIRE(eventually([&] { return world.provider.command("count")["asked"] >= 6; }));
    world.provider.command("refuse off");
    for (const std::string& trigger : triggers) {
        const json run = world.daemon->wait_run(trigger);
        INFO(run.dump(2));
        CHECK(run["state"] == "succeeded");
    }
    CHECK(world.provider.command("count")["refreshed"] == 3);
}
