// Many triggers at once: each becomes part of exactly one run, a tenant's runs
// never overlap, and a repeated request stays one trigger.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;

namespace {

// `count` threads, each with a client of its own. Catch2 is for one thread: what
// they find is checked after they have ended.
template <typename Work>
void in_parallel(const Daemon& daemon, int count, Work work) {
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i)
        threads.emplace_back([&, i] {
            berth::Client client{daemon.socket()};
            work(i, client);
        });
    for (auto& thread : threads)
        thread.join();
}

}  // namespace

TEST_CASE("of a flood of triggers each becomes part of exactly one run", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    constexpr int kClients = 8, kEach = 25, kTenants = 5;
    Daemon daemon{"max_runs = 4\nslots = 8\n"};
    const auto made = daemon.install(
        "flood", {{"PANDIUM.yaml", manifest("echo \"$PAN_CTX_RUN_TRIGGERS\" >&2; sleep 0.2")}});
    std::vector<std::int64_t> tenants{made.tenant};
    while (tenants.size() < kTenants)
        tenants.push_back(daemon.must("POST", "/v2/tenants",
                                      {{"name", fmt::format("flood-{}", tenants.size())},
                                       {"integration_id", made.integration}})["id"]);

    std::mutex lock;
    std::map<std::string, std::int64_t> accepted;  // trigger → tenant
    std::vector<std::string> refused;
    in_parallel(daemon, kClients, [&](int client_number, berth::Client& client) {
        for (int i = 0; i < kEach; ++i) {
            const auto number = static_cast<std::size_t>(client_number * kEach + i);
            const auto tenant = tenants[number % kTenants];
            // A few of them are asked for again, as a client does that got no answer.
            const berth::ClientHeaders key{{"Idempotency-Key", fmt::format("key-{}", number)}};
            for (int again = 0; again < (number % 10 == 0 ? 2 : 1); ++again) {
                const auto answer =
                    client.request("POST", fmt::format("/v2/tenants/{}/sync?mode=normal", tenant),
                                   json{{"n", number}}.dump(), key);
                const std::lock_guard held{lock};
                if (!answer || answer->status != 202)
                    refused.push_back(answer ? answer->body : answer.error().message);
                else
                    accepted[json::parse(answer->body)["trigger_id"]] = tenant;
            }
        }
    });
    CHECK(refused.empty());
    REQUIRE(accepted.size() == kClients * kEach);
    for (const auto& [trigger, tenant] : accepted)
        daemon.wait_run(trigger);

    std::map<std::string, int> times_seen;
    for (const std::int64_t tenant : tenants) {
        const json runs =
            daemon.must("GET", fmt::format("/v2/tenants/{}/runs?sort_by=id__ASC", tenant));
        REQUIRE_FALSE(runs.empty());
        std::string last_end;
        for (const json& run : runs) {
            INFO(run.dump());
            CHECK(run["state"] == "succeeded");
            CHECK(run["attempt"] == 1);
            // RFC 3339 of one zone and precision: text order is time order.
            CHECK(run["started_date"].get<std::string>() >= last_end);
            last_end = run["completed_date"];
            std::set<std::string> recorded, handed;
            for (const json& trigger : run["triggers"]) {
                const std::string id = trigger["id"];
                recorded.insert(id);
                ++times_seen[id];
                CHECK(accepted[id] == tenant);
            }
            for (const json& trigger : json::parse(daemon.run_log(run["id"], "stderr")))
                handed.insert(trigger["id"].get<std::string>());
            CHECK(handed == recorded);  // what the script saw is what the record says
        }
    }
    CHECK(times_seen.size() == accepted.size());
    for (const auto& [trigger, times] : times_seen) {
        INFO(trigger);
        CHECK(times == 1);
    }
    CHECK(daemon.nothing_sandboxed());
}

TEST_CASE("one idempotency key is one trigger, however many ask at once", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install("once", {{"PANDIUM.yaml", manifest("true")}});
    const auto path = fmt::format("/v2/tenants/{}/sync?mode=normal", made.tenant);
    std::mutex lock;
    std::set<std::string> answers;
    int good = 0;
    in_parallel(daemon, 8, [&](int, berth::Client& client) {
        for (int i = 0; i < 10; ++i) {
            const auto answer =
                client.request("POST", path, "{\"a\":1}", {{"Idempotency-Key", "the-same"}});
            const std::lock_guard held{lock};
            if (answer && answer->status == 202) ++good;
            answers.insert(answer ? answer->body : answer.error().message);
        }
    });
    CHECK(good == 80);
    REQUIRE(answers.size() == 1);
    daemon.wait_run(json::parse(*answers.begin())["trigger_id"]);
    const json runs = daemon.must("GET", fmt::format("/v2/tenants/{}/runs", made.tenant));
    REQUIRE(runs.size() == 1);
    CHECK(runs[0]["triggers"].size() == 1);
}

TEST_CASE("init and normal triggers do not share a run", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made =
        daemon.install("modes", {{"PANDIUM.yaml", manifest("echo $PAN_CTX_RUN_MODE; sleep 0.5")}});
    const auto integration = fmt::format("/v2/integrations/{}", made.integration);
    daemon.must("PATCH", integration, {{"paused", true}});
    const auto init_a = daemon.sync(made.tenant, "init"), normal_a = daemon.sync(made.tenant),
               init_b = daemon.sync(made.tenant, "init"), normal_b = daemon.sync(made.tenant);
    daemon.must("PATCH", integration, {{"paused", false}});

    const json init = daemon.wait_run(init_a), normal = daemon.wait_run(normal_a);
    CHECK(daemon.wait_run(init_b)["id"] == init["id"]);
    CHECK(daemon.wait_run(normal_b)["id"] == normal["id"]);
    CHECK(init["id"] != normal["id"]);
    CHECK(init["mode"] == "init");
    CHECK(init["std_out"] == "init");
    CHECK(normal["mode"] == "normal");
    CHECK(normal["std_out"] == "normal");
    CHECK(init["started_date"] < normal["started_date"]);  // set-up comes first
}
