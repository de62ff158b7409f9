// Schedules of tenants, the defaults and caps of integrations, and the ledger of
// what became of each due instant. `Enabled and nothing armed` is forbidden by the
// schema; that an instant fires once, by the ledger's key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/schedule_settings.h"
#include "model/values.h"
#include "store/audit.h"
#include "store/db.h"

namespace berth {

IntegrationPolicy get_policy(Db& db, IntegrationId id);
// Checked by the caller. Tenants that follow the default follow the new one.
Result<void> put_policy(Db& db, const By& by, IntegrationId id, const IntegrationPolicy& policy);

Result<TenantSchedule> get_schedule(Db& db, TenantId tenant);
std::vector<TenantSchedule> list_schedules(Db& db, std::optional<IntegrationId> integration,
                                           ScheduleId after, std::int64_t limit);
// Checked by the caller; an empty text turns it off. Its grid begins now: what the
// old settings would have fired before is past.
Result<TenantSchedule> put_schedule(Db& db, const By& by, TenantId tenant,
                                    const ScheduleSettings& settings, bool own);

// A schedule whose time has come, with what decides about it.
struct DueSchedule {
    TenantSchedule schedule;
    bool archived = false;  // its tenant or integration
    bool paused = false;    // likewise
    bool busy = false;      // a run of its tenant is live, or a firing waits; for WhenBusy::skip
    bool runnable = false;  // the integration has a release
};
std::vector<DueSchedule> due_schedules(Db& db, Time now, std::int64_t limit);
// When the first of all enabled schedules is to be looked at.
std::optional<Time> next_look(Db& db);
// Moves a schedule on. conflict when it has moved since it was read.
Result<void> advance_schedule(Db& db, const TenantSchedule& before, const TenantSchedule& after);
// Looks at these at once: they were paused or archived and may go on.
void look_at_schedules(Db& db, TenantId tenant, Time now);
void look_at_schedules(Db& db, IntegrationId integration, Time now);
// And at all that stand ahead of the clock: it went back.
void look_at_schedules_ahead(Db& db, Time now);
void look_at_schedules(Db& db, Time now);  // all

// Writes a slot. One that fired takes the place of one that was skipped; false when
// the instant has fired already, and then nothing is changed.
bool write_slot(Db& db, const TenantSchedule& schedule, const Slot& slot,
                const std::optional<TriggerId>& trigger, Time now);
// The trigger could not be kept after all.
void slot_skipped(Db& db, ScheduleId schedule, Time nominal, SlotReason reason);

// Newest first, before `before` (nothing: from the newest on).
std::vector<SlotView> slot_history(Db& db, ScheduleId schedule, std::optional<Time> before,
                                   std::int64_t limit);

// Cuts the ledgers of up to `limit` schedules after `after`: the newest kSlotsKept
// of each stay, and never more than kSlotsMost; between them the age decides.
// Answers with the last schedule it has seen; nothing after the last one.
inline constexpr std::int64_t kSlotsKept = 100;
inline constexpr std::int64_t kSlotsMost = 1'000;
std::optional<ScheduleId> prune_slots(Db& db, Time older_than, ScheduleId after,
                                      std::int64_t limit);

}  // namespace berth
