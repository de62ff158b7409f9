// Connector calls and the jobs that make them, as the routes see them. daemon/calls.h and
// daemon/job_records.h implement it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/api.h"
#include "model/jobs.h"

namespace berth {

struct CallInput {
    std::string method;
    std::string target;  // an address, or a path below the kind's own
    std::vector<std::pair<std::string, std::string>> headers;
    std::vector<std::pair<std::string, std::string>> query;
    std::optional<std::string> body;
    std::string type;  // of the body, unless the headers say
};

// What the partner said; or, with `fault`, why it said nothing.
struct CallOutput {
    int status = 200;
    std::string type;  // `application/json`
    std::string body;
    std::string fault;
};

class CallsApi {
public:
    virtual ~CallsApi() = default;
    virtual void call(Caller who, TenantId tenant, std::string connector, CallInput input,
                      Done<CallOutput> done) = 0;
};

struct JobFilter {
    std::optional<TenantId> tenant_id;
    std::optional<JobState> state;
};

class JobsApi {
public:
    virtual ~JobsApi() = default;
    virtual void list_jobs(JobFilter filter, Page page, Done<std::vector<JobView>> done) = 0;
    virtual void get_job(JobId id, Done<JobView> done) = 0;
};

}  // namespace berth
