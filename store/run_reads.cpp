// Runs as they are asked for: one, those that live or wait, lists, the last of a tenant.
#include <array>

#include "model/json.h"
#include "store/run_rows.h"
#include "store/runs.h"
#include "store/sql.h"

namespace berth {

const std::string_view kSelectRun =
    "select id, tenant_id, integration_id, release_id, mode, state, attempt, reason, std_out,"
    " grants, warm, refused_syscalls, tree_empty, user_us, system_us, max_rss_bytes,"
    " memory_peak_bytes, io_read_bytes, io_write_bytes, log_bytes, sent_bytes, received_bytes,"
    " queued_us, preparing_us, starting_us, running_us, state_since, rerun_of, keeps_state,"
    " created, started, completed, owner from runs";

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

const std::string& owner_of(const Row& run) { return run.text(run.size() - 1); }

namespace {

constexpr std::array kSortFields{
    SortField{"id", "id"},
    SortField{"created_date", "created"},
    SortField{"started_date", "started"},
    SortField{"completed_date", "completed"},
};

std::optional<Run> last_ended(Db& db, std::string_view condition, TenantId tenant, RunId before) {
    const auto row =
        db.one(fmt::format("{} where tenant_id = $1 and (id < $2 or $2 = 0) and keeps_state = 1"
                           " and {} order by id desc"
                           " limit 1",
                           kSelectRun, condition),
               {tenant, before});
    if (!row) return {};
    return read_run(*row);
}

}  // namespace

Result<Run> get_run(Db& db, RunId id) {
    const auto row = db.one(fmt::format("{} where id = $1", kSelectRun), {id});
    if (!row) return fail(FailureKind::not_found, "there is no run '{}'", id.value);
    return read_run(*row);
}

std::vector<Run> queued_runs(Db& db, Time now, std::int64_t limit) {
    return read_rows(
        db.query(fmt::format("{} where state = 'queued' and (coalesce(not_before, 0) <= $1"
                             " or put_off > $1) order by id limit $2",
                             kSelectRun),
                 {now, limit}),
        read_run);
}

std::optional<Time> next_retry(Db& db, Time now) {
    const auto row = db.must(
        "select min(not_before) from runs where state = 'queued' and not_before > $1", {now});
    return Columns{row}.maybe_time();
}

std::vector<Run> live_runs(Db& db) {
    return read_rows(db.query(fmt::format("{} where completed is null order by id", kSelectRun)),
                     read_run);
}

std::vector<Run> own_live_runs(Db& db) {
    return read_rows(
        db.query(
            fmt::format("{} where completed is null and owner in ('', $1) order by id", kSelectRun),
            {db.holder().host}),
        read_run);
}

std::optional<Run> live_run_of(Db& db, TenantId tenant) {
    const auto row =
        db.one(fmt::format("{} where tenant_id = $1 and completed is null", kSelectRun), {tenant});
    if (!row) return {};
    return read_run(*row);
}

Result<std::vector<Run>> list_runs(Db& db, const RunFilter& filter, const Page& page) {
    ListQuery query{kSelectRun};
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
