// Whose turn it is: nobody pays more than a turn for what others have waiting, and turns are
// charged by time.
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "model/limits.h"
#include "tests/daemon/run_queue_world.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;
using World = QueueWorld;

namespace {

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

}  // namespace

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
