// What befalls a connection by OAuth2, with the real daemons and a real OAuth2 server: deaths
// between an answer and its commit, ends, disguised answers, clients without a customer.
#include <signal.h>

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "tests/oauth/world.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

// The programs of berth-oauth that live in sandboxes now.
std::vector<pid_t> exchanges(const Daemon& daemon) {
    std::vector<pid_t> found;
    for (const pid_t pid : daemon.sandboxed_processes()) {
        std::error_code gone;
        const auto program =
            std::filesystem::read_symlink(fmt::format("/proc/{}/exe", pid), gone).filename();
        if (!gone && program == "berth-oauth") found.push_back(pid);
    }
    return found;
}

void kill_exchange(const Daemon& daemon) {
    std::vector<pid_t> found;
    REQUIRE(eventually([&] { return !(found = exchanges(daemon)).empty(); }));
    for (const pid_t pid : found)
        ::kill(pid, SIGKILL);
}

// One tenant whose token has run out, and whose run waits for the provider's answer.
struct Waiting : World {
    explicit Waiting(const char* held) : World{{}} {
        consent(tenants);
        pass(3600s);
        provider.command(std::string{"hold "} + held);
        trigger = daemon->sync(tenants[0]);
        wait_held(1);
    }
    json end() {
        provider.command("hold off");
        return daemon->wait_run(trigger);
    }
    std::string trigger;
};

}  // namespace

TEST_CASE("a token that was rotated while berthd died is with the next one", "[oauth]") {
    NEEDS_PROVIDER();
    Waiting world{"answered"};
    world.daemon->kill_daemon("berthd");
    const json run = world.end();
    INFO(run.dump(2));
    CHECK(run["state"] == "succeeded");
    CHECK(world.provider.command("count")["refreshed"] == 1);  // nobody asked again
    CHECK(world.jobs("refresh").size() == 1);
    CHECK(world.jobs("refresh")[0]["state"] == "succeeded");
    CHECK(world.connection(world.tenants[0])["status"] == "connected");
    // And it is the one that renews: the one before was used up.
    world.pass(3600s);
    CHECK(world.run_all()[0]["state"] == "succeeded");
}

TEST_CASE("an exchange that dies before the provider has answered is made again", "[oauth]") {
    NEEDS_PROVIDER();
    Waiting world{"asked"};
    SECTION("berth-oauth") { kill_exchange(*world.daemon); }
    SECTION("berth-runner") { world.daemon->kill_daemon("berth-runner"); }
    // Else it would be asked twice for the same token.
    REQUIRE(eventually([&] { return world.provider.command("count")["gone"] >= 1; }));
    const json run = world.end();
    INFO(run.dump(2));
    CHECK(run["state"] == "succeeded");
    CHECK(world.provider.command("count")["refreshed"] == 1);
    CHECK(world.connection(world.tenants[0])["status"] == "connected");
}

TEST_CASE("an answer that died with its reader costs the consent, and that is said", "[oauth]") {
    NEEDS_PROVIDER();
    Waiting world{"answered"};
    SECTION("berth-oauth") { kill_exchange(*world.daemon); }
    SECTION("berth-runner") { world.daemon->kill_daemon("berth-runner"); }
    REQUIRE(eventually([&] { return world.provider.command("count")["gone"] >= 1; }));
    const json run = world.end();
    INFO(run.dump(2));
    CHECK(run["state"] == "failed_refresh");
    CHECK_THAT(run["reason"].get<std::string>(),
               Contains("invalid_grant") && Contains("reconnect"));
    CHECK(world.connection(world.tenants[0])["status"] == "failed_refresh");
    world.consent(world.tenants);
    CHECK(world.run_all()[0]["state"] == "succeeded");
}

TEST_CASE("their outage and our fault end a run by their own names when they last", "[oauth]") {
    NEEDS_PROVIDER();
    World world{{.wall_time = 5}};  // as long as a run is patient
    world.consent(world.tenants);
    world.pass(3600s);
    world.provider.command("refuse on");
    const json theirs = world.run_all()[0];
    INFO(theirs.dump(2));
    CHECK(theirs["state"] == "failed_refresh");
    CHECK_THAT(theirs["reason"].get<std::string>(),
               Contains("503") && Contains("asked again later"));
    CHECK(world.connection(world.tenants[0])["status"] == "connected");

    const std::string outage = world.daemon->request("GET", "/metrics").body;
    CHECK_THAT(outage, Contains("\nberth_token_renewals_total{outcome=\"outage\"} ") &&
                           !Contains("\nberth_token_renewals_total{outcome=\"outage\"} 0\n"));

    world.provider.command("refuse off");
    // He is left alone for longer after each outage, in the end for longer than a run is patient.
    world.change([](Db& db) { db.exec("update oauth_tokens set next_try = null"); });
    world.provider.command("hold asked");
    const std::string trigger = world.daemon->sync(world.tenants[0]);
    json ours;
    REQUIRE(eventually([&] {
        for (const pid_t pid : exchanges(*world.daemon))
            ::kill(pid, SIGKILL);
        const auto status =
            world.daemon->request("GET", "/v2/runs/triggers/" + trigger + "/status");
        if (status.status == 404) return false;
        ours = world.daemon->must(
            "GET",
            fmt::format("/v2/runs/{}", json::parse(status.body)["run_id"].get<std::int64_t>()));
        return !ours["completed_date"].is_null();
    }));
    INFO(ours.dump(2));
    CHECK(ours["state"] == "failed_platform");
    CHECK_THAT(ours["reason"].get<std::string>(), Contains("signal 9"));
    CHECK(world.connection(world.tenants[0])["status"] == "connected");
    // Nothing is lost by either.
    world.provider.command("hold off");
    CHECK(world.run_all()[0]["state"] == "succeeded");
    const std::string metrics = world.daemon->request("GET", "/metrics").body;
    CHECK_THAT(metrics, Contains("\nberth_token_renewals_total{outcome=\"renewed\"} 1\n"));
    CHECK_THAT(metrics, !Contains("\nberth_token_renewals_total{outcome=\"ours\"} 0\n"));
    CHECK_THAT(metrics, Contains("\nberth_token_renewals_total{outcome=\"refused\"} 0\n") &&
                            Contains("\nberth_jobs_total{purpose=\"revoke\",state=\"lost\"} 0\n"));
}

TEST_CASE("who disconnects takes his tokens back at the provider, as far as it hears", "[oauth]") {
    NEEDS_PROVIDER();
    World world{{.tenants = 2}};
    world.consent(world.tenants);
    CHECK(world.provider.command("count")["tokens"] == 2);
    world.daemon->must("PATCH", world.of(world.tenants[0], "disconnect"));
    CHECK(world.connection(world.tenants[0])["status"] == "disconnected");
    REQUIRE(eventually([&] { return world.provider.command("count")["tokens"] == 1; }));
    REQUIRE(eventually([&] {
        const json jobs = world.jobs("revoke");
        return jobs.size() == 1 && jobs[0]["state"] == "succeeded";
    }));
    // A provider that is out keeps nobody from disconnecting.
    world.provider.command("refuse on");
    world.daemon->must("PATCH", world.of(world.tenants[1], "disconnect"));
    CHECK(world.connection(world.tenants[1])["status"] == "disconnected");
    REQUIRE(eventually([&] {
        const json jobs = world.jobs("revoke");
        return jobs.size() == 2 && jobs[0]["state"] != "running";
    }));
    REQUIRE(
        eventually([&] { return Contains("cannot revoke a token").match(world.daemon->log()); }));
    CHECK(world.provider.command("count")["tokens"] == 1);
    // Nothing of them is left here: a run has no token.
    CHECK(world.daemon->must("GET", world.of(world.tenants[1], "connection"))["secrets"].empty());
}

TEST_CASE("a token that nobody asks for is renewed before it dies of it", "[oauth]") {
    NEEDS_PROVIDER();
    World world{{}};
    world.consent(world.tenants);
    world.change([](Db& db) { db.exec("update oauth_tokens set keep_alive = 1"); });
    REQUIRE(eventually([&] { return world.provider.command("count")["refreshed"] == 1; }));
    REQUIRE(eventually([&] {
        const json jobs = world.jobs("refresh");
        return jobs.size() == 1 && jobs[0]["state"] == "succeeded";
    }));
    CHECK(world.daemon->must("GET", fmt::format("/v2/tenants/{}/runs", world.tenants[0])).empty());
}

TEST_CASE("the page says what came back, and takes no answer of anybody else", "[oauth]") {
    NEEDS_PROVIDER();
    World world{{}};
    const auto socket = world.public_socket();
    const auto page = [&](std::vector<std::string> options) {
        options.push_back(world.invite(world.tenants[0]));
        const json said = browse(socket, options)[0];
        INFO(said.dump(2));
        CHECK(world.connection(world.tenants[0])["status"] != "connected");
        CHECK(said["status"] == 400);
        return said;
    };
    const auto text = [](const json& said) { return said["body"].get<std::string>(); };
    const json denied = page({"--deny"});
    CHECK_THAT(text(denied), Contains("the provider refused: &#39;access_denied&#39;"));
    // It runs nothing, is kept nowhere, and tells nobody where it was.
    CHECK_THAT(denied["headers"]["content-security-policy"].get<std::string>(),
               Contains("default-src 'none'") && Contains("frame-ancestors 'none'"));
    CHECK(denied["headers"]["cache-control"] == "no-store");
    CHECK(denied["headers"]["referrer-policy"] == "no-referrer");

    const std::string other = "https://other.example";
    CHECK_THAT(text(page({"--put=iss=" + other})),
               Contains("does not come from &#39;" + world.provider.url("")) && Contains(other));
    CHECK_THAT(text(page({"--put=iss="})), Contains("its &#39;iss&#39; is &#39;&#39;"));
    CHECK_THAT(text(page({"--put=state=" + std::string(43, 'x')})),
               Contains("begun in another browser; begin again"));
    CHECK_THAT(text(page({"--put=state="})), Contains("has no &#39;state&#39;"));
    CHECK_THAT(text(page({"--put=code="})), Contains("has no &#39;code&#39;"));
    CHECK_THAT(text(page({"--put=code=<script>alert(1)</script>"})),
               Contains("invalid_grant") && !Contains("<script"));
    // Whatever the provider says is text.
    CHECK_THAT(text(page({"--put=error=<b>no", "--put=error_description=<i>why</i>"})),
               Contains("&lt;b&gt;no") && Contains("&lt;i&gt;why") && !Contains("<i>"));
    CHECK(world.provider.command("count")["granted"] == 0);

    // The way was too long: the attempt has ended. An invitation, likewise.
    const std::string late = world.invite(world.tenants[0]);
    world.change([](Db& db) { db.exec("update oauth_attempts set expires = 1"); });
    const json ended = browse(socket, {late})[0];
    CHECK(ended["status"] == 404);
    CHECK_THAT(text(ended), Contains("has taken more than 10 minutes"));
    world.consent(world.tenants);
}

TEST_CASE("a client with credentials of its own is connected without anybody", "[oauth]") {
    NEEDS_PROVIDER();
    World world{{.tenants = 2, .kind = "test-machine"}};
    const json connected = world.daemon->must("POST", world.of(world.tenants[0], "authorize"));
    INFO(connected.dump(2));
    CHECK(world.connection(world.tenants[0])["status"] == "connected");
    const json first = world.daemon->run(world.tenants[0]);
    CHECK(first["state"] == "succeeded");
    CHECK(world.provider.command("count")["granted"] == 1);
    world.pass(3600s);
    const json second = world.daemon->run(world.tenants[0]);
    CHECK(second["state"] == "succeeded");
    CHECK(second["std_out"] != first["std_out"]);
    CHECK(world.provider.command("count")["granted"] == 2);

    // The client's secret is wrong: told to who connects, and to the run.
    const auto used = fmt::format("/v2/integrations/{}/connectors/partner", world.integration);
    world.daemon->must("PUT", used + "/provisioning",
                       {{"fields", {{"client_secret", "another-secret-of-the-machine"}}}});
    const auto refused = world.daemon->request("POST", world.of(world.tenants[1], "authorize"));
    CHECK(refused.status >= 400);
    CHECK_THAT(refused.body, Contains("invalid_client"));
    world.pass(3600s);
    const json run = world.daemon->run(world.tenants[0]);
    INFO(run.dump(2));
    CHECK(run["state"] == "failed_refresh");
    CHECK_THAT(run["reason"].get<std::string>(),
               Contains("invalid_client") && Contains("check the client"));
    CHECK(world.connection(world.tenants[0])["status"] == "connected");
}
