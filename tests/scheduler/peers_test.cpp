// What users of other schedulers complain of most, each as a test that would fail if it
// happened here: schedules that drift, die or fire twice. docs/complaints.md is the list;
// complaints_test holds it against the tests.
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "daemon/schedule_warning.h"
#include "tests/scheduler/held_alarms.h"
#include "tests/scheduler/peers_host.h"

using namespace berth;
using namespace berth::test;
using Catch::Matchers::Contains;

TEST_CASE("a job of 50 s on a schedule of 20 s loses no instant and hides none", "[peers]") {
    Host host{.texts = with_seconds()};
    host.run_time = 50s;
    host.set("@every 20s");
    host.pass(10min);
    const auto history = host.history();
    REQUIRE(history.size() == 30);
    std::map<RunId, int> together;
    std::size_t bundled = 0;
    for (std::size_t i = 0; i < history.size(); ++i) {
        CHECK(history[i].slot.nominal == kNow + 20s * static_cast<int>(i + 1));  // the grid's
        CHECK(history[i].slot.outcome == SlotOutcome::fired);
        if (history[i].run) ++together[*history[i].run];
        if (history[i].bundled) ++bundled;
    }
    // The record says it: more instants than runs, and which of them shared one.
    CHECK(together.size() < 14);
    CHECK(bundled >= 15);
    CHECK_THAT(schedule_warning(host.db, host.schedule()),
               Contains("shared a run") && Contains("its last run took 50 s"));
}

TEST_CASE("a schedule whose runs wait for a place says so, and a healthy one says nothing",
          "[peers]") {
    Host host;
    host.set("* * * * *");
    host.pass(10min);
    CHECK(schedule_warning(host.db, host.schedule()).empty());
    // A host without a free place: what fires waits, and is bundled.
    for (int minute = 0; minute < 20; ++minute, host.now += 1min)
        host.look();
    host.pass(1min);
    CHECK_THAT(schedule_warning(host.db, host.schedule()),
               Contains("shared a run") && Contains("see max_runs, and the caps"));
}

TEST_CASE("whatever step fails, all schedules fire when it works again, each instant once",
          "[peers]") {
    HeldAlarms alarms;
    TurnedClock clock{alarms};
    Host host;
    host.set("* * * * *", [](ScheduleSettings& settings) { settings.missed = MissedPolicy::all; });
    // The store of the test behind a disk that fails at each access in turn.
    struct Failing final : ScheduleStore {
        Host& host;
        const Clock& clock;
        int until_failure = 0, failures = 0;
        Failing(Host& of, const Clock& by) : host{of}, clock{by} {}

        bool works() {
            if (until_failure-- > 0) return true;
            until_failure = ++failures % 4;
            return false;
        }
        void look(std::int64_t most, Callback<void(Result<Look>)> done) override {
            host.db.db->begin_write();
            Look look = look_at_schedules(host.db, host.texts, clock.now(), most);
            if (!works()) {  // at the very end: all of it is undone
                host.db.db->rollback();
                return done(fail(FailureKind::unavailable, "the disk failed"));
            }
            host.db.db->commit();
            done(look);
        }
        void rewind(Callback<void(Result<void>)> done) override {
            if (!works()) return done(fail(FailureKind::unavailable, "the disk failed"));
            done({});
        }
        void prune(Callback<void(Result<void>)> done) override {
            if (!works()) return done(fail(FailureKind::unavailable, "the disk failed"));
            done({});
        }
    } store{host, clock};
    ScheduleEngine engine{alarms, clock, store, [] {}};
    engine.open();
    alarms.pass(1h + 30s);  // the last one may have to be tried again, too
    CHECK(store.failures > 30);
    const auto fired = host.fired();
    REQUIRE(fired.size() == 60);
    CHECK(std::set<Time>(fired.begin(), fired.end()).size() == 60);
    CHECK(host.schedule().enabled);
    CHECK(host.schedule().fire);
}

TEST_CASE("a schedule that fires every second day stays with its day over edits and restarts",
          "[peers]") {
    Host host;
    host.set("0 9 */2 * *");
    host.look();
    const auto next = host.schedule().nominal;
    for (int day = 0; day < 3; ++day) {
        host.set("0 9 */2 * *");  // saved again, with nothing changed
        host.look();
        CHECK(host.schedule().nominal == next);
    }
    host.down(10 * 24h);
    host.look();
    CHECK(host.schedule().enabled);
    REQUIRE(host.schedule().nominal);
    CHECK(*host.schedule().nominal > host.now);
    CHECK(*host.schedule().nominal <= host.now + 48h);  // not next year
}

TEST_CASE("an edit of a schedule makes no second firing of the same instant", "[peers]") {
    Host host;
    host.set("* * * * *");
    host.pass(5min);
    for (int edit = 0; edit < 5; ++edit) {
        host.set("* * * * *");
        host.look();
    }
    host.pass(2min);
    const auto fired = host.fired();
    CHECK(std::set<Time>(fired.begin(), fired.end()).size() == fired.size());
    CHECK(fired.size() == 7);
}
