// Schedules as their users meet them: set, seen, paused, through a downtime, with the
// real daemons and by the command line. Intervals of a second or two stand in for hours.
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "base/clock.h"
#include "base/text.h"
#include "store/db_sqlite.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

// Each second, so that nothing has to be waited for long.
constexpr auto kSettings = "max_runs = 4\nslots = 8\nallow_seconds = yes\n";

struct World {
    Daemon daemon{kSettings};
    Daemon::Installed made =
        daemon.install("timed", {{"PANDIUM.yaml", manifest("echo $PAN_CTX_RUN_TRIGGERS")}});
    const std::string tenant = fmt::format("/v2/tenants/{}", made.tenant);
    const std::string integration = fmt::format("/v2/integrations/{}", made.integration);

    World() { daemon.must("PATCH", tenant, {{"paused", false}}); }
    json set(const json& schedule) { return daemon.must("PUT", tenant + "/schedule", schedule); }
    json schedule() { return daemon.must("GET", tenant + "/schedule"); }
    json history(std::int64_t limit = 500) {
        return daemon.must("GET", fmt::format("{}/schedule/history?limit={}", tenant, limit));
    }
    json runs() { return daemon.must("GET", tenant + "/runs?limit=500"); }
    // How many slots of the ledger have this outcome and reason.
    std::size_t slots(const std::string& outcome, const json& reason = nullptr) {
        std::size_t found = 0;
        for (const json& slot : history())
            if (slot["outcome"] == outcome && slot["reason"] == reason) ++found;
        return found;
    }
    bool come(const std::string& outcome, std::size_t many, const json& reason = nullptr) {
        return eventually([&] { return slots(outcome, reason) >= many; });
    }
    void pause(const std::string& what, bool paused) {
        daemon.must("PATCH", what, {{"paused", paused}});
    }
    // Turns it off, and waits until all that has fired has ended.
    void quiet() {
        set({{"text", ""}});
        REQUIRE(eventually([&] {
            const json view = daemon.must("GET", tenant);
            return view["status"]["waiting_triggers"] == 0 && view["status"]["current_run"].empty();
        }));
    }
};

berth::Time time_of(const json& text) {
    const auto time = berth::parse_rfc3339(text.get<std::string>());
    REQUIRE(time);
    return *time;
}

}  // namespace

TEST_CASE("a schedule that is set fires on its grid, each instant once, with its run", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    World w;
    CHECK(w.schedule()["enabled"] == false);
    const json set = w.set({{"text", "@every 2s"}});
    CHECK(set["enabled"] == true);
    CHECK(set["source"] == "tenant");
    CHECK(set["text"] == "@every 2s");
    REQUIRE(w.come("fired", 4));
    w.quiet();

    const json history = w.history();
    std::set<std::string> triggers;
    std::optional<berth::Time> later;
    for (const json& slot : history) {
        INFO(slot.dump());
        const auto at = time_of(slot["date"]);
        CHECK(berth::to_micros(at) % 2'000'000 == 0);  // from the grid, not from the last end
        if (later) CHECK(*later - at == 2s);           // none is missing
        later = at;
        if (slot["outcome"] == "skipped") continue;  // a slow machine may have missed some
        CHECK(slot["late_ms"] >= 0);
        CHECK(triggers.insert(slot["trigger_id"]).second);
        const json run =
            w.daemon.must("GET", fmt::format("/v2/runs/{}", slot["run_id"].get<std::int64_t>()));
        CHECK(run["state"] == "succeeded");
        const bool has = std::ranges::any_of(run["triggers"], [&](const json& trigger) {
            return trigger["id"] == slot["trigger_id"] && trigger["source"] == "cron";
        });
        CHECK(has);
        CHECK(slot["bundled"] == (run["triggers"][0]["id"] != slot["trigger_id"]));
    }
    CHECK(w.schedule()["enabled"] == false);
    const std::size_t before = w.history().size();
    CHECK(w.daemon.must("GET", w.tenant + "/schedule/preview").empty());
    CHECK(w.history().size() == before);
}

TEST_CASE("instants that come during a run are bundled into one run after it, and say so",
          "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    World w;
    // Long enough that instants come meanwhile.
    w.daemon.upload(w.made.integration, {{"PANDIUM.yaml", manifest("sleep 3")}});
    w.daemon.must("PATCH", w.tenant, {{"integration_release_channel", "Default"}});
    w.set({{"text", "@every 1s"}});
    REQUIRE(eventually([&] {
        for (const json& slot : w.history())
            if (slot["bundled"] == true) return true;
        return false;
    }));
    w.quiet();
    std::string last_end;
    for (const json& run : w.daemon.must("GET", w.tenant + "/runs?sort_by=id__ASC")) {
        INFO(run.dump());
        CHECK(run["started_date"].get<std::string>() >= last_end);  // never two at once
        last_end = run["completed_date"];
    }

    // The other rule: what comes during a run is left out, with the reason.
    w.set({{"text", "@every 1s"}, {"when_busy", "skip"}});
    CHECK(w.come("skipped", 1, "overlap"));
    w.quiet();
    for (const json& slot : w.history())
        if (slot["reason"] == "overlap") CHECK(slot["trigger_id"].is_null());
}

TEST_CASE(
    "a pause of the tenant or of the integration lets instants pass and obeys the "
    "policy",
    "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    World w;
    const auto [what, policy] = GENERATE(table<std::string, std::string>(
        {{"tenant", "skip"}, {"tenant", "one"}, {"integration", "all"}, {"integration", "skip"}}));
    INFO(what << " " << policy);
    const std::string path = what == "tenant" ? w.tenant : w.integration;
    w.set({{"text", "@every 1s"}, {"missed", policy}, {"window_seconds", 3600}});
    REQUIRE(w.come("fired", 1));
    w.pause(path, true);
    REQUIRE(w.come("skipped", 3, "pause"));
    const std::size_t passed = w.slots("skipped", "pause");
    w.pause(path, false);
    if (policy == "all") {
        // All that the pause let pass fires after all; their slots say when they were due.
        CHECK(eventually([&] { return w.slots("skipped", "pause") == 0; }));
    } else {
        const std::size_t fired = w.slots("fired");
        REQUIRE(w.come("fired", fired + 2));
        // `one` made up for at most one; `skip` for none.
        CHECK(w.slots("skipped", "pause") + (policy == "one" ? 1 : 0) >= passed);
    }
    w.quiet();
}

TEST_CASE("what was due while berthd was down follows the policy, and the ledger says downtime",
          "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    World w;
    std::map<std::string, std::int64_t> tenants;
    for (const std::string policy : {"skip", "one", "all"}) {
        const std::int64_t id =
            w.daemon.must("POST", "/v2/tenants",
                          {{"name", policy}, {"integration_id", w.made.integration}})["id"];
        const auto path = fmt::format("/v2/tenants/{}", id);
        w.daemon.must("PATCH", path, {{"paused", false}});
        w.daemon.must("PUT", path + "/schedule",
                      {{"text", "@every 1m"}, {"missed", policy}, {"window_seconds", 600}});
        tenants[policy] = id;
    }
    w.daemon.stop(SIGTERM);
    {
        // As a downtime of five minutes leaves it: that long ago somebody looked last.
        auto db = berth::SqliteDb::open(w.daemon.state_dir() / "store" / "berth.db",
                                        berth::SqliteDb::Access::read_write);
        REQUIRE(db);
        (*db)->exec(
            "update schedules set settled = settled - $1, nominal = null, fire = settled - $1"
            " where enabled = 1",
            {std::chrono::microseconds{5min}.count()});
    }
    w.daemon.start();

    struct Count {
        std::size_t late = 0, downtime = 0, on_time = 0;
    };
    const auto counted = [&](const std::string& policy) {
        Count count;
        for (const json& slot : w.daemon.must(
                 "GET", fmt::format("/v2/tenants/{}/schedule/history", tenants[policy]))) {
            if (slot["reason"] == "downtime")
                ++count.downtime;
            else if (slot["late_ms"] > 30'000)
                ++count.late;
            else
                ++count.on_time;
        }
        return count;
    };
    const auto all = [&](const std::string& policy) {
        const Count count = counted(policy);
        return count.late + count.downtime + count.on_time;
    };
    for (const auto& [policy, id] : tenants)
        REQUIRE(eventually([&, name = policy] { return all(name) >= 5; }));

    CHECK(counted("skip").late == 0);
    CHECK(counted("skip").downtime >= 4);
    CHECK(counted("one").late <= 1);  // none, when one was on time besides
    CHECK(counted("one").late + counted("one").on_time >= 1);
    CHECK(counted("one").downtime >= 3);
    CHECK(counted("all").late >= 4);
    CHECK(counted("all").downtime == 0);
}

TEST_CASE("caps refuse by name and say when to come again, each with its status", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon{"max_runs = 2\nslots = 8\nmax_waiting = 4\nmax_tenant_waiting = 2\n"};
    const auto made = daemon.install("capped", {{"PANDIUM.yaml", manifest("true")}});
    const auto integration = fmt::format("/v2/integrations/{}", made.integration);
    daemon.must("PATCH", integration, {{"paused", true}});
    std::vector<std::int64_t> tenants{made.tenant};
    while (tenants.size() < 3)
        tenants.push_back(daemon.must("POST", "/v2/tenants",
                                      {{"name", fmt::format("capped-{}", tenants.size())},
                                       {"integration_id", made.integration}})["id"]);
    const auto sync = [&](std::size_t tenant) {
        return daemon.request("POST",
                              fmt::format("/v2/tenants/{}/sync?mode=normal", tenants[tenant]));
    };
    const auto refused = [&](std::size_t tenant, int status, const std::string& name) {
        const auto answer = sync(tenant);
        INFO(answer.body);
        CHECK(answer.status == status);
        CHECK_THAT(answer.body, Contains(name));
        const auto after = berth::to_number<int>(answer.header("retry-after"));
        REQUIRE(after);
        CHECK(*after >= 1);
    };
    CHECK(sync(0).status == 202);
    CHECK(sync(0).status == 202);
    refused(0, 429, "max_tenant_waiting");
    CHECK(sync(1).status == 202);
    CHECK(sync(1).status == 202);
    refused(2, 503, "max_waiting");
    daemon.must("PUT", integration + "/policy", {{"most_waiting", 1}});
    refused(2, 429, "most_waiting");

    // There is room again when runs have taken what waits.
    daemon.must("PATCH", integration, {{"paused", false}});
    CHECK(eventually([&] { return sync(2).status == 202; }));
}

TEST_CASE("a cap of starts holds runs back and loses none", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon{"max_runs = 4\nslots = 8\nmax_starts_per_minute = 2\n"};
    const auto made = daemon.install("slow", {{"PANDIUM.yaml", manifest("true")}});
    const json first = daemon.run(made.tenant);
    daemon.run(made.tenant);
    const std::string third = daemon.sync(made.tenant);
    // The minute has no place left: it waits and keeps its place.
    const auto status = daemon.request("GET", "/v2/runs/triggers/" + third + "/status");
    const json view = daemon.must("GET", fmt::format("/v2/tenants/{}", made.tenant));
    if (daemon.must("GET", fmt::format("/v2/tenants/{}/runs", made.tenant)).size() == 2) {
        CHECK(status.status == 404);
        CHECK(view["status"]["waiting_triggers"] == 1);
    } else {  // this machine took a minute to come here
        const json last = daemon.wait_run(third);
        CHECK(time_of(last["created_date"]) - time_of(first["created_date"]) >= 55s);
    }
}

TEST_CASE("the preview shows what comes, and what is refused is refused with its place", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    World w;
    w.set({{"text", "30 2 * * *"}, {"zone", "Europe/Berlin"}, {"jitter_seconds", 300}});
    const json coming = w.daemon.must("GET", w.tenant + "/schedule/preview?count=400");
    REQUIRE(coming.size() == 400);
    std::size_t made_up = 0;
    for (const json& instant : coming) {
        const auto delay = time_of(instant["fires_date"]) - time_of(instant["date"]);
        CHECK(delay >= 0s);
        CHECK(delay < 300s);
        if (instant["kind"] == "gap_made_up") ++made_up;
    }
    CHECK(made_up >= 1);  // 400 days have a night on which the clocks jump over 02:30

    const auto refused = [&](const json& schedule, const std::string& place,
                             const std::string& message) {
        const auto answer = w.daemon.request("PUT", w.tenant + "/schedule", schedule);
        INFO(schedule.dump() << " answered " << answer.body);
        CHECK(answer.status == 422);
        CHECK_THAT(answer.body, Contains("\"" + place + "\"") && Contains(message));
    };
    refused({{"text", "0 25 * * *"}}, "text", "at character 3");
    refused({{"text", "0 0 31 2 *"}}, "text", "no year has");
    refused({{"zone", "Europe/Atlantis"}}, "zone", "no time zone 'Europe/Atlantis'");
    refused({{"missed", "some"}}, "missed", "skip, one, all");
    refused({{"gap", "first"}}, "gap", "skip, at_end, shifted");
    refused({{"overlap", "skip"}}, "overlap", "first, second, both");
    refused({{"when_busy", "wait"}}, "when_busy", "queue, skip");
    refused({{"jitter_seconds", -1}}, "jitter_seconds", "from 0 to");
    CHECK(w.schedule()["text"] == "30 2 * * *");  // nothing of it was taken
}

TEST_CASE("an integration's policy gives its tenants a schedule and bounds their choice", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    World w;
    const json policy = w.daemon.must("PUT", w.integration + "/policy",
                                      {{"schedule", {{"text", "0 * * * *"}}},
                                       {"allowed_schedules", {"0 * * * *", "0 0 * * *"}},
                                       {"shortest_interval_seconds", 3600}});
    CHECK(policy["shortest_interval_seconds"] == 3600);
    CHECK(w.schedule()["text"] == "0 * * * *");
    CHECK(w.schedule()["source"] == "integration");
    CHECK(w.daemon.must("GET", w.tenant)["schedule"] == "0 * * * *");

    const auto choose = [&](const std::string& text) {
        return w.daemon.request("PATCH", w.tenant, {{"user_schedule", text}});
    };
    const auto other = choose("0 12 * * *");
    CHECK(other.status == 422);
    CHECK_THAT(other.body, Contains("user_schedule") && Contains("'0 * * * *', '0 0 * * *'"));
    CHECK(choose("0 0 * * *").status == 200);
    CHECK(w.schedule()["source"] == "tenant");
    w.daemon.must("PUT", w.integration + "/policy", {{"allowed_schedules", json::array()}});
    const auto often = choose("*/30 * * * *");
    CHECK(often.status == 422);
    CHECK_THAT(often.body, Contains("nothing more often than each 3600 s"));
    CHECK(choose("").status == 200);
    CHECK(w.schedule()["source"] == "integration");
}
