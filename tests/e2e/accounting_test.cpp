// What a run took is on its record, whatever the host counts with.
#include <catch2/catch.hpp>

#include "base/clock.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;

TEST_CASE("a run's record tells what it took and where its time went", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const std::string settings = GENERATE("", "cgroups = none\n");
    INFO("settings: " << settings);
    Daemon daemon{settings};
    // Some processor time, some memory that is held, ten bytes of output, a wait.
    const auto made = daemon.install(
        "counted", {{"PANDIUM.yaml", manifest("i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done;"
                                              " x=$(head -c 20000000 /dev/zero | tr '\\0' x);"
                                              " sleep 0.3; echo 123456789; exit 0")}});
    const json run = daemon.run(made.tenant);
    INFO(run.dump(1));
    REQUIRE(run["state"] == "succeeded");
    const json& usage = run["usage"];
    CHECK(usage["user_ms"].get<int>() + usage["system_ms"].get<int>() >= 30);
    CHECK(usage["max_rss_bytes"] > 15'000'000);
    CHECK(usage["log_bytes"] == 10);
    CHECK(usage["sent_bytes"] == 0);
    CHECK(usage["received_bytes"] == 0);
    for (const char* field : {"memory_peak_bytes", "io_read_bytes", "io_write_bytes"})
        CHECK(usage[field].is_number_unsigned());
    // Of all processes together, where a cgroup counts them; else it says that it does not know.
    const bool counted = usage["memory_peak_bytes"] > 0;
    if (counted) CHECK(usage["memory_peak_bytes"] > 15'000'000);
    if (!settings.empty()) CHECK_FALSE(counted);

    const json& times = run["times"];
    std::int64_t sum = 0;
    for (const char* state : {"queued_ms", "preparing_ms", "starting_ms", "running_ms"}) {
        CHECK(times[state] >= 0);
        sum += times[state].get<std::int64_t>();
    }
    CHECK(times["running_ms"] >= 300);
    // The states follow each other without a gap: together they are the run's whole life.
    const json events =
        daemon.must("GET", fmt::format("/v2/runs/{}/events", run["id"].get<std::int64_t>()));
    const auto at = [&](const json& event) {
        return berth::to_micros(berth::parse_rfc3339(event["date"].get<std::string>()).value());
    };
    const auto life = (at(events.back()) - at(events.front())) / 1000;
    CHECK(sum <= life + 1);
    CHECK(sum >= life - 5);  // each is cut to whole milliseconds
}

TEST_CASE("a cancelled run says that no process of it is left, and what it took until then",
          "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made =
        daemon.install("stopped", {{"PANDIUM.yaml", manifest("sleep 100 & echo up >&2; wait")}});
    const std::string trigger = daemon.sync(made.tenant);
    std::int64_t id = 0;
    REQUIRE(eventually([&] {
        const json runs = daemon.must("GET", fmt::format("/v2/tenants/{}/runs", made.tenant));
        if (runs.empty() || runs[0]["state"] != "running") return false;
        id = runs[0]["id"];
        return true;
    }));
    daemon.must("POST", fmt::format("/v2/runs/{}/cancel", id));
    const json run = daemon.wait_run(trigger);
    INFO(run.dump(1));
    CHECK(run["state"] == "cancelled");
    CHECK(run["tree_empty"] == true);
    CHECK(run["usage"]["max_rss_bytes"].is_number_unsigned());
    CHECK(run["times"]["running_ms"] >= 0);
    CHECK(daemon.nothing_sandboxed());
}
