// OAuth2 from the customer's browser to the run's environment, with the real daemons and a
// real OAuth2 server: consent, renewal, outage, refusal.
#include <cstdlib>
#include <iostream>
#include <set>

#include "base/clock.h"
#include "tests/oauth/world.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

// BERTH_REFRESHES: 1000 take a quarter of an hour with the sanitizers.
std::size_t refreshes() {
    const char* wanted = std::getenv("BERTH_REFRESHES");
    return wanted ? std::strtoul(wanted, nullptr, 10) : 70;
}

}  // namespace

TEST_CASE("a customer's consent becomes a token that his runs get", "[oauth]") {
    NEEDS_PROVIDER();
    World world{{}};
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
    World world{{}};
    const auto socket = world.public_socket();
    const std::string invitation = world.invite(world.tenants[0]);
    // Another browser: our cookie is not there.
    const json other = browse(socket, {"--no-cookies", invitation})[0];
    CHECK(other["status"] == 400);
    CHECK_THAT(other["body"].get<std::string>(), Contains("begun in another browser"));
    // The invitation was used by that; by a look, such as a chat program's, it is not.
    CHECK(browse(socket, {invitation})[0]["status"] == 404);
    const std::string fresh = world.invite(world.tenants[0]);
    for (int i = 0; i < 3; ++i) {
        const json seen = browse(socket, {"--look", fresh})[0];
        CHECK(seen["status"] == 200);
        CHECK_THAT(seen["body"].get<std::string>(), Contains("Connect Test"));
    }
    CHECK(browse(socket, {"--stop", fresh})[0]["status"] == 0);  // it leads to the provider
    CHECK(browse(socket, {"--look", fresh})[0]["status"] == 404);
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

// Twenty runs at once, again and again, each round with another misfortune.
TEST_CASE("what is renewed is renewed once, however many runs wait for it", "[oauth]") {
    NEEDS_PROVIDER();
    constexpr std::size_t kRuns = 20;
    World world{{.tenants = kRuns, .settings = "max_runs = 20\nslots = 48\n"}};
    world.consent(world.tenants);
    std::set<std::string> tokens;
    std::size_t renewed = 0, ran = 0, revoked = 0, killed = 0, set_back = 0;
    std::int64_t before = 0;  // renewals that the provider has counted since its start
    const auto began = SystemClock{}.steady();
    for (std::size_t round = 0; renewed < refreshes(); ++round) {
        const std::size_t misfortune = round % 5;
        // The clock was a day ahead when the tokens were granted, and was set right since.
        world.pass(misfortune == 2 ? -24h : 3600s);
        set_back += misfortune == 2;
        if (misfortune == 1) world.provider.kill();
        const std::size_t taken = misfortune == 3 ? 2 : 0;
        if (taken > 0) world.provider.command("revoke 2");
        const auto triggers = world.sync_all();
        if (misfortune == 1) {
            world.provider.start();
            before = 0;
            ++killed;
        }
        // berthd dies with what it has begun; once, since it costs the end of its claims.
        if (round == 4) world.daemon->kill_daemon("berthd");
        std::vector<std::int64_t> refused;
        for (std::size_t i = 0; i < triggers.size(); ++i) {
            const json run = world.daemon->wait_run(triggers[i]);
            INFO("round " << round << "\n" << run.dump(2));
            if (run["state"] == "failed_refresh") {
                CHECK_THAT(run["reason"].get<std::string>(), Contains("invalid_grant"));
                refused.push_back(world.tenants[i]);
                continue;
            }
            REQUIRE(run["state"] == "succeeded");
            CHECK(tokens.insert(run["std_out"]).second);  // nobody else's, and a new one
            ++ran;
        }
        CHECK(refused.size() == taken);
        revoked += taken;
        renewed += kRuns - taken;
        const std::int64_t counted = world.provider.command("count")["refreshed"];
        CHECK(counted - before == static_cast<std::int64_t>(kRuns - taken));
        before = counted;
        if (!refused.empty()) world.consent(refused);
        // Every run of this round found its token fresh now.
        if (round == 0)
            for (const json& run : world.run_all()) {
                CHECK(run["state"] == "succeeded");
                CHECK_FALSE(tokens.insert(run["std_out"]).second);
            }
    }
    const auto seconds = std::chrono::duration<double>(SystemClock{}.steady() - began).count();
    std::cout << fmt::format(
        "{} renewals for {} runs, {} in flight, in {:.0f} s: the provider killed {} times, the "
        "clock set back {} times, {} consents taken back and refused, 0 other failures\n",
        renewed, ran, kRuns, seconds, killed, set_back, revoked);
}

TEST_CASE("a global token is renewed once for all tenants", "[oauth]") {
    NEEDS_PROVIDER();
    World world{{.tenants = 20, .global = true}};
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
    World world{{}};
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
    World world{{.tenants = 3}};
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
