// Waiting triggers become runs: who is passed over, what is not read, who is put off.
#include <catch2/catch.hpp>

#include "model/limits.h"
#include "store/releases.h"
#include "tests/daemon/run_queue_world.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;
using World = QueueWorld;

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
