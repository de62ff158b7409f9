// What is due fires once, with its slot and its cursor, whatever fails.
#include "daemon/schedule_book.h"

#include <catch2/catch.hpp>

#include "store/integrations.h"
#include "store/releases.h"
#include "store/runs.h"
#include "store/shares.h"
#include "tests/daemon/schedule_world.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;

TEST_CASE("an instant that is due fires once, however often it is looked at", "[schedule]") {
    ScheduleWorld w;
    w.set(w.acme.id, "*/5 * * * *");
    auto armed = w.look(kNow);
    CHECK(armed.seen == 1);
    CHECK(armed.fired == 0);
    CHECK(armed.next == kNow + 5min);

    CHECK(w.look(kNow + 5min + 20ms).fired == 1);
    CHECK(w.look(kNow + 5min + 20ms).seen == 0);
    REQUIRE(w.waiting() == 1);
    const Trigger trigger = list_waiting_triggers(w.db, w.acme.id, 1)[0];
    CHECK(trigger.source == TriggerSource::cron);
    CHECK(trigger.mode == RunMode::normal);
    REQUIRE(w.history().size() == 1);
    CHECK(w.history()[0].slot.outcome == SlotOutcome::fired);
    CHECK(w.history()[0].slot.late == 20ms);
    CHECK(w.history()[0].trigger == trigger.id);
    CHECK(w.schedule().fired == kNow + 5min);
}

TEST_CASE("a cursor that was lost fires nothing twice: the ledger knows", "[schedule]") {
    ScheduleWorld w;
    w.set(w.acme.id, "*/5 * * * *");
    w.look(kNow);
    CHECK(w.look(kNow + 5min).fired == 1);
    w.db.db->exec("update schedules set settled = $1, fire = $1", {kNow});
    CHECK(w.look(kNow + 5min).fired == 0);
    CHECK(w.waiting() == 1);

    SECTION("and were the ledger lost too, the trigger's own key") {
        w.db.db->exec("delete from slots");
        w.db.db->exec("update schedules set settled = $1, fire = $1", {kNow});
        CHECK(w.look(kNow + 5min).fired == 0);
        CHECK(w.waiting() == 1);
    }
}

TEST_CASE("a firing that cannot be kept leaves neither slot nor cursor", "[schedule]") {
    ScheduleWorld w;
    w.set(w.acme.id, "*/5 * * * *");
    w.look(kNow);
    {
        Tx tx{*w.db.db, Tx::Mode::write};
        CHECK(w.look(kNow + 5min).fired == 1);
    }  // the power goes before the commit
    CHECK(w.waiting() == 0);
    CHECK(w.history().empty());
    CHECK(w.schedule().settled == kNow);
    CHECK(w.look(kNow + 6min).fired == 1);
}

TEST_CASE("a schedule in trouble stays armed and holds up no other", "[schedule]") {
    ScheduleWorld w;
    const Tenant zeta = w.unpaused(add_tenant(w.db, w.acme.integration_id, "zeta"));
    w.set(w.acme.id, "*/5 * * * *");
    w.set(zeta.id, "*/5 * * * *");
    w.look(kNow);
    w.db.db->exec("update schedules set zone = 'No/Where' where tenant_id = $1", {w.acme.id});
    CHECK(w.look(kNow + 5min).fired == 1);
    CHECK(w.schedule().trouble.find("No/Where") != std::string::npos);
    CHECK(w.schedule().fire == kNow + 15min);
    w.db.db->exec("update schedules set zone = 'UTC' where tenant_id = $1", {w.acme.id});
    CHECK(w.look(kNow + 15min).fired == 2);  // on time for 08:15, which serves for those missed
    CHECK(w.schedule().trouble.empty());
}

TEST_CASE("'enabled and nothing armed' cannot be written", "[schedule]") {
    ScheduleWorld w;
    w.set(w.acme.id, "*/5 * * * *");
    CHECK_THROWS_WITH(w.db.db->exec("update schedules set fire = null"),
                      Catch::Contains("CHECK constraint"));
    w.set(w.acme.id, "");
    CHECK_FALSE(w.schedule().enabled);
    CHECK_FALSE(w.schedule().fire);
}

TEST_CASE("a clock that goes forward a year and back: nothing twice, nothing silent",
          "[schedule]") {
    ScheduleWorld w;
    w.set(w.acme.id, "0 * * * *");
    w.look(kNow);
    CHECK(w.look(kNow + 1h).fired == 1);
    CHECK(w.look(kNow + 24h * 365).fired == 1);  // the policy: one
    look_at_schedules_ahead(w.db, kNow + 90min);
    CHECK(w.look(kNow + 90min).fired == 0);
    CHECK(w.schedule().fire == kNow + 2h);
    CHECK(w.look(kNow + 2h).fired == 1);
    CHECK(w.look(kNow + 3h).fired == 1);
}

TEST_CASE("a clock that goes back fires nothing twice", "[schedule]") {
    ScheduleWorld w;
    w.set(w.acme.id, "* * * * *");
    w.look(kNow);
    for (int minute = 1; minute <= 30; ++minute)
        CHECK(w.look(kNow + minute * 1min).fired == 1);
    look_at_schedules_ahead(w.db, kNow + 10min);
    for (int minute = 10; minute <= 30; ++minute)
        CHECK(w.look(kNow + minute * 1min).fired == 0);
    CHECK(w.look(kNow + 31min).fired == 1);
    CHECK(w.waiting() == 31);
}

TEST_CASE("the ledger is bounded, and what was cut from it never fires again", "[schedule]") {
    ScheduleWorld w;
    w.set(w.acme.id, "* * * * *");
    w.look(kNow);
    for (int minute = 1; minute <= 150; ++minute)
        w.look(kNow + minute * 1min);
    // However wrong the clock is, the newest stay.
    CHECK_FALSE(prune_slots(w.db, kNow + 24h * 365, {}, 10));
    CHECK(w.history().size() == static_cast<std::size_t>(kSlotsKept));
    CHECK(w.schedule().forgotten == kNow + 50min);
    look_at_schedules_ahead(w.db, kNow);
    CHECK(w.look(kNow + 30min).fired == 0);
    CHECK(w.schedule().settled >= kNow + 50min);
    CHECK(prune_slots(w.db, kNow, {}, 1) == w.schedule().id);
}

TEST_CASE("a ledger cut under a clock that was a year ahead silences nothing", "[schedule]") {
    ScheduleWorld w;
    w.set(w.acme.id, "0 9 * * *");
    w.look(kNow);
    CHECK(w.look(kNow + 1h).fired == 1);
    const Time ahead = kNow + 24h * 365;
    CHECK(w.look(ahead).fired == 1);
    CHECK_FALSE(prune_slots(w.db, ahead - 24h * 30, {}, 10));
    CHECK(w.history().size() == static_cast<std::size_t>(kSlotsKept));
    look_at_schedules_ahead(w.db, kNow + 2h);
    CHECK(w.look(kNow + 2h).fired == 0);
    CHECK(w.schedule().fire == kNow + 25h);
    CHECK(w.look(kNow + 25h).fired == 1);
}

TEST_CASE("a slot that stands for many is not lost when one of them fires after all",
          "[schedule]") {
    ScheduleWorld w;
    w.set(w.acme.id, "* * * * *");
    w.look(kNow);
    w.look(kNow + 1min);
    w.look(kNow + 24h * 365);  // the clock is wrong
    look_at_schedules_ahead(w.db, kNow + 90s);
    w.look(kNow + 90s);
    CHECK(w.look(kNow + 2min).fired == 1);  // the first that the slot stands for
    CHECK(w.db.db
              ->must("select count(*) from slots where nominal <= $1 and last >= $1", {kNow + 5min})
              .integer(0) == 1);
}

TEST_CASE("history tells which run a firing became part of", "[schedule]") {
    ScheduleWorld w;
    w.set(w.acme.id, "*/5 * * * *");
    w.look(kNow);
    w.look(kNow + 5min);
    w.look(kNow + 10min);
    const auto release = must(latest_release(w.db, w.acme.integration_id));
    std::vector<TriggerId> both;
    for (const Trigger& trigger : list_waiting_triggers(w.db, w.acme.id, 10))
        both.push_back(trigger.id);
    const Run run = must(begin_run(w.db, w.acme.id, release.id, RunMode::normal, both, kNow));
    const auto history = w.history();
    REQUIRE(history.size() == 2);
    CHECK(history[0].run == run.id);
    CHECK(history[0].bundled);
    CHECK(history[1].run == run.id);
    CHECK_FALSE(history[1].bundled);
    CHECK(slot_history(w.db, w.schedule().id, kNow + 10min, 10).size() == 1);
}
