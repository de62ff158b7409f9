// Schedules, the ledger of their slots, and whose turn it is.
#include "store/schedules.h"
#include "store/shares.h"
#include "tests/faults/operations.h"

namespace berth::test {
namespace {

using enum Effect;
using namespace std::chrono_literals;

IntegrationId some_integration(Db& db, Dice& dice) { return {dice.any(db, "integrations")}; }
TenantId some_tenant(Db& db, Dice& dice) { return {dice.any(db, "tenants")}; }
Result<std::string> done() { return std::string{"done"}; }

ScheduleSettings some_settings(Dice& dice) {
    ScheduleSettings settings;
    if (!dice.one_in(5)) settings.text = fmt::format("{} * * * *", dice.below(60));
    return settings;
}

Result<TenantSchedule> some_schedule(Db& db, Dice& dice) {
    return get_schedule(db, TenantId{dice.any(db, "schedules", "tenant_id")});
}

Result<std::string> advance(Db& db, Dice& dice) {
    auto before = some_schedule(db, dice);
    if (!before) return pass_on(before);
    TenantSchedule after = *before;
    after.settled = dice.now;
    if (after.enabled) after.nominal = after.fire = dice.now + 1h;
    return answer(advance_schedule(db, *before, after));
}

Result<std::string> write_one(Db& db, Dice& dice) {
    if (auto ok = at_most(db, "slots", 60); !ok) return pass_on(ok);
    auto schedule = some_schedule(db, dice);
    if (!schedule) return pass_on(schedule);
    Slot slot;
    slot.nominal = slot.last = time_from_micros(1'800'000'000'000'000) + dice.below(100) * 1min;
    slot.outcome = dice.one_in(2) ? SlotOutcome::fired : SlotOutcome::skipped;
    slot.reason = slot.outcome == SlotOutcome::fired ? SlotReason::none : SlotReason::downtime;
    std::optional<TriggerId> trigger;
    if (slot.outcome == SlotOutcome::fired) trigger = TriggerId{dice.hex(32)};
    return answer(write_slot(db, *schedule, slot, trigger, dice.now));
}

}  // namespace

std::vector<Operation> schedule_operations() {
    return {
        {"get_policy", reads, 1,
         [](Db& db, Dice& dice) {
             return answer(get_policy(db, some_integration(db, dice)).schedule.text);
         }},
        {"put_policy", writes, 2,
         [](Db& db, Dice& dice) {
             IntegrationPolicy policy;
             policy.schedule = some_settings(dice);
             return answer(put_policy(db, dice.by(), some_integration(db, dice), policy));
         }},
        {"get_schedule", reads, 1,
         [](Db& db, Dice& dice) { return answer(some_schedule(db, dice)); }},
        {"list_schedules", reads, 1,
         [](Db& db, Dice&) { return answer(list_schedules(db, {}, {}, 100)); }},
        {"put_schedule", writes, 4,
         [](Db& db, Dice& dice) {
             return answer(put_schedule(db, dice.by(), some_tenant(db, dice), some_settings(dice),
                                        /*own=*/true));
         }},
        {"due_schedules", reads, 1,
         [](Db& db, Dice& dice) { return answer(due_schedules(db, dice.now + 48h, 20).size()); }},
        {"next_look", reads, 1, [](Db& db, Dice&) { return answer(next_look(db).has_value()); }},
        {"advance_schedule", writes, 4, advance},
        {"look_at_schedules", writes, 1,
         [](Db& db, Dice& dice) {
             if (dice.one_in(2))
                 look_at_schedules(db, some_tenant(db, dice), dice.now);
             else
                 look_at_schedules(db, some_integration(db, dice), dice.now);
             return done();
         }},
        {"look_at_schedules_ahead", writes, 1,
         [](Db& db, Dice& dice) {
             look_at_schedules_ahead(db, dice.now);
             return done();
         }},
        {"write_slot", writes, 6, write_one},
        {"slot_skipped", writes, 1,
         [](Db& db, Dice& dice) {
             const auto row =
                 db.one("select schedule_id, nominal from slots where outcome = 'fired' limit 1");
             if (!row) return Result<std::string>{fail(FailureKind::not_found, "no slot")};
             slot_skipped(db, ScheduleId{row->integer(0)}, time_from_micros(row->integer(1)),
                          SlotReason::limit);
             (void)dice;
             return done();
         }},
        {"slot_history", reads, 1,
         [](Db& db, Dice& dice) {
             return answer(slot_history(db, ScheduleId{dice.any(db, "schedules")}, {}, 20).size());
         }},
        {"prune_slots", writes, 1,
         [](Db& db, Dice& dice) { return answer(prune_slots(db, dice.now, ScheduleId{}, 10)); }},
        {"charge", writes, 1,
         [](Db& db, Dice& dice) {
             const TenantId tenant = some_tenant(db, dice);
             if (!tenant) return Result<std::string>{fail(FailureKind::not_found, "nobody")};
             charge(db, tenant, 1s);
             return done();
         }},
        {"waiting_load", reads, 1,
         [](Db& db, Dice& dice) {
             return answer(
                 waiting_load(db, some_tenant(db, dice), some_integration(db, dice)).host);
         }},
        {"integrations_waiting", reads, 1,
         [](Db& db, Dice&) { return answer(integrations_waiting(db)); }},
        {"turns", reads, 1,
         [](Db& db, Dice& dice) {
             return answer(turns(db, some_integration(db, dice), 10).size());
         }},
        {"next_turns", reads, 1, [](Db& db, Dice&) { return answer(next_turns(db, 10).size()); }},
        {"postpone", writes, 1,
         [](Db& db, Dice&) {
             for (const Turn& turn : next_turns(db, 1))
                 postpone(db, turn.tenant, turn.integration);
             return done();
         }},
        {"park", writes, 1,
         [](Db& db, Dice& dice) {
             park(db, some_tenant(db, dice));
             return done();
         }},
        {"unpark", writes, 2,
         [](Db& db, Dice& dice) {
             unpark(db, some_tenant(db, dice));
             return done();
         }},
        {"forget_credit", writes, 1,
         [](Db& db, Dice& dice) {
             forget_credit(db, some_integration(db, dice));
             return done();
         }},
        {"starts_of", reads, 1,
         [](Db& db, Dice& dice) {
             const Time since = dice.now - 60s;
             return answer(starts_of(db, some_tenant(db, dice), since, 10).count +
                           starts_of(db, some_integration(db, dice), since, 10).count);
         }},
        {"starts_of_host", reads, 1,
         [](Db& db, Dice& dice) { return answer(starts_of_host(db, dice.now - 60s, 10).count); }},
    };
}

}  // namespace berth::test
