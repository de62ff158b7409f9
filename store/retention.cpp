#include "store/retention.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/limits.h"
#include "store/given.h"
#include "store/sql.h"

namespace berth {
namespace {

// One turn of the writer: a few milliseconds.
constexpr std::int64_t kSliceRows = 1'000;
constexpr std::int64_t kSliceBytes = 4 * 1024 * 1024;

ExpiredRun read_expired(const Row& row) {
    Columns c{row};
    ExpiredRun run;
    run.id = c.id<RunId>();
    run.created = c.time();
    run.completed = c.time();
    return run;
}

// The runs of which the tenant's next one is told, and those that have reruns.
constexpr std::string_view kIsNeeded =
    "select 1 from runs where id = $1 and (completed is null"
    " or id = (select max(id) from runs as other where other.tenant_id = runs.tenant_id"
    "  and other.completed is not null and other.keeps_state = 1)"
    " or id = (select max(id) from runs as other where other.tenant_id = runs.tenant_id"
    "  and other.state = 'succeeded' and other.keeps_state = 1)"
    " or exists (select 1 from reruns where origin_id = runs.id)"
    " or exists (select 1 from reruns where triggers_of = runs.id))";

// A run's triggers, the oldest first, until `room` bytes of payloads are gone. When there
// are more, at least one stays, so that the run is a whole one still.
struct Payloads {
    std::int64_t rows = 0;
    std::int64_t bytes = 0;
    bool more = false;
};
Payloads remove_payloads(Db& db, RunId run, std::int64_t room) {
    Payloads removed;
    for (const Row& row : db.query("select id, length(body) + length(payload) from triggers"
                                   " where run_id = $1 order by seq",
                                   {run})) {
        if (removed.bytes >= room) {
            removed.more = true;
            break;
        }
        removed.bytes += row.integer(1);
        removed.rows += db.exec("delete from reruns where trigger_id = $1", {row.text(0)});
        removed.rows += db.exec("delete from triggers where id = $1", {row.text(0)});
    }
    return removed;
}

}  // namespace

RetentionCut retention_cut(const RetentionPolicy& policy, Time now) {
    RetentionCut cut;
    cut.runs = now - policy.runs;
    cut.idempotency_keys = now - policy.idempotency_keys;
    // A run that has just not reached the cut may have begun its log so much earlier.
    cut.logs = cut.runs - limits::kMaxWallTime;
    return cut;
}

std::vector<ExpiredRun> runs_past_age(Db& db, const RetentionCut& cut, AgeCursor& cursor,
                                      std::int64_t limit) {
    auto runs =
        read_rows(db.query("select id, created, completed from runs where completed is not null"
                           " and completed < $1 and (completed, id) > ($2, $3)"
                           " order by completed, id limit $4",
                           {cut.runs, cursor.completed, cursor.id, limit}),
                  read_expired);
    if (!runs.empty()) cursor = {runs.back().completed, runs.back().id};
    return runs;
}

std::optional<std::vector<ExpiredRun>> runs_past_quota(Db& db, const RetentionPolicy& policy,
                                                       TenantId& cursor, std::int64_t limit) {
    const auto tenant =
        db.one("select id from tenants where id > $1 order by id limit 1", {cursor});
    if (!tenant) return {};
    const TenantId id{tenant->integer(0)};
    // Newest first, counted and summed up; what lies past either quota goes, oldest first.
    auto runs =
        read_rows(db.query("select id, created, completed from (select id, created, completed,"
                           "  row_number() over (order by id desc) as place,"
                           "  sum(log_bytes) over (order by id desc) as bytes"
                           "  from runs where tenant_id = $1 and completed is not null) as newest"
                           " where place > $2 or bytes > $3 order by id limit $4",
                           {id, policy.runs_of_tenant,
                            static_cast<std::int64_t>(policy.log_bytes_of_tenant), limit}),
                  read_expired);
    std::erase_if(runs,
                  [&](const ExpiredRun& run) { return db.one(kIsNeeded, {run.id}).has_value(); });
    if (runs.size() < static_cast<std::size_t>(limit)) cursor = id;
    return runs;
}

RemovedRuns remove_runs(Db& db, const std::vector<ExpiredRun>& runs) {
    std::int64_t rows = 0;
    std::int64_t bytes = 0;
    RemovedRuns result;
    for (const ExpiredRun& run : runs) {
        if (rows >= kSliceRows || bytes >= kSliceBytes) break;
        ++result.done;
        if (db.one(kIsNeeded, {run.id})) continue;
        const Payloads payloads = remove_payloads(db, run.id, kSliceBytes - bytes);
        rows += payloads.rows;
        bytes += payloads.bytes;
        if (payloads.more) {  // the rest of it is the next slice
            --result.done;
            break;
        }
        rows += db.exec("delete from run_connections where run_id = $1", {run.id});
        rows += db.exec("delete from run_events where run_id = $1", {run.id});
        forget_given(db, run.id);
        result.removed += db.exec("delete from runs where id = $1", {run.id});
    }
    return result;
}

std::int64_t forget_idempotency_keys(Db& db, const RetentionCut& cut, std::int64_t limit) {
    return db.exec(
        "update triggers set idempotency_key = null where seq in (select seq from triggers"
        " where idempotency_key is not null and created < $1 order by created limit $2)",
        {cut.idempotency_keys, limit});
}

std::int64_t give_pages_back(Db& db, std::int64_t pages, std::int64_t spare) {
    const auto free = db.must("pragma freelist_count").integer(0);
    const auto given = std::clamp(free - spare, std::int64_t{0}, pages);
    if (given > 0) db.query(fmt::format("pragma incremental_vacuum({})", given));
    return given;
}

}  // namespace berth
