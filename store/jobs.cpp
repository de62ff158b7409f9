#include "store/jobs.h"

#include <algorithm>
#include <array>

#include "store/sql.h"

namespace berth {
namespace {

constexpr std::array kSortFields{
    SortField{"id", "id"},
    SortField{"created_date", "created"},
};

constexpr const char* kSelect =
    "select id, connection_id, connector_id, integration_id, tenant_id,"
    " coalesce((select name from connectors where connectors.id = jobs.connector_id), ''),"
    " program, purpose, actor, state, reason, created, completed, user_us, system_us, log,"
    " connections from jobs";

JobView read_job(const Row& row) {
    Columns c{row};
    JobView job;
    job.id = c.id<JobId>();
    job.connection_id = c.id<ConnectionId>();
    job.connector_id = c.id<ConnectorId>();
    job.integration_id = c.id<IntegrationId>();
    job.tenant_id = c.maybe_id<TenantId>();
    job.connector_name = c.text();
    job.program = c.text();
    job.purpose = c.text();
    job.actor = c.text();
    job.state = c.word(parse_job_state);
    job.reason = c.text();
    job.created = c.time();
    job.completed = c.maybe_time();
    job.user_us = c.integer();
    job.system_us = c.integer();
    job.log = c.text();
    job.connections = read_connections(c.text());
    return job;
}

}  // namespace

Result<JobId> begin_job(Db& db, const By& by, const NewJob& job) {
    const auto owner =
        db.one("select connector_id, integration_id, tenant_id from connections where id = $1",
               {job.connection});
    if (!owner)
        return fail(FailureKind::not_found, "there is no connection '{}'", job.connection.value);
    Columns c{*owner};
    const auto connector = c.id<ConnectorId>();
    const auto integration = c.id<IntegrationId>();
    const auto tenant = c.maybe_id<TenantId>();
    const auto row = db.must(
        "insert into jobs (connection_id, connector_id, integration_id, tenant_id, program,"
        " purpose, actor, state, reason, created, user_us, system_us, log, connections)"
        " values ($1, $2, $3, $4, $5, $6, $7, 'running', '', $8, 0, 0, '', '[]') returning id",
        {job.connection, connector, integration, tenant, job.program, job.purpose, by.actor,
         by.now});
    return JobId{row.integer(0)};
}

Result<JobView> end_job(Db& db, JobId id, const JobEnd& end, Time now) {
    const std::string connections = connections_text(end.connections);
    db.exec(
        "update jobs set state = $2, reason = $3, completed = $4, user_us = $5, system_us = $6,"
        " log = $7, connections = $8 where id = $1 and state in ('running', 'lost')",
        {id, to_string(end.state), end.reason, now, end.user_us, end.system_us, end.log,
         connections});
    return get_job(db, id);
}

std::int64_t lose_jobs(Db& db, const std::vector<JobId>& live, std::string_view reason, Time now) {
    std::int64_t lost = 0;
    for (const Row& row : db.query("select id from jobs where state = 'running'")) {
        const JobId id{row.integer(0)};
        if (std::ranges::find(live, id) != live.end()) continue;
        lost += db.exec(
            "update jobs set state = 'lost', reason = $2, completed = $3 where id = $1"
            " and state = 'running'",
            {id, reason, now});
    }
    return lost;
}

Result<JobView> get_job(Db& db, JobId id) {
    const auto row = db.one(fmt::format("{} where id = $1", kSelect), {id});
    if (!row) return fail(FailureKind::not_found, "there is no job '{}'", id.value);
    return read_job(*row);
}

Result<std::vector<JobView>> list_jobs(Db& db, const JobQuery& wanted, const Page& page) {
    ListQuery query{kSelect};
    if (wanted.tenant_id) query.where("tenant_id =", *wanted.tenant_id);
    if (wanted.connection_id) query.where("connection_id =", *wanted.connection_id);
    if (wanted.state) query.where("state =", to_string(*wanted.state));
    if (auto ok = query.order(page, kSortFields); !ok) return pass_on(ok);
    return read_rows(query.run(db), read_job);
}

std::int64_t forget_jobs(Db& db, Time cut, std::int64_t limit) {
    return db.exec(
        "delete from jobs where id in (select id from jobs where completed is not null"
        " and completed < $1 order by completed limit $2)",
        {cut, limit});
}

}  // namespace berth
