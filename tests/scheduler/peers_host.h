// One host in a test of complaints: the real store and the schedules' book, under a clock
// that the test turns.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "daemon/schedule_book.h"
#include "scheduler/bundle.h"
#include "scheduler/schedules.h"
#include "store/integrations.h"
#include "store/runs.h"
#include "store/tenants.h"
#include "store/triggers.h"
#include "tests/store/support.h"

namespace berth::test {

using namespace std::chrono_literals;

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

inline ScheduleTexts with_seconds() { return ScheduleTexts{{Seconds::allowed, {}}}; }

}  // namespace berth::test
