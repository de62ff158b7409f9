// Caps of integrations, tenants and the host: who is full lets the others pass, and is asked
// again when there is room.
#include <catch2/catch.hpp>

#include "tests/daemon/run_queue_world.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;
using World = QueueWorld;

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
