// A tenant with a schedule, over a real store, for the tests of the schedules' book.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "daemon/schedule_book.h"
#include "store/tenants.h"
#include "store/triggers.h"
#include "tests/store/support.h"

namespace berth::test {

// kNow is 2027-01-15 08:00:00 UTC.
struct ScheduleWorld {
    TestDb db = make_db();
    ScheduleTexts texts;
    Tenant acme = unpaused(add_world(db));

    Tenant unpaused(Tenant tenant) {
        tenant.paused = false;
        return must(update_tenant(db, kBy, tenant));
    }
    void set(TenantId tenant, const std::string& text,
             const std::function<void(ScheduleSettings&)>& change = {}) {
        ScheduleSettings settings;
        settings.text = text;
        if (change) change(settings);
        must(put_schedule(db, kBy, tenant, settings, /*own=*/true));
    }
    ScheduleStore::Look look(Time now) { return look_at_schedules(db, texts, now, 500); }
    TenantSchedule schedule() { return must(get_schedule(db, acme.id)); }
    std::vector<SlotView> history() { return slot_history(db, schedule().id, {}, 1000); }
    std::size_t waiting() { return list_waiting_triggers(db, acme.id, 1000).size(); }
};

}  // namespace berth::test
