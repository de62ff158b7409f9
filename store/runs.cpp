#include "store/runs.h"

#include <algorithm>

#include "model/json.h"
#include "model/limits.h"
#include "store/leases.h"
#include "store/run_rows.h"
#include "store/shares.h"
#include "store/sql.h"

namespace berth {
namespace {

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
    const std::string refused_syscalls = list_text(run.refused_syscalls);
    std::vector<Param> values{run.id,
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
                              run.warm,
                              refused_syscalls,
                              run.tree_empty,
                              run.usage.memory_peak_bytes,
                              run.usage.io_read_bytes,
                              run.usage.io_write_bytes,
                              run.times.queued.count(),
                              run.times.preparing.count(),
                              run.times.starting.count(),
                              run.times.running.count(),
                              run.times.since};
    // Only an end touches the indexes of those that live and those that have ended.
    if (run.completed) values.push_back(*run.completed);
    // 'and state': on PostgreSQL the run may have moved since it was read.
    const auto moved = db.exec_with(
        fmt::format(
            "update runs set state = $4, attempt = $5, reason = $6, std_out = $7, grants = $8,"
            " user_us = $9, system_us = $10, max_rss_bytes = $11, log_bytes = $12, started = $13,"
            " warm = $14, refused_syscalls = $15, tree_empty = $16, memory_peak_bytes = $17,"
            " io_read_bytes = $18, io_write_bytes = $19, queued_us = $20, preparing_us = $21,"
            " starting_us = $22, running_us = $23, state_since = $24{}"
            " where id = $1 and attempt = $2 and state = $3",
            run.completed ? ", completed = $25" : ""),
        values);
    if (moved == 0)
        return fail(FailureKind::conflict, "run '{}' has just changed; look again", run.id.value);
    write_event(db, run, note, now);
    return run;
}

// The run, if this attempt may speak for it and the change is allowed.
Result<Run> check_move(Db& db, RunId id, int attempt, RunState to) {
    const auto row = db.one(fmt::format("{} where id = $1", kSelectRun), {id});
    if (!row) return fail(FailureKind::not_found, "there is no run '{}'", id.value);
    Result<Run> run = read_run(*row);
    if (run->attempt != attempt)
        return fail(FailureKind::conflict,
                    "run '{}' is at attempt {}; what attempt {} says no longer counts", id.value,
                    run->attempt, attempt);
    if (auto may = may_write(db, id, owner_of(*row)); !may) return pass_on(may);
    if (!may_become(run->state, to))
        return fail(FailureKind::conflict, "run '{}' is {} and cannot become {}", id.value,
                    to_string(run->state), to_string(to));
    return run;
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

void put_off(Db& db, RunId id, Time now, Time until) {
    db.exec("update runs set put_off = $2, not_before = $3 where id = $1", {id, now, until});
}

}  // namespace berth
