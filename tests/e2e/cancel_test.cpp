// A cancel that was answered holds, whatever dies right after it.
#include <fmt/format.h>
#include <signal.h>

#include <catch2/catch.hpp>

#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;

namespace {

struct Sleeper {
    std::string trigger;
    std::int64_t run = 0;
};

Sleeper start_sleeper(Daemon& daemon, std::int64_t tenant) {
    Sleeper sleeper{daemon.sync(tenant)};
    REQUIRE(eventually([&] {
        const auto answer =
            daemon.request("GET", "/v2/runs/triggers/" + sleeper.trigger + "/status");
        if (answer.status != 200) return false;
        const json status = json::parse(answer.body);
        sleeper.run = status["run_id"];
        return status["state"] == "running";
    }));
    return sleeper;
}

}  // namespace

TEST_CASE("a cancel that was answered is not forgotten when both daemons are killed", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon{"pool_size = 0\n"};
    // Were the cancel forgotten, the lost run would be begun again.
    const auto made =
        daemon.install("wanted", {{"PANDIUM.yaml", manifest("sleep 600")}}, {{"on_lost", "retry"}});
    const Sleeper sleeper = start_sleeper(daemon, made.tenant);
    // The runner hears nothing of it: only what berthd has written can tell.
    const pid_t runner = daemon.pid_of("berth-runner");
    REQUIRE(::kill(runner, SIGSTOP) == 0);
    daemon.must("POST", fmt::format("/v2/runs/{}/cancel", sleeper.run));
    daemon.kill_daemon("berthd");
    REQUIRE(::kill(runner, SIGKILL) == 0);
    daemon.wait_ready();

    const json run = daemon.wait_run(sleeper.trigger);
    INFO(run.dump() << "\n" << daemon.log());
    CHECK(run["state"] == "cancelled");
    CHECK(run["attempt"] == 1);
    CHECK(daemon.nothing_sandboxed());
    CHECK(daemon.request("POST", fmt::format("/v2/runs/{}/cancel", sleeper.run)).status == 409);
}

TEST_CASE("without a cancel the same loss begins the run again", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon{"pool_size = 0\n"};
    const auto made = daemon.install(
        "lost", {{"PANDIUM.yaml", manifest("test $PAN_CTX_RUN_ATTEMPT = 2 || sleep 600; echo ok")}},
        {{"on_lost", "retry"}});
    const Sleeper sleeper = start_sleeper(daemon, made.tenant);
    daemon.stop(SIGKILL);
    CHECK(daemon.nothing_sandboxed());
    daemon.start();
    const json run = daemon.wait_run(sleeper.trigger);
    CHECK(run["state"] == "succeeded");
    CHECK(run["attempt"] == 2);
}

TEST_CASE("a run that is cancelled while berthd is killed again and again ends cancelled",
          "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon{"pool_size = 0\n"};
    const auto made = daemon.install(
        "stubborn", {{"PANDIUM.yaml", manifest("trap '' TERM; while :; do sleep 1; done")}});
    const Sleeper sleeper = start_sleeper(daemon, made.tenant);
    daemon.must("POST", fmt::format("/v2/runs/{}/cancel", sleeper.run));
    for (int times = 0; times < 3; ++times) {
        daemon.kill_daemon("berthd");
        daemon.wait_ready();
    }
    const json run = daemon.wait_run(sleeper.trigger);
    INFO(run.dump());
    CHECK(run["state"] == "cancelled");
    CHECK(daemon.nothing_sandboxed());
}
