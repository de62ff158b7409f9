// The ledger of schedules: what became of each due instant.
#include "store/schedules.h"
#include "store/sql.h"

namespace berth {

bool write_slot(Db& db, const TenantSchedule& schedule, const Slot& slot,
                const std::optional<TriggerId>& trigger, Time now) {
    // An instant that was left out may fire after all, never the other way round, and
    // a slot that stands for many may grow.
    return db.exec(
               "insert into slots (schedule_id, nominal, tenant_id, last, instants, outcome,"
               " reason, late_us, trigger_id, recorded)"
               " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
               " on conflict (schedule_id, nominal) do update set last = excluded.last,"
               " instants = excluded.instants, outcome = excluded.outcome,"
               " reason = excluded.reason, late_us = excluded.late_us,"
               " trigger_id = excluded.trigger_id, recorded = excluded.recorded"
               " where slots.outcome = 'skipped'"
               " and (excluded.outcome = 'fired' or excluded.last > slots.last)",
               {schedule.id, slot.nominal, schedule.tenant_id, slot.last, slot.instants,
                to_string(slot.outcome), to_string(slot.reason), slot.late.count(), trigger, now}) >
           0;
}

void slot_skipped(Db& db, ScheduleId schedule, Time nominal, SlotReason reason) {
    db.exec(
        "update slots set outcome = 'skipped', trigger_id = null, reason = $3"
        " where schedule_id = $1 and nominal = $2",
        {schedule, nominal, to_string(reason)});
}

std::vector<SlotView> slot_history(Db& db, ScheduleId schedule, std::optional<Time> before,
                                   std::int64_t limit) {
    constexpr Time kEver = Time::max();
    return read_rows(
        db.query("select nominal, last, instants, outcome, reason, late_us, trigger_id,"
                 " triggers.run_id, case when exists (select 1 from triggers as others"
                 "  where others.run_id = triggers.run_id and others.seq < triggers.seq)"
                 " then 1 else 0 end"
                 " from slots left join triggers on triggers.id = slots.trigger_id"
                 " where schedule_id = $1 and nominal < $2 order by nominal desc limit $3",
                 {schedule, before.value_or(kEver), limit}),
        [](const Row& row) {
            Columns c{row};
            SlotView view;
            view.slot.nominal = c.time();
            view.slot.last = c.time();
            view.slot.instants = c.integer();
            view.slot.outcome = c.word(parse_slot_outcome);
            view.slot.reason = c.word(parse_slot_reason);
            view.slot.late = std::chrono::microseconds{c.integer()};
            view.trigger = c.maybe([](Columns& columns) { return TriggerId{columns.text()}; });
            view.run = c.maybe_id<RunId>();
            view.bundled = c.flag();
            return view;
        });
}

namespace {

// The nominal instant of the schedule's `nth` newest slot.
std::optional<Time> nth_newest_slot(Db& db, ScheduleId schedule, std::int64_t nth) {
    const auto row = db.one(
        "select nominal from slots where schedule_id = $1 order by nominal desc"
        " limit 1 offset $2",
        {schedule, nth - 1});
    if (!row) return {};
    return Columns{*row}.time();
}

// A clock that is wrong by years moves the age, but not the newest slots: what
// stays is counted, so the floor below which nothing fires stays in the past.
void prune(Db& db, ScheduleId schedule, Time older_than) {
    const auto kept = nth_newest_slot(db, schedule, kSlotsKept);
    if (!kept) return;
    Time cut = std::min(*kept, older_than);
    if (const auto most = nth_newest_slot(db, schedule, kSlotsMost)) cut = std::max(cut, *most);
    // Only of what fired must be remembered that it is gone: what was left out in a
    // future that a wrong clock has shown may yet come.
    const auto fired = db.must(
        "select max(nominal) from slots where schedule_id = $1 and nominal < $2"
        " and outcome = 'fired'",
        {schedule, cut});
    db.exec("delete from slots where schedule_id = $1 and nominal < $2", {schedule, cut});
    if (!fired.is_null(0))
        db.exec("update schedules set forgotten = $2 where id = $1 and forgotten < $2",
                {schedule, time_from_micros(fired.integer(0))});
}

}  // namespace

std::optional<ScheduleId> prune_slots(Db& db, Time older_than, ScheduleId after,
                                      std::int64_t limit) {
    const auto rows =
        db.query("select id from schedules where id > $1 order by id limit $2", {after, limit});
    for (const Row& row : rows)
        prune(db, ScheduleId{row.integer(0)}, older_than);
    if (static_cast<std::int64_t>(rows.size()) < limit) return {};
    return ScheduleId{rows.back().integer(0)};
}

}  // namespace berth
