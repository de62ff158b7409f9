// What a start makes of the runs it finds: this host's, another one's, and those that
// somebody wanted to end.
#include "daemon/recovery.h"

#include <catch2/catch.hpp>

#include "daemon/run_end.h"
#include "store/cancels.h"
#include "store/integrations.h"
#include "store/leases.h"
#include "store/runs.h"
#include "store/triggers.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;

namespace {

class BootClock final : public Clock {
public:
    Time now() const override { return kNow; }
    SteadyTime steady() const override { return SteadyTime{passed}; }
    std::chrono::microseconds passed = 1h;
};

struct World {
    World() { ours().write_as({"ours", "clock", &clock}); }
    Db& ours() { return *made.db; }
    Run run_in(RunState state) {
        const Trigger trigger = trigger_for(acme.id);
        must(accept_trigger(ours(), trigger));
        Run run =
            must(begin_run(ours(), acme.id, ReleaseId{1}, RunMode::normal, {trigger.id}, kNow));
        for (const RunState next : {RunState::preparing, RunState::starting, RunState::running}) {
            if (run.state == state) break;
            run = must(move_run(ours(), run.id, 1, next, "", kNow));
        }
        return run;
    }
    void set_on_lost(OnLost on_lost) {
        Integration integration = must(get_integration(ours(), acme.integration_id));
        integration.on_lost = on_lost;
        must(update_integration(ours(), kBy, integration));
    }
    Run now(RunId id) { return must(get_run(ours(), id)); }

    BootClock clock;
    TestDb made = make_db();
    Tenant acme = add_world(made);
    std::unique_ptr<Db> theirs_db;
    Db& theirs() {
        if (!theirs_db) theirs_db = connect_again(made.dir->path());
        theirs_db->write_as({"theirs", "clock", &clock});
        return *theirs_db;
    }
};

}  // namespace

TEST_CASE("a run that was to end and had not been handed over ends at the start", "[daemon]") {
    World w;
    const RunState state = GENERATE(RunState::queued, RunState::preparing);
    const Run run = w.run_in(state);
    must(request_cancel(w.ours(), {"uid 7", kNow}, run.id));
    CHECK(recover_runs(w.ours(), kNow).handed_over.empty());
    CHECK(w.now(run.id).state == RunState::cancelled);
    CHECK(list_run_events(w.ours(), run.id).back().note == "cancelled by uid 7");
}

TEST_CASE("of a run that was handed over the start tells who wants its end", "[daemon]") {
    World w;
    const RunState state = GENERATE(RunState::starting, RunState::running);
    const Run run = w.run_in(state);
    CHECK_FALSE(recover_runs(w.ours(), kNow).handed_over.at(0).cancel_by);
    must(request_cancel(w.ours(), {"uid 7", kNow}, run.id));
    CHECK(recover_runs(w.ours(), kNow).handed_over.at(0).cancel_by == "uid 7");
}

TEST_CASE("a lost run that was to end is cancelled, not begun again", "[daemon]") {
    World w;
    w.set_on_lost(OnLost::retry);
    const Run run = w.run_in(RunState::running);
    SECTION("wanted") {
        must(request_cancel(w.ours(), kBy, run.id));
        must(write_end(w.ours(), w.now(run.id), Lost{"gone"}, {}, kNow));
        CHECK(w.now(run.id).state == RunState::cancelled);
    }
    SECTION("not wanted") {
        must(write_end(w.ours(), w.now(run.id), Lost{"gone"}, {}, kNow));
        CHECK(w.now(run.id).state == RunState::queued);
    }
}

TEST_CASE("a start leaves alone what another host holds", "[daemon]") {
    World w;
    const Run run = w.run_in(RunState::running);
    w.clock.passed += 20s;
    const Recovered recovered = recover_runs(w.theirs(), kNow);
    CHECK(recovered.handed_over.empty());
    CHECK(recovered.waiting_again == 0);
    CHECK(recover_lapsed_runs(w.theirs(), kNow) == 0);
    CHECK(recover_runs(w.ours(), kNow).handed_over.size() == 1);
}

TEST_CASE("what another host has let lapse is lost, waits again, or ends as was wanted",
          "[daemon]") {
    World w;
    w.set_on_lost(GENERATE(OnLost::fail, OnLost::retry));
    const auto on_lost = must(get_integration(w.ours(), w.acme.integration_id)).on_lost;
    const RunState state = GENERATE(RunState::preparing, RunState::running);
    const bool wanted = GENERATE(false, true);
    const Run run = w.run_in(state);
    if (wanted) must(request_cancel(w.ours(), kBy, run.id));
    w.clock.passed += kLeaseTime + 1us;

    CHECK(recover_lapsed_runs(w.theirs(), kNow) == 1);
    CHECK(recover_lapsed_runs(w.theirs(), kNow) == 0);
    const Run after = w.now(run.id);
    const bool again = state == RunState::preparing || on_lost == OnLost::retry;
    CHECK(after.state == (wanted  ? RunState::cancelled
                          : again ? RunState::queued
                                  : RunState::failed_platform));
    // Whoever had it may say what it likes.
    CHECK_FALSE(move_run(w.ours(), run.id, 1, RunState::succeeded, "", kNow));
}
