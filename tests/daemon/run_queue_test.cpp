// Waiting triggers become runs: who is passed over, and what is not read.
#include "daemon/run_queue.h"

#include <catch2/catch.hpp>

#include "model/limits.h"
#include "store/integrations.h"
#include "store/releases.h"
#include "store/tenants.h"
#include "store/triggers.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;

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
    TriggerId accept(TenantId tenant, TriggerSource source = TriggerSource::api,
                     RunMode mode = RunMode::normal, std::string body = "") {
        Trigger trigger = trigger_for(tenant);
        trigger.source = source;
        trigger.mode = mode;
        trigger.body = std::move(body);
        return write([trigger](Db& db) { return accept_trigger(db, trigger); }).id;
    }
    std::vector<Run> begin(int places) {
        Wait<std::vector<Run>> wait{loop};
        queue.begin_runs(places, wait.callback());
        return must(wait.get());
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
