// Runs and triggers.
#include <nlohmann/json.hpp>

#include "control/answer.h"
#include "control/routes.h"

namespace berth {
namespace {

void list(Api& api, const Request& request, Reply reply) {
    auto page = read_page(request, {"id", "created_date", "started_date", "completed_date"});
    if (!page) return reply.failed(page.error());
    auto tenant = request.query.id<TenantId>("tenant_id");
    if (!tenant) return reply.failed(tenant.error());
    auto integration = request.query.id<IntegrationId>("integration_id");
    if (!integration) return reply.failed(integration.error());
    RunQuery query{*tenant, *integration, {}};
    if (const auto word = request.query.find("state")) {
        query.state = parse_run_state(*word);
        if (!query.state)
            return reply.failed({FailureKind::unprocessable,
                                 "query parameter 'state' is not a state of a run, such as queued, "
                                 "running, succeeded, failed_integration",
                                 "query.state"});
    }
    api.list_runs(query, *page, answer_forms<RunView>(std::move(reply)));
}

void list_of_tenant(Api& api, const Request& request, Reply reply) {
    auto id = request.id<TenantId>("tenant_id");
    if (!id) return reply.failed(id.error());
    auto page = read_page(request, {"id", "created_date", "started_date", "completed_date"});
    if (!page) return reply.failed(page.error());
    api.list_runs({*id, {}, {}}, *page, answer_forms<RunView>(std::move(reply)));
}

void list_connections(Api& api, const Request& request, Reply reply) {
    auto id = request.id<RunId>("run_id");
    if (!id) return reply.failed(id.error());
    auto page = read_page(request, {"id", "date", "port", "sent_bytes", "received_bytes"});
    if (!page) return reply.failed(page.error());
    api.run_connections(*id, *page, answer_forms<RunConnection>(std::move(reply)));
}

void trigger_status(Api& api, const Request& request, Reply reply) {
    const auto id = TriggerId::parse(request.param("trigger_id"));
    if (!id)
        return reply.failed(
            {FailureKind::not_found, "there is no such trigger", "path.trigger_id"});
    api.trigger_status(
        *id, answer<TriggerStatus>(std::move(reply), 200, [](const TriggerStatus& status) {
            return Json{{"status", phase_text(status.state)},
                        {"state", to_string(status.state)},
                        {"run_id", status.run_id.value}};
        }));
}

}  // namespace

void add_run_routes(Router& router, Api& api) {
    const std::string one = "/v2/runs/{run_id}";
    router.add({
        {Method::get, "/v2/runs", Role::administrator, "list runs",
         [&api](Request request, Reply reply) { list(api, request, std::move(reply)); }},
        {Method::get, "/v2/tenants/{tenant_id}/runs", Role::administrator, "list a tenant's runs",
         [&api](Request request, Reply reply) { list_of_tenant(api, request, std::move(reply)); }},
        {Method::get, one, Role::administrator, "show a run",
         [&api](Request request, Reply reply) {
             auto id = request.id<RunId>("run_id");
             if (!id) return reply.failed(id.error());
             api.get_run(*id, answer_form<RunView>(std::move(reply)));
         }},
        {Method::get, one + "/events", Role::administrator, "show what became of a run",
         [&api](Request request, Reply reply) {
             auto id = request.id<RunId>("run_id");
             if (!id) return reply.failed(id.error());
             api.run_events(*id, answer_forms<RunEvent>(std::move(reply)));
         }},
        {Method::get, one + "/connections", Role::administrator, "list what a run connected to",
         [&api](Request request, Reply reply) {
             list_connections(api, request, std::move(reply));
         }},
        {Method::post, one + "/cancel", Role::administrator, "end a run",
         [&api](Request request, Reply reply) {
             auto id = request.id<RunId>("run_id");
             if (!id) return reply.failed(id.error());
             api.cancel_run(caller(request), *id, answer_form<RunView>(std::move(reply), 202));
         }},
        {Method::get, "/v2/runs/triggers/{trigger_id}/status", Role::administrator,
         "show what became of a trigger",
         [&api](Request request, Reply reply) { trigger_status(api, request, std::move(reply)); }},
    });
}

}  // namespace berth
