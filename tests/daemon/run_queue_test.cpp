// Waiting triggers become runs: who is passed over, and what is not read.
#include "daemon/run_queue.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "model/limits.h"
#include "store/integrations.h"
#include "store/releases.h"
#include "store/runs.h"
#include "store/schedules.h"
#include "store/shares.h"
#include "store/tenants.h"
#include "store/triggers.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;

namespace {

struct World {
    TempDir dir{"berth-queue"};
    Loop loop;
    FixedClock clock;
    std::unique_ptr<Store> store = must(make_store(dir.path() / "store", loop));
    RunQueue queue{*store, clock};

    template <typename Op>
    auto write(Op op) {
        return must(write_now(*store, loop, std::move(op)));
    }
    std::vector<Tenant> tenants(IntegrationId integration, int many) {
        return write([integration, many](Db& db) -> Result<std::vector<Tenant>> {
            std::vector<Tenant> made;
            for (int i = 0; i < many; ++i)
                made.push_back(add_tenant(db, integration, "quiet-" + std::to_string(i)));
            return made;
        });
    }
    TriggerId accept(TenantId tenant, TriggerSource source = TriggerSource::api,
                     RunMode mode = RunMode::normal, std::string body = "") {
        Trigger trigger = trigger_for(tenant);
        trigger.source = source;
        trigger.mode = mode;
        trigger.body = std::move(body);
        return write([trigger](Db& db) { return accept_trigger(db, trigger); }).id;
    }
    RunStore::Begun pass(int places) {
        Wait<RunStore::Begun> wait{loop};
        queue.begin_runs(places, wait.callback());
        return must(wait.get());
    }
    std::vector<Run> begin(int places) { return pass(places).runs; }
    // The run goes on for so long and succeeds.
    void finish(const Run& run, std::chrono::microseconds took) {
        write([run, took](Db& db) -> Result<Run> {
            must(move_run(db, run.id, run.attempt, RunState::starting, "", kNow));
            must(move_run(db, run.id, run.attempt, RunState::running, "", kNow));
            return move_run(db, run.id, run.attempt, RunState::succeeded, "", kNow + took);
        });
    }
    void cap(IntegrationId id, const std::function<void(IntegrationPolicy&)>& change) {
        write([id, change](Db& db) {
            IntegrationPolicy policy = get_policy(db, id);
            change(policy);
            return put_policy(db, kBy, id, policy);
        });
    }
};

}  // namespace

TEST_CASE("tenants of paused integrations never hold up the others", "[daemon]") {
    World w;
    const Tenant acme = w.write([](Db& db) -> Result<Tenant> { return add_world(db); });
    const Tenant zeta = w.write([](Db& db) -> Result<Tenant> {
        auto other = add_integration(db, "other");
        add_release(db, other.id, "hash");
        return add_tenant(db, other.id, "zeta");
    });
    w.accept(acme.id);
    w.accept(zeta.id);
    w.write([id = acme.integration_id](Db& db) {
        auto integration = must(get_integration(db, id));
        integration.paused = true;
        return update_integration(db, kBy, integration);
    });
    const auto begun = w.begin(1);
    REQUIRE(begun.size() == 1);
    CHECK(begun[0].tenant_id == zeta.id);
    CHECK(begun[0].state == RunState::preparing);
    CHECK(w.begin(5).empty());
}

TEST_CASE("tenants whose run cannot be begun never hold up the others", "[daemon]") {
    World w;
    const auto stuck = w.write([](Db& db) -> Result<std::vector<Tenant>> {
        auto without_release = add_integration(db, "empty");
        std::vector<Tenant> made;
        for (int i = 0; i < 3; ++i) {
            made.push_back(add_tenant(db, without_release.id, "t" + std::to_string(i)));
            must(accept_trigger(db, trigger_for(made.back().id)));
        }
        return made;
    });
    const Tenant acme = w.write([](Db& db) -> Result<Tenant> { return add_world(db); });
    w.accept(acme.id);
    const auto begun = w.begin(1);
    REQUIRE(begun.size() == 1);
    CHECK(begun[0].tenant_id == acme.id);
}

TEST_CASE("a bundle is chosen among the oldest of each kind, whatever waits before them",
          "[daemon]") {
    World w;
    const Tenant acme = w.write([](Db& db) -> Result<Tenant> { return add_world(db); });
    const auto most = static_cast<std::int64_t>(limits::kTriggersPerRun);
    std::vector<Trigger> many;
    for (std::int64_t i = 0; i < most + 5; ++i)
        many.push_back(trigger_for(acme.id));
    w.write([many](Db& db) -> Result<bool> {
        for (const Trigger& trigger : many)
            must(accept_trigger(db, trigger));
        return true;
    });
    const auto init = w.accept(acme.id, TriggerSource::api, RunMode::init, "{}");
    const auto cron = w.accept(acme.id, TriggerSource::cron);

    const auto candidates =
        w.write([id = acme.id, most](Db& db) -> Result<std::vector<WaitingTrigger>> {
            return bundle_candidates(db, id, most);
        });
    REQUIRE(candidates.size() == static_cast<std::size_t>(most) + 2);
    CHECK(candidates.front().id == many.front().id);
    CHECK(candidates[candidates.size() - 2].id == init);
    CHECK(candidates[candidates.size() - 2].body_bytes == 2);
    CHECK(candidates.back().id == cron);

    const auto first = w.begin(1);
    REQUIRE(first.size() == 1);
    const auto taken = w.write([run = first[0].id](Db& db) -> Result<std::vector<Trigger>> {
        return triggers_of_run(db, run);
    });
    REQUIRE(taken.size() == 1);
    CHECK(taken[0].id == cron);
}

TEST_CASE("one tenant's 10^5 waiting triggers cost the others one turn at most", "[daemon]") {
    World w;
    const Tenant noisy = w.write([](Db& db) -> Result<Tenant> { return add_world(db); });
    const auto quiet = w.tenants(noisy.integration_id, 99);
    constexpr std::int64_t kBacklog = limits::kWaitingTriggersPerTenant;
    w.write([id = noisy.id](Db& db) -> Result<bool> {
        for (std::int64_t i = 0; i < kBacklog; ++i)
            must(accept_trigger(db, trigger_for(id)));
        return true;
    });
    for (const Tenant& tenant : quiet)
        w.accept(tenant.id);

    std::set<TenantId> served;
    int noisy_picks = 0;
    for (int pick = 0; pick < 100; ++pick) {
        const auto begun = w.begin(1);
        REQUIRE(begun.size() == 1);
        if (begun[0].tenant_id == noisy.id)
            ++noisy_picks;
        else
            served.insert(begun[0].tenant_id);
        w.finish(begun[0], 2s);
    }
    CHECK(served.size() == 99);
    CHECK(noisy_picks == 1);
}

TEST_CASE("turns are charged by the time runs took, not by their number", "[daemon]") {
    World w;
    const Tenant slow = w.write([](Db& db) -> Result<Tenant> { return add_world(db); });
    const Tenant fast = w.tenants(slow.integration_id, 1).front();
    std::map<TenantId, int> runs;
    w.accept(slow.id);
    w.accept(fast.id);
    for (int i = 0; i < 110; ++i) {
        const auto begun = w.begin(1);
        REQUIRE(begun.size() == 1);
        ++runs[begun[0].tenant_id];
        // Each has the next one waiting before its run ends.
        w.accept(begun[0].tenant_id);
        w.finish(begun[0], begun[0].tenant_id == slow.id ? 10s : 1s);
    }
    CHECK(runs[fast.id] >= 98);
    CHECK(runs[fast.id] <= 102);
}

// Turns of one integration while another one uses the host.
struct TwoIntegrations : World {
    Tenant eager = write([](Db& db) -> Result<Tenant> { return add_world(db); });
    IntegrationId other = write([](Db& db) -> Result<Integration> {
                              auto made = add_integration(db, "other");
                              add_release(db, made.id, "hash");
                              return made;
                          }).id;
    Tenant busy = write([this](Db& db) -> Result<Tenant> { return add_tenant(db, other, "busy"); });

    // The next run, which is this tenant's; it goes on wanting one.
    Run next_of(const Tenant& tenant) {
        accept(tenant.id);
        Run run = begin(1).at(0);
        REQUIRE(run.tenant_id == tenant.id);
        accept(tenant.id);
        return run;
    }
    // The host's virtual time goes on for so many runs of a minute.
    void others_run(int many) {
        for (int i = 0; i < many; ++i)
            finish(next_of(busy), 1min);
    }
    // `eager` always wants a run and one newcomer comes: the runs before it.
    int runs_before(const Tenant& newcomer) {
        accept(newcomer.id);
        for (int before = 0; before < 20; ++before) {
            const Run run = begin(1).at(0);
            if (run.tenant_id == newcomer.id) return before;
            if (run.tenant_id == eager.id) accept(eager.id);
            finish(run, 1min);
        }
        return 20;
    }
};

TEST_CASE("what a paused integration could not run is not made up for at others' cost",
          "[daemon]") {
    TwoIntegrations w;
    const Tenant newcomer = w.tenants(w.eager.integration_id, 1).front();
    w.accept(w.eager.id);
    const auto pause = [&](bool paused) {
        w.write([id = w.eager.integration_id, paused](Db& db) {
            auto integration = must(get_integration(db, id));
            integration.paused = paused;
            return update_integration(db, kBy, integration);
        });
    };
    pause(true);
    w.others_run(10);
    pause(false);
    CHECK(w.runs_before(newcomer) <= 3);
}

TEST_CASE("who joins an integration that a cap holds back is not last for ever", "[daemon]") {
    TwoIntegrations w;
    const Tenant newcomer = w.tenants(w.eager.integration_id, 1).front();
    w.cap(w.eager.integration_id, [](IntegrationPolicy& policy) { policy.most_running = 1; });
    const Run running = w.next_of(w.eager);
    w.others_run(10);
    w.finish(running, 1s);
    CHECK(w.runs_before(newcomer) <= 3);
}

TEST_CASE("a clock that jumps a year during a run does not cost the tenant a year", "[daemon]") {
    World w;
    const Tenant acme = w.write([](Db& db) -> Result<Tenant> { return add_world(db); });
    const Tenant zeta = w.tenants(acme.integration_id, 1).front();
    w.accept(acme.id);
    const auto begun = w.begin(1);
    REQUIRE(begun.size() == 1);
    w.accept(acme.id);
    w.finish(begun[0], 24h * 365);
    int turns = 0;  // until acme is served again, however much zeta wants
    for (;; ++turns) {
        w.accept(zeta.id);
        const auto next = w.begin(1);
        REQUIRE(next.size() == 1);
        if (next[0].tenant_id == acme.id) break;
        w.finish(next[0], 100s);
        REQUIRE(turns < 20);
    }
    CHECK(turns == 6);  // its wall time, 600 s, was charged
}

TEST_CASE("a full integration lets the others pass and is asked again when a run ends",
          "[daemon]") {
    World w;
    const Tenant acme = w.write([](Db& db) -> Result<Tenant> { return add_world(db); });
    const auto more = w.tenants(acme.integration_id, 3);
    const Tenant zeta = w.write([](Db& db) -> Result<Tenant> {
        auto other = add_integration(db, "other");
        add_release(db, other.id, "hash");
        return add_tenant(db, other.id, "zeta");
    });
    w.cap(acme.integration_id, [](IntegrationPolicy& policy) { policy.most_running = 2; });
    w.accept(acme.id);
    for (const Tenant& tenant : more)
        w.accept(tenant.id);
    w.accept(zeta.id);
    const auto begun = w.begin(10);
    REQUIRE(begun.size() == 3);
    CHECK(begun[2].tenant_id == zeta.id);
    CHECK(w.begin(10).empty());
    w.finish(begun[0], 1s);
    CHECK(w.begin(10).size() == 1);
}

TEST_CASE("a cap per minute says when there is room again", "[daemon]") {
    World w;
    const Tenant acme = w.write([](Db& db) -> Result<Tenant> { return add_world(db); });
    const auto more = w.tenants(acme.integration_id, 3);
    for (const Tenant& tenant : more)
        w.accept(tenant.id);
    SECTION("of an integration") {
        w.cap(acme.integration_id, [](IntegrationPolicy& policy) { policy.starts_per_minute = 2; });
        CHECK(w.pass(10).runs.size() == 2);
        const auto full = w.pass(10);
        CHECK(full.runs.empty());
        REQUIRE(full.again);
        CHECK(*full.again == 60s);
    }
    SECTION("of a tenant, without holding up the others") {
        w.cap(acme.integration_id,
              [](IntegrationPolicy& policy) { policy.tenant_starts_per_minute = 1; });
        const auto first = w.begin(10);
        REQUIRE(first.size() == 3);
        for (const Run& run : first) {
            w.accept(run.tenant_id);
            w.finish(run, 1s);
        }
        w.accept(acme.id);
        const auto next = w.pass(1);
        REQUIRE(next.runs.size() == 1);
        CHECK(next.runs[0].tenant_id == acme.id);
        CHECK(w.pass(10).again);
    }
    SECTION("of the host") {
        RunQueue slow{*w.store, w.clock, 1};
        Wait<RunStore::Begun> one{w.loop};
        slow.begin_runs(10, one.callback());
        CHECK(must(one.get()).runs.size() == 1);
        Wait<RunStore::Begun> none{w.loop};
        slow.begin_runs(10, none.callback());
        const auto full = must(none.get());
        CHECK(full.runs.empty());
        CHECK(full.again == 60s);
    }
}

TEST_CASE("an integration with too much waiting refuses by name", "[daemon]") {
    World w;
    const Tenant acme = w.write([](Db& db) -> Result<Tenant> { return add_world(db); });
    const Tenant zeta = w.tenants(acme.integration_id, 1).front();
    w.cap(acme.integration_id, [](IntegrationPolicy& policy) { policy.most_waiting = 3; });
    for (int i = 0; i < 2; ++i)
        w.accept(acme.id);
    w.accept(zeta.id);
    const auto refused = write_now(*w.store, w.loop, [trigger = trigger_for(zeta.id)](Db& db) {
        return accept_trigger(db, trigger);
    });
    CHECK_FAILS(refused, FailureKind::over_limit,
                "has 3 triggers waiting already, as many as its cap allows");
    REQUIRE(w.begin(1).size() == 1);
    w.accept(zeta.id);
}

TEST_CASE("more than a hundred tenants that cannot begin hold up nobody for ever", "[daemon]") {
    World w;
    w.write([](Db& db) -> Result<bool> {
        auto without_release = add_integration(db, "empty");
        for (int i = 0; i < 250; ++i)
            must(accept_trigger(
                db, trigger_for(add_tenant(db, without_release.id, "t" + std::to_string(i)).id)));
        return true;
    });
    const Tenant acme = w.write([](Db& db) -> Result<Tenant> { return add_world(db); });
    w.accept(acme.id);
    int passes = 1;
    for (auto begun = w.pass(1); begun.runs.empty(); begun = w.pass(1), ++passes) {
        REQUIRE(begun.again);  // it goes on by itself
        REQUIRE(passes < 5);
    }
}

TEST_CASE("a run that was put off begins when its time has come, and says when", "[daemon]") {
    World w;
    const Tenant acme = w.write([](Db& db) -> Result<Tenant> { return add_world(db); });
    w.accept(acme.id);
    const auto begun = w.begin(1);
    REQUIRE(begun.size() == 1);
    w.write([run = begun[0]](Db& db) -> Result<Run> {
        auto queued = move_run(db, run.id, run.attempt, RunState::queued, "again", kNow);
        put_off(db, run.id, kNow, kNow + 5s);
        return queued;
    });
    const auto waits = w.pass(1);
    CHECK(waits.runs.empty());
    CHECK(waits.again == 5s);
    w.write([run = begun[0]](Db& db) -> Result<bool> {
        put_off(db, run.id, kNow, kNow);
        return true;
    });
    CHECK(w.begin(1).size() == 1);
}

TEST_CASE("a run that was put off under a clock that was ahead does not wait for that time",
          "[daemon]") {
    World w;
    const Tenant acme = w.write([](Db& db) -> Result<Tenant> { return add_world(db); });
    w.accept(acme.id);
    const auto begun = w.begin(1);
    REQUIRE(begun.size() == 1);
    w.write([run = begun[0]](Db& db) -> Result<Run> {
        auto queued = move_run(db, run.id, run.attempt, RunState::queued, "again", kNow);
        put_off(db, run.id, kNow + 24h * 365, kNow + 24h * 365 + 20s);
        return queued;
    });
    CHECK(w.begin(1).size() == 1);
}

TEST_CASE("runs begun under a clock that was ahead do not use up the minute", "[daemon]") {
    World w;
    const Tenant acme = w.write([](Db& db) -> Result<Tenant> { return add_world(db); });
    w.cap(acme.integration_id, [](IntegrationPolicy& policy) { policy.starts_per_minute = 1; });
    w.accept(acme.id);
    const auto begun = w.begin(1);
    REQUIRE(begun.size() == 1);
    w.finish(begun[0], 1s);
    w.accept(acme.id);
    CHECK(w.begin(1).empty());
    w.write([](Db& db) -> Result<bool> {
        db.exec("update runs set created = $1", {kNow + 24h * 365});
        return true;
    });
    CHECK(w.begin(1).size() == 1);
}
