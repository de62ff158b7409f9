// Who has which schedule, and what keeps it from firing: policies, pauses, caps.
#include <catch2/catch.hpp>

#include "store/integrations.h"
#include "store/releases.h"
#include "store/runs.h"
#include "store/shares.h"
#include "tests/daemon/schedule_world.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;

TEST_CASE("a pause lets instants pass, says so, and its end applies the policy", "[schedule]") {
    ScheduleWorld w;
    w.set(w.acme.id, "*/5 * * * *");
    w.look(kNow);
    w.look(kNow + 5min);
    Tenant paused = w.acme;
    paused.paused = true;
    must(update_tenant(w.db, kBy, paused));
    for (int minute = 10; minute <= 20; minute += 5)
        CHECK(w.look(kNow + minute * 1min).fired == 0);
    REQUIRE(w.history().size() == 4);
    for (std::size_t i = 0; i < 3; ++i)
        CHECK(w.history()[i].slot.reason == SlotReason::pause);

    w.unpaused(w.acme);
    look_at_schedules(w.db, w.acme.id, kNow + 22min);
    CHECK(w.look(kNow + 22min).fired == 1);
    CHECK(w.history()[0].slot.outcome == SlotOutcome::fired);
    CHECK(w.history()[0].slot.late == 2min);
    CHECK(w.history()[1].slot.reason == SlotReason::pause);
    CHECK(w.look(kNow + 25min).fired == 1);
}

TEST_CASE("a pause of the integration pauses the schedules of all its tenants", "[schedule]") {
    ScheduleWorld w;
    w.set(w.acme.id, "*/5 * * * *");
    w.look(kNow);
    auto shop = must(get_integration(w.db, w.acme.integration_id));
    shop.paused = true;
    must(update_integration(w.db, kBy, shop));
    CHECK(w.look(kNow + 5min).fired == 0);
    CHECK(w.history()[0].slot.reason == SlotReason::pause);
    shop.paused = false;
    must(update_integration(w.db, kBy, shop));
    look_at_schedules(w.db, shop.id, kNow + 6min);
    w.look(kNow + 6min);
    CHECK(w.look(kNow + 10min).fired == 1);
}

TEST_CASE("when too much waits the ledger says limit, and the schedule goes on", "[schedule]") {
    ScheduleWorld w;
    IntegrationPolicy policy;
    policy.most_waiting = 1;
    must(put_policy(w.db, kBy, w.acme.integration_id, policy));
    w.set(w.acme.id, "*/5 * * * *");
    w.look(kNow);
    CHECK(w.look(kNow + 5min).fired == 1);
    CHECK(w.look(kNow + 10min).fired == 0);
    CHECK(w.history()[0].slot.reason == SlotReason::limit);
    CHECK_FALSE(w.history()[0].trigger);
    CHECK(w.schedule().fire == kNow + 15min);
}

TEST_CASE("skipping while busy is judged by what is live, not by a mark a crash could leave",
          "[schedule]") {
    ScheduleWorld w;
    w.set(w.acme.id, "*/5 * * * *",
          [](ScheduleSettings& settings) { settings.when_busy = WhenBusy::skip; });
    w.look(kNow);
    CHECK(w.look(kNow + 5min).fired == 1);
    CHECK(w.look(kNow + 10min).fired == 0);  // the first still waits
    CHECK(w.history()[0].slot.reason == SlotReason::overlap);
    const auto release = must(latest_release(w.db, w.acme.integration_id));
    const Run run = must(begin_run(w.db, w.acme.id, release.id, RunMode::normal,
                                   {list_waiting_triggers(w.db, w.acme.id, 1)[0].id}, kNow));
    CHECK(w.look(kNow + 15min).fired == 0);
    must(move_run(w.db, run.id, 1, RunState::cancelled, "", kNow));  // as recovery would
    CHECK(w.look(kNow + 20min).fired == 1);
}

TEST_CASE("a tenant without a schedule of its own follows the integration's default",
          "[schedule]") {
    ScheduleWorld w;
    IntegrationPolicy policy;
    policy.schedule.text = "0 * * * *";
    must(put_policy(w.db, kBy, w.acme.integration_id, policy));
    CHECK(w.schedule().settings.text == "0 * * * *");
    CHECK_FALSE(w.schedule().own);
    CHECK(must(get_tenant(w.db, w.acme.id)).schedule == "0 * * * *");

    const Tenant late = add_tenant(w.db, w.acme.integration_id, "late");
    must(follow_user_schedule(w.db, kBy, late.id, w.texts));
    CHECK(must(get_schedule(w.db, late.id)).settings.text == "0 * * * *");

    policy.schedule.text = "30 * * * *";
    must(put_policy(w.db, kBy, w.acme.integration_id, policy));
    w.look(kNow);
    CHECK(w.schedule().fire == kNow + 30min);
    policy.schedule.text = "";
    must(put_policy(w.db, kBy, w.acme.integration_id, policy));
    CHECK_FALSE(w.schedule().enabled);
}

TEST_CASE("a user's schedule is checked, and chosen among those that are offered", "[schedule]") {
    ScheduleWorld w;
    IntegrationPolicy policy;
    policy.schedule.text = "0 * * * *";
    policy.allowed = {"0 * * * *", "*/30 * * * *"};
    must(put_policy(w.db, kBy, w.acme.integration_id, policy));
    Tenant acme = must(get_tenant(w.db, w.acme.id));
    const auto choose = [&](const std::string& text) {
        acme.user_schedule = text;
        must(update_tenant(w.db, kBy, acme));
        return follow_user_schedule(w.db, kBy, acme.id, w.texts);
    };
    CHECK_FAILS(choose("*/5 * * * *"), FailureKind::unprocessable,
                "offers these schedules only: '0 * * * *', '*/30 * * * *'");
    must(choose("*/30 * * * *"));
    CHECK(w.schedule().own);
    CHECK(must(get_tenant(w.db, w.acme.id)).schedule == "*/30 * * * *");
    must(choose(""));
    CHECK_FALSE(w.schedule().own);
    CHECK(w.schedule().settings.text == "0 * * * *");

    policy.allowed.clear();
    must(put_policy(w.db, kBy, w.acme.integration_id, policy));
    const auto refused = choose("61 * * * *");
    CHECK_FAILS(refused, FailureKind::unprocessable, "61");
    CHECK(refused.error().where == "body.user_schedule");
}

TEST_CASE("users choose no shorter interval than the integration offers", "[schedule]") {
    ScheduleWorld w;
    IntegrationPolicy policy;
    policy.shortest = 15min;
    must(put_policy(w.db, kBy, w.acme.integration_id, policy));
    Tenant acme = must(get_tenant(w.db, w.acme.id));
    const auto choose = [&](const std::string& text) {
        acme.user_schedule = text;
        must(update_tenant(w.db, kBy, acme));
        return follow_user_schedule(w.db, kBy, acme.id, w.texts);
    };
    for (const char* text : {"*/10 * * * *", "0,14 * * * *", "@every 14m"}) {
        INFO(text);
        const auto chosen = choose(text);
        CHECK_FAILS(chosen, FailureKind::unprocessable, "nothing more often than each 900 s");
        CHECK(chosen.error().where == "body.user_schedule");
    }
    must(choose("*/15 * * * *"));
    must(choose("59 23 * * *"));
    // What the administrator sets is the administrator's affair.
    w.set(w.acme.id, "* * * * *");
}

TEST_CASE("the watchdog finds what is armed too late, and nothing else", "[schedule]") {
    ScheduleWorld w;
    const Tenant slow = w.unpaused(add_tenant(w.db, w.acme.integration_id, "slow"));
    const Tenant gone = w.unpaused(add_tenant(w.db, w.acme.integration_id, "gone"));
    w.set(w.acme.id, "*/5 * * * *");
    w.set(slow.id, "0 0 1 1 *", [](ScheduleSettings& settings) { settings.jitter = 10min; });
    w.set(gone.id, "*/5 * * * *");
    must(archive_tenant(w.db, kBy, gone.id));
    w.look(kNow);
    const auto rounds = [&](Time now) {
        std::int64_t rearmed = 0;
        for (std::optional<ScheduleId> at = ScheduleId{}; at;) {
            const Watched watched = watch_schedules(w.db, w.texts, now, *at, 2);
            rearmed += watched.rearmed;
            at = watched.last;
        }
        return rearmed;
    };
    CHECK(rounds(kNow) == 0);
    CHECK(rounds(kNow + 3h) == 0);  // what is only due has its turn

    // Whatever could have put it there: a year late, and nothing would ever be noticed.
    w.db.db->exec("update schedules set fire = fire + $2 where tenant_id = $1",
                  {w.acme.id, std::chrono::microseconds{365 * 24h}.count()});
    CHECK(w.look(kNow + 10min).seen == 0);
    CHECK(rounds(kNow + 10min) == 1);
    CHECK(w.look(kNow + 10min).fired >= 1);
    CHECK(rounds(kNow + 10min) == 0);
}

TEST_CASE("a schedule that names the second is read where the administrator allows it",
          "[schedule]") {
    ScheduleSettings settings;
    settings.text = "*/20 * * * * *";
    ScheduleTexts refusing;
    CHECK_FAILS(refusing.find(settings), FailureKind::unprocessable,
                "six fields begin with the second, which is not allowed here");
    ScheduleTexts allowing{{Seconds::allowed, {}}};
    CHECK(must(allowing.find(settings))->shortest_interval() == 20s);
}

TEST_CASE("an archived tenant's schedule rests, and goes on when it is back", "[schedule]") {
    ScheduleWorld w;
    w.set(w.acme.id, "*/5 * * * *");
    w.look(kNow);
    must(archive_tenant(w.db, kBy, w.acme.id));
    CHECK(w.look(kNow + 5min).fired == 0);
    CHECK(w.history().empty());
    CHECK(w.schedule().fire == kNow + 5min + 24h);
    Tenant back = w.acme;
    back.archived = false;
    must(update_tenant(w.db, kBy, back));
    look_at_schedules(w.db, w.acme.id, kNow + 31min);
    w.look(kNow + 31min);
    CHECK(w.look(kNow + 35min).fired == 1);
}
