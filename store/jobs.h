// The records of jobs: programs of Berth's own that ran with the secrets of one
// connection. A job is on record before it starts; that it uses the secrets
// connection_secrets() has written into the audit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/jobs.h"
#include "store/audit.h"
#include "store/db.h"

namespace berth {

struct NewJob {
    ConnectionId connection;
    std::string program;
    std::string purpose;
};
// On record as running. not_found when there is no such connection.
Result<JobId> begin_job(Db& db, const By& by, const NewJob& job);

struct JobEnd {
    JobState state = JobState::succeeded;
    std::string reason;
    std::int64_t user_us = 0;
    std::int64_t system_us = 0;
    std::string log;
    std::vector<RunConnection> connections;
};
// The first end that is known counts; but one that was lost may be found again. not_found
// when there is no such job. Its record as it is now.
Result<JobView> end_job(Db& db, JobId job, const JobEnd& end, Time now);

// What is on record as running, but is not among `live`, is lost. How many.
std::int64_t lose_jobs(Db& db, const std::vector<JobId>& live, std::string_view reason, Time now);

struct JobQuery {
    std::optional<TenantId> tenant_id;
    std::optional<ConnectionId> connection_id;
    std::optional<JobState> state;
};
Result<JobView> get_job(Db& db, JobId job);
// Sorted by id or created_date.
Result<std::vector<JobView>> list_jobs(Db& db, const JobQuery& query, const Page& page);

// A slice: deletes up to `limit` that ended before `cut`; how many.
std::int64_t forget_jobs(Db& db, Time cut, std::int64_t limit);

}  // namespace berth
