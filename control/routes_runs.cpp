// Runs and triggers.
#include <nlohmann/json.hpp>

#include "control/answer.h"
#include "control/fields.h"
#include "control/routes.h"
#include "model/limits.h"

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

std::optional<GivenFrom> parse_kept(std::string_view word) {
    const auto from = parse_given_from(word);
    return from == GivenFrom::custom ? std::nullopt : from;
}

// What is given itself, or the word for where it comes from; `original` if neither is.
GivenFrom from(const std::optional<std::string>& given, const std::optional<GivenFrom>& word) {
    return given ? GivenFrom::custom : word.value_or(GivenFrom::original);
}

Result<Rerun> read_rerun(const Json& body, RunId origin) {
    constexpr const char* kWords = "original, current";
    Fields fields{body};
    const auto configs = fields.object("configs");
    const auto configs_from = fields.word("configs_from", parse_kept, kWords);
    const auto state = fields.text("state", limits::kStateBytes);
    const auto state_from = fields.word("state_from", parse_kept, kWords);
    const auto release_from = fields.word("release_from", parse_kept, kWords);
    Rerun wish;
    wish.origin = origin;
    wish.keeps_state = fields.boolean("keeps_state").value_or(false);
    if (auto good = fields.finish(); !good) return pass_on(good);
    if (configs && configs_from)
        return fail_at(FailureKind::unprocessable, "body.configs_from",
                       "give 'configs' or 'configs_from', not both");
    if (state && state_from)
        return fail_at(FailureKind::unprocessable, "body.state_from",
                       "give 'state' or 'state_from', not both");
    wish.configs_from = from(configs, configs_from);
    wish.configs = configs.value_or("{}");
    wish.state_from = from(state, state_from);
    wish.state = state.value_or("");
    wish.release_from = release_from.value_or(GivenFrom::original);
    return wish;
}

void rerun(Api& api, const Request& request, Reply reply) {
    auto id = request.id<RunId>("run_id");
    if (!id) return reply.failed(id.error());
    auto body = read_json_object(request, EmptyBody::allowed);
    if (!body) return reply.failed(body.error());
    auto wish = read_rerun(*body, *id);
    if (!wish) return reply.failed(wish.error());
    auto key = read_idempotency_key(request);
    if (!key) return reply.failed(key.error());
    api.rerun(caller(request), std::move(*wish), std::move(*key),
              answer<TriggerId>(std::move(reply), 202, [](const TriggerId& trigger) {
                  return Json{{"trigger_id", trigger.str()}};
              }));
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
        {Method::post, one + "/rerun", Role::administrator, "ask for a run once more",
         [&api](Request request, Reply reply) { rerun(api, request, std::move(reply)); }},
        {Method::get, "/v2/runs/triggers/{trigger_id}/status", Role::administrator,
         "show what became of a trigger",
         [&api](Request request, Reply reply) { trigger_status(api, request, std::move(reply)); }},
    });
}

}  // namespace berth
