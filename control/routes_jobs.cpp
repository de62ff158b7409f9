// Jobs: what Berth's own programs did with the secrets of connections.
#include <nlohmann/json.hpp>

#include "control/answer.h"
#include "control/calls_routes.h"
#include "control/input.h"

namespace berth {
namespace {

Result<JobFilter> read_filter(const Request& request) {
    auto tenant = request.query.id<TenantId>("tenant_id");
    if (!tenant) return pass_on(tenant);
    JobFilter filter{*tenant, {}};
    if (const auto word = request.query.find("state")) {
        filter.state = parse_job_state(*word);
        if (!filter.state)
            return fail_at(FailureKind::unprocessable, "query.state",
                           "'state' must be one of: running, succeeded, failed, lost");
    }
    return filter;
}

void list(JobsApi& jobs, const Request& request, Reply reply) {
    auto page = read_page(request, {"id", "created_date"});
    if (!page) return reply.failed(page.error());
    auto filter = read_filter(request);
    if (!filter) return reply.failed(filter.error());
    jobs.list_jobs(
        *filter, *page,
        answer<std::vector<JobView>>(std::move(reply), 200, [](const std::vector<JobView>& views) {
            Json list = Json::array();
            for (const JobView& view : views)
                list.push_back(to_form(view, JobForm::line));
            return list;
        }));
}

}  // namespace

void add_job_routes(Router& router, JobsApi& jobs) {
    router.add({
        {Method::get, "/v2/jobs", Role::administrator, "list jobs",
         [&jobs](const Request& request, Reply reply) { list(jobs, request, std::move(reply)); }},
        {Method::get, "/v2/jobs/{job_id}", Role::administrator, "get a job",
         [&jobs](const Request& request, Reply reply) {
             auto id = request.id<JobId>("job_id");
             if (!id) return reply.failed(id.error());
             jobs.get_job(*id, answer<JobView>(std::move(reply), 200, [](const JobView& view) {
                 return to_form(view, JobForm::whole);
             }));
         }},
    });
}

}  // namespace berth
