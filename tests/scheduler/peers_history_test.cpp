// What users of other schedulers complain of, around crashes, history and bursts.
// docs/complaints.md is the list.
#include <catch2/catch.hpp>

#include "tests/scheduler/peers_host.h"

using namespace berth;
using namespace berth::test;
using Catch::Matchers::Contains;

TEST_CASE("a crash during a run does not wedge a schedule that skips while busy", "[peers]") {
    Host host;
    host.run_time = 24h;
    host.set("* * * * *", [](ScheduleSettings& settings) { settings.when_busy = WhenBusy::skip; });
    host.pass(3min);
    REQUIRE(live_runs(host.db).size() == 1);
    CHECK(host.fired().size() == 1);
    // The machine dies with the run in state `running`; what was there is recovered by
    // what lives, not by what the row says.
    for (const Run& run : live_runs(host.db))
        must(move_run(host.db, run.id, run.attempt, RunState::failed_platform, "lost", host.now));
    host.pass(2min);
    CHECK(host.fired().size() == 2);  // and never two at once
    CHECK(live_runs(host.db).size() == 1);
}

TEST_CASE("a run that has ended is never rewritten, whoever says what", "[peers]") {
    using enum RunState;
    for (const auto final : {succeeded, failed_integration, failed_timeout, cancelled}) {
        Host host;
        must(accept_trigger(host.db, trigger_for(host.acme.id)));
        host.begin(host.acme.id);
        Run run = live_runs(host.db).at(0);
        run = must(move_run(host.db, run.id, run.attempt, final, "", host.now));
        for (int state = 0; state <= static_cast<int>(cancelled); ++state) {
            INFO(to_string(final) << " → " << to_string(static_cast<RunState>(state)));
            CHECK_FAILS(
                move_run(host.db, run.id, run.attempt, static_cast<RunState>(state), "", host.now),
                FailureKind::conflict, "cannot become");
        }
        CHECK(live_runs(host.db).empty());  // which is all that recovery looks at
        CHECK(must(get_run(host.db, run.id)).state == final);
    }
}

TEST_CASE("the ledger does not grow without end", "[peers]") {
    Host host;
    host.set("* * * * *");
    host.db.db->begin_write();
    for (int minute = 0; minute < 1200; ++minute, host.now += 1min)
        host.look();
    host.db.db->commit();
    prune_slots(host.db, host.now - 30 * 24h, {}, 100);
    CHECK(count(host.db, "slots") <= kSlotsMost);
    CHECK(count(host.db, "slots") >= kSlotsKept);
}

TEST_CASE("no list of the history reads more than it shows", "[peers]") {
    Host host;
    const auto plan = [&](const std::string& sql) {
        std::string text;
        for (const Row& row : host.db.db->query("explain query plan " + sql))
            text += row.text(3) + "; ";
        return text;
    };
    // As list_runs, the ledger and the list of schedules ask for their first page.
    for (const std::string where : {"", "where tenant_id = 1", "where integration_id = 1",
                                    "where state = 'succeeded' and tenant_id = 1"}) {
        const auto found = plan("select * from runs " + where + " order by id desc limit 100");
        INFO(where << ": " << found);
        CHECK_THAT(found, !Contains("TEMP B-TREE"));
        if (!where.empty()) CHECK_THAT(found, Contains("INDEX"));
    }
    CHECK_THAT(plan("select * from slots where schedule_id = 1 order by nominal desc limit 100"),
               Contains("INDEX") && !Contains("TEMP B-TREE"));
    CHECK_THAT(plan("select * from schedules where fire <= 1 order by fire limit 500"),
               Contains("schedules_fire") && !Contains("TEMP B-TREE"));
}

TEST_CASE("a burst of schedules in one second fires in slices, and all of it", "[peers]") {
    constexpr int kMany = 3'000;
    Host host;
    host.db.db->begin_write();
    std::vector<TenantId> tenants;
    for (int i = 0; i < kMany; ++i) {
        const Tenant tenant =
            host.live(add_tenant(host.db, host.acme.integration_id, fmt::format("burst-{}", i)));
        ScheduleSettings settings;
        settings.text = "0 9 * * *";
        must(put_schedule(host.db, host.by(), tenant.id, settings, /*own=*/true));
    }
    host.db.db->commit();
    host.look();
    host.move_to("2027-01-15T09:00:00Z");
    std::int64_t fired = 0;
    int slices = 0;
    for (;; ++slices) {
        host.db.db->begin_write();
        const auto look = look_at_schedules(host.db, host.texts, host.now, ScheduleEngine::kAtOnce);
        host.db.db->commit();
        CHECK(look.seen <= ScheduleEngine::kAtOnce);
        fired += look.fired;
        if (look.seen == 0) break;
    }
    CHECK(fired == kMany);
    CHECK(slices == kMany / ScheduleEngine::kAtOnce);
}

TEST_CASE("a schedule of each minute is nobody's privilege unless the operator says so",
          "[peers]") {
    Host host;
    host.set("* * * * *");
    CHECK(host.schedule().enabled);
    Tenant acme = must(get_tenant(host.db, host.acme.id));
    acme.user_schedule = "* * * * *";
    must(update_tenant(host.db, host.by(), acme));
    must(follow_user_schedule(host.db, host.by(), acme.id, host.texts));
    IntegrationPolicy policy;
    policy.shortest = 1h;
    must(put_policy(host.db, host.by(), acme.integration_id, policy));
    CHECK_FAILS(follow_user_schedule(host.db, host.by(), acme.id, host.texts),
                FailureKind::unprocessable, "nothing more often than each 3600 s");
}
