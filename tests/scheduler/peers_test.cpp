// What users of other schedulers complain of most, each as a test that would fail if it
// happened here. docs/complaints.md is the list; complaints_test holds it against the tests.
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "daemon/schedule_book.h"
#include "daemon/schedule_warning.h"
#include "model/jitter.h"
#include "scheduler/bundle.h"
#include "scheduler/schedules.h"
#include "store/integrations.h"
#include "store/runs.h"
#include "store/tenants.h"
#include "store/triggers.h"
#include "tests/scheduler/held_alarms.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

// One host's schedules and runs, with a clock that the test turns: what is due is looked
// at each second, a tenant's waiting triggers become its next run, and a run ends when
// its time has passed. kNow is 2027-01-15 08:00:00 UTC.
struct Host {
    TestDb db = make_db();
    ScheduleTexts texts;
    Time now = kNow;
    Tenant acme = live(add_world(db));
    std::chrono::seconds run_time{0};

    Tenant live(Tenant tenant) {
        tenant.paused = false;
        return must(update_tenant(db, by(), tenant));
    }
    By by() const { return {"uid 0", now}; }
    void set(const std::string& text, const std::function<void(ScheduleSettings&)>& change = {}) {
        ScheduleSettings settings;
        settings.text = text;
        if (change) change(settings);
        must(put_schedule(db, by(), acme.id, settings, /*own=*/true));
    }
    void pause(bool paused) {
        Tenant tenant = must(get_tenant(db, acme.id));
        tenant.paused = paused;
        must(update_tenant(db, by(), tenant));
        look_at_schedules(db, acme.id, now);
    }
    void pause_integration(bool paused) {
        Integration integration = must(get_integration(db, acme.integration_id));
        integration.paused = paused;
        must(update_integration(db, by(), integration));
        look_at_schedules(db, acme.integration_id, now);
    }
    TenantSchedule schedule() { return must(get_schedule(db, acme.id)); }
    std::vector<SlotView> history() {
        auto slots = slot_history(db, schedule().id, {}, 1000);
        std::ranges::reverse(slots);  // oldest first
        return slots;
    }
    std::vector<Time> fired() {
        std::vector<Time> times;
        for (const SlotView& view : history())
            if (view.slot.outcome == SlotOutcome::fired) times.push_back(view.slot.nominal);
        return times;
    }

    void look() {
        while (look_at_schedules(db, texts, now, 500).seen == 500) {
        }
    }
    void begin(TenantId tenant) {
        const auto bundle = next_bundle(bundle_candidates(db, tenant, 400));
        if (!bundle) return;
        Run run = must(begin_run(db, tenant, ReleaseId{1}, bundle->mode, bundle->triggers, now));
        for (const auto state : {RunState::preparing, RunState::starting, RunState::running})
            run = must(move_run(db, run.id, run.attempt, state, "", now));
    }
    void step() {
        look();
        for (const Run& run : live_runs(db))
            if (now - *run.started >= run_time)
                must(move_run(db, run.id, run.attempt, RunState::succeeded, "", now));
        for (const TenantId tenant : tenants_ready(db, 100))
            if (!live_run_of(db, tenant)) begin(tenant);
    }
    // Time passes second by second; `down`: nobody looks.
    void pass(std::chrono::seconds time) {
        for (auto end = now + time; now < end; now += 1s)
            step();
        step();
    }
    void down(std::chrono::seconds time) { now += time; }
    void move_to(std::string_view time) { now = parse_rfc3339(time).value(); }
};

ScheduleTexts with_seconds() { return ScheduleTexts{{Seconds::allowed, {}}}; }

}  // namespace

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

TEST_CASE("a daily job is not one hour late after the clocks have changed", "[peers]") {
    Host host;
    host.move_to("2027-03-26T12:00:00Z");
    host.set("30 9 * * *", [](ScheduleSettings& settings) { settings.zone = "Europe/Berlin"; });
    for (int hour = 0; hour < 4 * 24; ++hour, host.now += 1h)
        host.look();
    std::vector<std::string> at;
    for (const Time time : host.fired())
        at.push_back(to_rfc3339(time).substr(0, 16));
    CHECK(at == std::vector<std::string>{"2027-03-27T08:30", "2027-03-28T07:30", "2027-03-29T07:30",
                                         "2027-03-30T07:30"});
}

TEST_CASE("a clock that jumps replays nothing and silences nothing", "[peers]") {
    const auto jump = GENERATE(-1h, 1h, -24h, 24h);
    INFO(std::chrono::duration_cast<std::chrono::hours>(jump).count());
    Host host;
    host.set("* * * * *", [](ScheduleSettings& settings) { settings.missed = MissedPolicy::skip; });
    host.pass(5min);
    const auto before = host.fired();
    host.now += jump;
    look_at_schedules_ahead(host.db, host.now);
    const Time jumped = host.now;
    host.pass(5min);
    const auto fired = host.fired();
    CHECK(std::set<Time>(fired.begin(), fired.end()).size() == fired.size());
    std::size_t since = 0;
    for (const Time time : fired)
        if (time > jumped - 31s) ++since;
    if (jump > 0h) CHECK(since >= 5);  // it goes on by the new clock
    CHECK(fired.size() >= before.size());
    host.pass(std::chrono::duration_cast<std::chrono::seconds>(std::max(-jump, 0h)) + 5min);
    CHECK(host.fired().size() > before.size());
}

TEST_CASE("what was missed is decided by one policy, whatever it was missed by", "[peers]") {
    struct Case {
        MissedPolicy policy;
        std::size_t made_up;
    };
    const auto [policy, made_up] = GENERATE(
        values<Case>({{MissedPolicy::skip, 0}, {MissedPolicy::one, 1}, {MissedPolicy::all, 3}}));
    const std::string by = GENERATE("downtime", "pause", "pause of the integration");
    INFO(to_string(policy) << " after a " << by);
    Host host;
    host.set("0 * * * *",
             [policy = policy](ScheduleSettings& settings) { settings.missed = policy; });
    host.pass(61min);
    REQUIRE(host.fired().size() == 1);
    if (by == "downtime") {
        host.down(3h);
    } else {
        by == "pause" ? host.pause(true) : host.pause_integration(true);
        for (int minute = 0; minute < 3 * 60; ++minute, host.now += 1min)
            host.look();
        CHECK(host.fired().size() == 1);
        by == "pause" ? host.pause(false) : host.pause_integration(false);
    }
    host.look();
    CHECK(host.fired().size() == 1 + made_up);
    host.pass(59min);
    CHECK(host.fired().size() == 2 + made_up);  // and then it goes on as ever
}

TEST_CASE("whoever wants the other rule at a clock change sets it on the schedule", "[peers]") {
    struct Case {
        GapRule gap;
        OverlapRule overlap;
        std::size_t spring, autumn;
    };
    const auto [gap, overlap, spring, autumn] =
        GENERATE(values<Case>({{GapRule::skip, OverlapRule::first, 0, 1},
                               {GapRule::at_end, OverlapRule::second, 1, 1},
                               {GapRule::shifted, OverlapRule::both, 1, 2}}));
    const auto fires = [gap = gap, overlap = overlap](std::string_view night) {
        Host host;
        host.move_to(night);
        host.set("30 2 * * *", [&](ScheduleSettings& settings) {
            settings.zone = "Europe/Berlin";
            settings.rule = {gap, overlap};
        });
        for (int minute = 0; minute < 6 * 60; ++minute, host.now += 1min)
            host.look();
        return host.fired().size();
    };
    CHECK(fires("2027-03-27T23:00:00Z") == spring);
    CHECK(fires("2027-10-30T22:00:00Z") == autumn);
}

TEST_CASE("a schedule of each minute is not silent in the repeated hour", "[peers]") {
    Host host;
    host.move_to("2027-10-30T23:30:00Z");
    host.set("* * * * *", [](ScheduleSettings& settings) { settings.zone = "Europe/Berlin"; });
    for (int minute = 0; minute <= 180; ++minute, host.now += 1min)
        host.look();
    CHECK(host.fired().size() == 180);
}

TEST_CASE("a random delay is not drawn again at a restart, so it cannot be put off for ever",
          "[peers]") {
    Host host;
    host.set("0 12 * * *", [](ScheduleSettings& settings) { settings.jitter = 30min; });
    host.look();
    const auto fire = host.schedule().fire;
    const auto delay = jitter(host.acme.id, 0, 30min);
    REQUIRE(delay > 1s);
    // A restart each minute, right into the time in which it would be drawn again.
    for (host.move_to("2027-01-15T12:00:00Z"); host.now < *fire; host.now += 1min) {
        ScheduleTexts fresh;
        CHECK(look_at_schedules(host.db, fresh, host.now, 500).fired == 0);
        CHECK(host.schedule().fire == fire);
    }
    host.look();
    REQUIRE(host.fired().size() == 1);
    CHECK(host.fired()[0] + delay == *fire);
}

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
