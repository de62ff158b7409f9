#include "store/runs.h"

#include <algorithm>
#include <array>

#include "model/json.h"
#include "model/limits.h"
#include "store/leases.h"
#include "store/shares.h"
#include "store/sql.h"

namespace berth {
namespace {

constexpr std::string_view kSelect =
    "select id, tenant_id, integration_id, release_id, mode, state, attempt, reason, std_out,"
    " grants, warm, refused_syscalls, tree_empty, user_us, system_us, max_rss_bytes,"
    " memory_peak_bytes, io_read_bytes, io_write_bytes, log_bytes, sent_bytes, received_bytes,"
    " queued_us, preparing_us, starting_us, running_us, state_since, rerun_of, keeps_state,"
    " created, started, completed from runs";

constexpr std::array kSortFields{
    SortField{"id", "id"},
    SortField{"created_date", "created"},
    SortField{"started_date", "started"},
    SortField{"completed_date", "completed"},
};

Run read_run(const Row& row) {
    Columns c{row};
    Run run;
    run.id = c.id<RunId>();
    run.tenant_id = c.id<TenantId>();
    run.integration_id = c.id<IntegrationId>();
    run.release_id = c.id<ReleaseId>();
    run.mode = c.word(parse_run_mode);
    run.state = c.word(parse_run_state);
    run.attempt = static_cast<int>(c.integer());
    run.reason = c.text();
    run.std_out = c.text();
    run.grants = c.text();
    run.warm = c.flag();
    run.refused_syscalls = read_list(c.text());
    run.tree_empty = c.flag();
    run.usage.user_us = c.integer();
    run.usage.system_us = c.integer();
    run.usage.max_rss_bytes = c.bytes();
    run.usage.memory_peak_bytes = c.bytes();
    run.usage.io_read_bytes = c.bytes();
    run.usage.io_write_bytes = c.bytes();
    run.usage.log_bytes = c.bytes();
    run.usage.sent_bytes = c.bytes();
    run.usage.received_bytes = c.bytes();
    for (auto* time :
         {&run.times.queued, &run.times.preparing, &run.times.starting, &run.times.running})
        *time = std::chrono::microseconds{c.integer()};
    run.times.since = c.maybe_time();
    run.rerun_of = c.maybe_id<RunId>();
    run.keeps_state = c.flag();
    run.created = c.time();
    run.started = c.maybe_time();
    run.completed = c.maybe_time();
    return run;
}

void write_event(Db& db, const Run& run, std::string_view note, Time now) {
    db.exec(
        "insert into run_events (run_id, tenant_id, attempt, state, note, time)"
        " values ($1, $2, $3, $4, $5, $6)",
        {run.id, run.tenant_id, run.attempt, to_string(run.state), note, now});
}

// Gives waiting triggers to the run and puts the tenant's sum right.
Result<void> bind_triggers(Db& db, const Run& run, const std::vector<TriggerId>& triggers) {
    for (const TriggerId& id : triggers) {
        const auto bound = db.exec(
            "update triggers set run_id = $1 where id = $2 and tenant_id = $3 and run_id is null",
            {run.id, id, run.tenant_id});
        if (bound == 0)
            return fail(FailureKind::conflict,
                        "trigger '{}' does not wait for a run of tenant '{}'", id.value,
                        run.tenant_id.value);
    }
    const auto oldest = db.one(
        "select seq from triggers where tenant_id = $1 and run_id is null order by seq limit 1",
        {run.tenant_id});
    take_waiting(db, run.tenant_id, static_cast<std::int64_t>(triggers.size()),
                 oldest ? std::optional{oldest->integer(0)} : std::nullopt);
    return {};
}

// Charges the time since its last change to the state that it leaves.
void leave_state(Run& run, Time now) {
    const auto passed = std::max(now - run.times.since.value_or(now), std::chrono::microseconds{0});
    if (run.state == RunState::queued) run.times.queued += passed;
    if (run.state == RunState::preparing) run.times.preparing += passed;
    if (run.state == RunState::starting) run.times.starting += passed;
    if (run.state == RunState::running) run.times.running += passed;
    run.times.since = now;
}

// What this attempt used joins what the earlier ones did.
void add_usage(Usage& sum, const Usage& attempt) {
    sum.user_us += attempt.user_us;
    sum.system_us += attempt.system_us;
    sum.max_rss_bytes = std::max(sum.max_rss_bytes, attempt.max_rss_bytes);
    sum.memory_peak_bytes = std::max(sum.memory_peak_bytes, attempt.memory_peak_bytes);
    sum.io_read_bytes += attempt.io_read_bytes;
    sum.io_write_bytes += attempt.io_write_bytes;
    sum.log_bytes += attempt.log_bytes;
}

// The one statement that writes a state: only from the state and the attempt the
// decision was made on. `run` holds the values to be written.
Result<Run> write_state(Db& db, const Run& run, RunState from, int from_attempt,
                        std::string_view note, Time now) {
    // 'and state': on PostgreSQL the run may have moved since it was read.
    const auto moved = db.exec(
        "update runs set state = $4, attempt = $5, reason = $6, std_out = $7, grants = $8,"
        " user_us = $9, system_us = $10, max_rss_bytes = $11, log_bytes = $12, started = $13,"
        " completed = $14, warm = $15, refused_syscalls = $16, tree_empty = $17,"
        " memory_peak_bytes = $18, io_read_bytes = $19, io_write_bytes = $20,"
        " queued_us = $21, preparing_us = $22, starting_us = $23, running_us = $24,"
        " state_since = $25"
        " where id = $1 and attempt = $2 and state = $3",
        {run.id,
         from_attempt,
         to_string(from),
         to_string(run.state),
         run.attempt,
         run.reason,
         run.std_out,
         run.grants,
         run.usage.user_us,
         run.usage.system_us,
         run.usage.max_rss_bytes,
         run.usage.log_bytes,
         run.started,
         run.completed,
         run.warm,
         list_text(run.refused_syscalls),
         run.tree_empty,
         run.usage.memory_peak_bytes,
         run.usage.io_read_bytes,
         run.usage.io_write_bytes,
         run.times.queued.count(),
         run.times.preparing.count(),
         run.times.starting.count(),
         run.times.running.count(),
         run.times.since});
    if (moved == 0)
        return fail(FailureKind::conflict, "run '{}' has just changed; look again", run.id.value);
    write_event(db, run, note, now);
    return run;
}

// The run, if this attempt may speak for it and the change is allowed.
Result<Run> check_move(Db& db, RunId id, int attempt, RunState to) {
    auto run = get_run(db, id);
    if (!run) return run;
    if (run->attempt != attempt)
        return fail(FailureKind::conflict,
                    "run '{}' is at attempt {}; what attempt {} says no longer counts", id.value,
                    run->attempt, attempt);
    if (auto may = may_write(db, id); !may) return pass_on(may);
    if (!may_become(run->state, to))
        return fail(FailureKind::conflict, "run '{}' is {} and cannot become {}", id.value,
                    to_string(run->state), to_string(to));
    return run;
}

std::optional<Run> last_ended(Db& db, std::string_view condition, TenantId tenant, RunId before) {
    const auto row =
        db.one(fmt::format("{} where tenant_id = $1 and (id < $2 or $2 = 0) and keeps_state = 1"
                           " and {} order by id desc"
                           " limit 1",
                           kSelect, condition),
               {tenant, before});
    if (!row) return {};
    return read_run(*row);
}

}  // namespace

Result<Run> begin_run(Db& db, TenantId tenant, ReleaseId release, RunMode mode,
                      const std::vector<TriggerId>& triggers, Time now,
                      const std::optional<Rerun>& rerun) {
    if (triggers.size() > limits::kTriggersPerRun)
        return fail(FailureKind::over_limit, "a run takes at most {} triggers, not {}",
                    limits::kTriggersPerRun, triggers.size());
    const auto owner =
        db.one("select integration_id, archived from tenants where id = $1", {tenant});
    if (!owner) return fail(FailureKind::not_found, "there is no tenant '{}'", tenant.value);
    if (owner->integer(1) != 0)
        return fail(FailureKind::conflict, "tenant '{}' is archived and starts no run",
                    tenant.value);
    const IntegrationId integration{owner->integer(0)};
    if (!db.one("select 1 from releases where id = $1 and integration_id = $2",
                {release, integration}))
        return fail(FailureKind::not_found, "integration '{}' has no release '{}'",
                    integration.value, release.value);

    const auto row = db.one(
        "insert into runs (tenant_id, integration_id, release_id, mode, state, attempt, reason,"
        " std_out, grants, user_us, system_us, max_rss_bytes, log_bytes, created, state_since,"
        " rerun_of, keeps_state)"
        " values ($1, $2, $3, $4, 'queued', 1, '', '', '', 0, 0, 0, 0, $5, $5, $6, $7)"
        " on conflict do nothing returning id",
        {tenant, integration, release, to_string(mode), now,
         rerun ? std::optional{rerun->origin} : std::nullopt, !rerun || rerun->keeps_state});
    if (!row)
        return fail(FailureKind::conflict, "tenant '{}' has a live run already", tenant.value);
    auto run = get_run(db, RunId{row->integer(0)});
    if (!run) return run;
    if (auto ok = bind_triggers(db, *run, triggers); !ok) return pass_on(ok);
    write_event(db, *run, rerun ? describe(*rerun) : std::string{}, now);
    return run;
}

Result<Run> move_run(Db& db, RunId id, int attempt, RunState to, std::string_view note, Time now,
                     const RunEnd& end) {
    auto run = check_move(db, id, attempt, to);
    if (!run) return run;
    const RunState from = run->state;
    const auto took = run->started ? now - *run->started : std::chrono::microseconds{0};
    leave_state(*run, now);
    run->state = to;
    if (to == RunState::running) run->started = now;
    if (to == RunState::queued) {  // whoever speaks for the old attempt is refused from now on
        run->attempt = attempt + 1;
        run->started.reset();
        run->warm = false;
    }
    if (is_final(to)) run->completed = now;
    if (end.reason) run->reason = *end.reason;
    if (end.std_out) run->std_out = *end.std_out;
    if (end.grants) run->grants = *end.grants;
    if (end.warm) run->warm = *end.warm;
    if (end.refused_syscalls) run->refused_syscalls = *end.refused_syscalls;
    if (end.tree_empty) run->tree_empty = *end.tree_empty;
    if (end.usage) add_usage(run->usage, *end.usage);
    auto moved = write_state(db, *run, from, attempt, note, now);
    if (!moved) return moved;
    if (to == RunState::preparing) hold_run(db, id);
    if (is_final(to) || to == RunState::queued) let_run_go(db, id, to);
    if (is_final(to) || to == RunState::queued) charge(db, run->tenant_id, took);
    return moved;
}

Result<Run> get_run(Db& db, RunId id) {
    const auto row = db.one(fmt::format("{} where id = $1", kSelect), {id});
    if (!row) return fail(FailureKind::not_found, "there is no run '{}'", id.value);
    return read_run(*row);
}

void put_off(Db& db, RunId id, Time now, Time until) {
    db.exec("update runs set put_off = $2, not_before = $3 where id = $1", {id, now, until});
}

std::vector<Run> queued_runs(Db& db, Time now, std::int64_t limit) {
    return read_rows(
        db.query(fmt::format("{} where state = 'queued' and (coalesce(not_before, 0) <= $1"
                             " or put_off > $1) order by id limit $2",
                             kSelect),
                 {now, limit}),
        read_run);
}

std::optional<Time> next_retry(Db& db, Time now) {
    const auto row = db.must(
        "select min(not_before) from runs where state = 'queued' and not_before > $1", {now});
    return Columns{row}.maybe_time();
}

std::vector<Run> live_runs(Db& db) {
    return read_rows(db.query(fmt::format("{} where completed is null order by id", kSelect)),
                     read_run);
}

std::vector<Run> own_live_runs(Db& db) {
    return read_rows(
        db.query(
            fmt::format("{} where completed is null and owner in ('', $1) order by id", kSelect),
            {db.holder().host}),
        read_run);
}

std::optional<Run> live_run_of(Db& db, TenantId tenant) {
    const auto row =
        db.one(fmt::format("{} where tenant_id = $1 and completed is null", kSelect), {tenant});
    if (!row) return {};
    return read_run(*row);
}

Result<std::vector<Run>> list_runs(Db& db, const RunFilter& filter, const Page& page) {
    ListQuery query{kSelect};
    if (filter.tenant_id) query.where("tenant_id =", *filter.tenant_id);
    if (filter.integration_id) query.where("integration_id =", *filter.integration_id);
    if (filter.state) query.where("state =", to_string(*filter.state));
    Page sorted = page;
    if (sorted.sort_field.empty()) sorted.descending = true;
    if (auto ok = query.order(sorted, kSortFields); !ok) return pass_on(ok);
    return read_rows(query.run(db), read_run);
}

std::vector<RunEvent> list_run_events(Db& db, RunId run) {
    return read_rows(db.query("select run_id, attempt, state, note, time from run_events"
                              " where run_id = $1 order by id",
                              {run}),
                     [](const Row& row) {
                         Columns c{row};
                         RunEvent event;
                         event.run_id = c.id<RunId>();
                         event.attempt = static_cast<int>(c.integer());
                         event.state = c.word(parse_run_state);
                         event.note = c.text();
                         event.time = c.time();
                         return event;
                     });
}

std::optional<Run> last_run(Db& db, TenantId tenant, RunId before) {
    return last_ended(db, "completed is not null", tenant, before);
}

std::optional<Run> last_successful_run(Db& db, TenantId tenant, RunId before) {
    return last_ended(db, "state = 'succeeded'", tenant, before);
}

std::vector<std::pair<RunState, std::int64_t>> count_runs(Db& db) {
    return read_rows(db.query("select state, count(*) from runs group by state order by state"),
                     [](const Row& row) {
                         Columns c{row};
                         const RunState state = c.word(parse_run_state);
                         return std::pair{state, c.integer()};
                     });
}

}  // namespace berth
