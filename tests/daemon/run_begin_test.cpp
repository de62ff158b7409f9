// A run that is prepared in the transaction that begins it: one commit from the trigger
// to the moment at which the runner may hear of it.
#include <catch2/catch.hpp>

#include "daemon/run_queue.h"
#include "daemon/run_start.h"
#include "store/given.h"
#include "store/runs.h"
#include "store/tenants.h"
#include "store/triggers.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;

namespace {

struct World {
    TempDir dir{"berth-begin"};
    Loop loop;
    FixedClock clock;
    std::unique_ptr<Store> store = must(make_store(dir.path() / "store", loop));
    std::vector<PreparedStart> prepared;  // Thread: store, while a pass is there
    RunQueue queue{*store, clock, 0, [this](Db& db, Run& run, Time now) {
                       if (auto start = start_at_once(db, run, {"prod", {}}, now))
                           prepared.push_back(std::move(*start));
                   }};
    Tenant acme =
        must(write_now(*store, loop, [](Db& db) -> Result<Tenant> { return add_world(db); }));

    Trigger trigger(std::string body = "") {
        Trigger made = trigger_for(acme.id);
        made.body = std::move(body);
        return made;
    }
    void accept(const Trigger& trigger) {
        must(write_now(*store, loop, [trigger](Db& db) { return accept_trigger(db, trigger); }));
    }
    RunStore::Begun pass(int places) {
        Wait<RunStore::Begun> wait{loop};
        queue.begin_runs(places, wait.callback());
        return must(wait.get());
    }
    std::vector<Run> begin(int places) { return pass(places).runs; }
    std::vector<RunState> states_of(RunId run) {
        const auto events =
            must(read_now(*store, loop, [run](Db& db) -> Result<std::vector<RunEvent>> {
                return list_run_events(db, run);
            }));
        std::vector<RunState> states;
        for (const RunEvent& event : events)
            states.push_back(event.state);
        return states;
    }
    bool was_given(RunId run) {
        return must(read_now(*store, loop, [run](Db& db) -> Result<bool> {
            return get_given(db, run).has_value();
        }));
    }
};

using States = std::vector<RunState>;

}  // namespace

TEST_CASE("a trigger and the start of its run are one commit", "[daemon]") {
    World w;
    const auto before = w.store->counts().commits;
    Wait<RunStore::Begun> wait{w.loop};
    bool accepted = false;
    w.store->write([trigger = w.trigger()](Db& db) { return accept_trigger(db, trigger); },
                   [&](Result<Trigger> answer) { accepted = answer.has_value(); });
    w.queue.begin_runs(1, wait.callback());
    const auto begun = must(wait.get()).runs;
    CHECK(accepted);
    REQUIRE(begun.size() == 1);
    CHECK(w.store->counts().commits == before + 1);
    CHECK(begun[0].state == RunState::starting);
    CHECK(w.states_of(begun[0].id) ==
          States{RunState::queued, RunState::preparing, RunState::starting});
    CHECK(w.was_given(begun[0].id));
    REQUIRE(w.prepared.size() == 1);
    CHECK(w.prepared[0].start.run_id == begun[0].id.value);
    CHECK(w.prepared[0].start.attempt == begun[0].attempt);
}

TEST_CASE("a run with large payloads is prepared on its own, and nothing of the try is left",
          "[daemon]") {
    World w;
    w.accept(w.trigger(std::string(1 << 20, 'x')));
    const auto begun = w.begin(1);
    REQUIRE(begun.size() == 1);
    CHECK(begun[0].state == RunState::preparing);
    CHECK(w.prepared.empty());
    CHECK(w.states_of(begun[0].id) == States{RunState::queued, RunState::preparing});
    CHECK_FALSE(w.was_given(begun[0].id));
}

TEST_CASE("a run that cannot be prepared keeps nobody else from starting", "[daemon]") {
    World w;
    const Tenant zeta =
        must(write_now(*w.store, w.loop, [id = w.acme.integration_id](Db& db) -> Result<Tenant> {
            return add_tenant(db, id, "zeta");
        }));
    must(write_now(*w.store, w.loop, [acme = w.acme](Db& db) -> Result<void> {
        // Both would become PAN_CFG_KEY.
        db.exec("update tenants set configs = $2 where id = $1",
                {acme.id, R"({"key": "a", "KEY": "b"})"});
        return {};
    }));
    w.accept(w.trigger());
    w.accept(trigger_for(zeta.id));
    const auto begun = w.begin(5);
    REQUIRE(begun.size() == 2);
    for (const Run& run : begun)
        CHECK(run.state == (run.tenant_id == zeta.id ? RunState::starting : RunState::preparing));
    CHECK(w.prepared.size() == 1);
}

TEST_CASE("a pass begins so many runs that the first need not wait for long", "[daemon]") {
    World w;
    must(write_now(*w.store, w.loop, [id = w.acme.integration_id](Db& db) -> Result<void> {
        for (int i = 0; i < 50; ++i)
            must(accept_trigger(db,
                                trigger_for(add_tenant(db, id, "tenant-" + std::to_string(i)).id)));
        return {};
    }));
    const auto first = w.pass(50);
    CHECK(std::ssize(first.runs) == RunQueue::kAtOnce);
    CHECK(first.more);
    const auto rest = w.pass(50);
    CHECK(std::ssize(rest.runs) == 50 - RunQueue::kAtOnce);
    CHECK_FALSE(rest.more);
}
