// Schedules of tenants, what became of each due instant, and the policy of
// integrations.
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "control/answer.h"
#include "control/fields.h"
#include "control/input.h"
#include "control/routes.h"
#include "model/limits.h"

namespace berth {
namespace {

constexpr std::int64_t kMostCount = 1'000'000;

std::optional<std::chrono::seconds> seconds(Fields& fields, const char* name) {
    const auto value = fields.integer(name, 0, 366 * 24 * 3600);
    if (!value) return {};
    return std::chrono::seconds{*value};
}

void read_settings(Fields& fields, ScheduleInput& input) {
    input.text = fields.text("text", limits::kScheduleBytes);
    input.zone = fields.text("zone", limits::kZoneNameBytes);
    input.gap = fields.word("gap", parse_gap_rule, "skip, at_end, shifted");
    input.overlap = fields.word("overlap", parse_overlap_rule, "first, second, both");
    input.jitter = seconds(fields, "jitter_seconds");
    input.missed = fields.word("missed", parse_missed_policy, "skip, one, all");
    input.window = seconds(fields, "window_seconds");
    input.when_busy = fields.word("when_busy", parse_when_busy, "queue, skip");
}

Result<ScheduleInput> read_schedule(const Json& body) {
    Fields fields{body};
    ScheduleInput input;
    read_settings(fields, input);
    input.follow_integration = fields.boolean("follow_integration").value_or(false);
    auto good = fields.finish();
    if (!good) return pass_on(good);
    return input;
}

Result<PolicyInput> read_policy(const Json& body) {
    Fields fields{body};
    PolicyInput input;
    Json schedule = Json::object();
    if (const auto text = fields.object("schedule")) schedule = Json::parse(*text);
    input.allowed = fields.texts("allowed_schedules", 64, limits::kScheduleBytes);
    input.shortest = seconds(fields, "shortest_interval_seconds");
    input.most_running = fields.integer("most_running", 0, kMostCount);
    input.most_waiting = fields.integer("most_waiting", 0, kMostCount);
    input.starts_per_minute = fields.integer("starts_per_minute", 0, 1000);
    input.tenant_starts_per_minute = fields.integer("tenant_starts_per_minute", 0, 1000);
    input.retries = fields.integer("retries", 0, 20);
    input.retry_first = seconds(fields, "retry_first_seconds");
    input.retry_longest = seconds(fields, "retry_longest_seconds");
    auto good = fields.finish();
    if (!good) return pass_on(good);
    Fields inner{schedule};
    read_settings(inner, input.schedule);
    auto inner_good = inner.finish();
    if (!inner_good) return pass_on(inner_good);
    return input;
}

void set(Api& api, const Request& request, Reply reply) {
    auto id = request.id<TenantId>("tenant_id");
    if (!id) return reply.failed(id.error());
    auto body = read_json_object(request);
    if (!body) return reply.failed(body.error());
    auto input = read_schedule(*body);
    if (!input) return reply.failed(input.error());
    api.set_schedule(caller(request), *id, std::move(*input),
                     answer_form<TenantSchedule>(std::move(reply)));
}

void history(Api& api, const Request& request, Reply reply) {
    auto id = request.id<TenantId>("tenant_id");
    if (!id) return reply.failed(id.error());
    auto limit = read_limit(request, "limit", 100);
    if (!limit) return reply.failed(limit.error());
    std::optional<Time> before;
    if (const auto text = request.query.find("before")) {
        before = parse_rfc3339(*text);
        if (!before)
            return reply.failed({FailureKind::unprocessable,
                                 "query parameter 'before' is no time such as 2026-11-22T03:04:05Z",
                                 "query.before"});
    }
    api.schedule_history(*id, before, *limit, answer_forms<SlotView>(std::move(reply)));
}

void preview(Api& api, const Request& request, Reply reply) {
    auto id = request.id<TenantId>("tenant_id");
    if (!id) return reply.failed(id.error());
    auto count = read_limit(request, "count", 10);
    if (!count) return reply.failed(count.error());
    api.schedule_preview(*id, *count, answer_forms<ComingInstant>(std::move(reply)));
}

void list(Api& api, const Request& request, Reply reply) {
    auto integration = request.query.id<IntegrationId>("integration_id");
    if (!integration) return reply.failed(integration.error());
    auto after = request.query.id<ScheduleId>("after");
    if (!after) return reply.failed(after.error());
    auto limit = read_limit(request, "limit", 100);
    if (!limit) return reply.failed(limit.error());
    api.list_schedules({*integration, after->value_or(ScheduleId{}), *limit},
                       answer_forms<TenantSchedule>(std::move(reply)));
}

void set_policy(Api& api, const Request& request, Reply reply) {
    auto id = request.id<IntegrationId>("integration_id");
    if (!id) return reply.failed(id.error());
    auto body = read_json_object(request);
    if (!body) return reply.failed(body.error());
    auto input = read_policy(*body);
    if (!input) return reply.failed(input.error());
    api.set_policy(caller(request), *id, std::move(*input),
                   answer_form<IntegrationPolicy>(std::move(reply)));
}

}  // namespace

void add_schedule_routes(Router& router, Api& api) {
    const std::string one = "/v2/tenants/{tenant_id}/schedule";
    const std::string policy = "/v2/integrations/{integration_id}/policy";
    const auto route = [&](Method method, const std::string& pattern, const char* summary,
                           void (*handle)(Api&, const Request&, Reply)) {
        Route made;
        made.method = method;
        made.pattern = pattern;
        made.summary = summary;
        made.handler = [&api, handle](Request request, Reply reply) {
            handle(api, request, std::move(reply));
        };
        return made;
    };
    router.add({
        route(Method::get, "/v2/schedules", "list schedules", list),
        route(Method::put, one, "change a tenant's schedule", set),
        route(Method::get, one + "/history", "show what became of each due instant", history),
        route(Method::get, one + "/preview", "show when a schedule fires next", preview),
        route(Method::get, one, "show a tenant's schedule",
              [](Api& to, const Request& request, Reply reply) {
                  auto id = request.id<TenantId>("tenant_id");
                  if (!id) return reply.failed(id.error());
                  to.get_schedule(*id, answer_form<TenantSchedule>(std::move(reply)));
              }),
        route(Method::put, policy, "change an integration's default schedule and caps", set_policy),
        route(Method::get, policy, "show an integration's default schedule and caps",
              [](Api& to, const Request& request, Reply reply) {
                  auto id = request.id<IntegrationId>("integration_id");
                  if (!id) return reply.failed(id.error());
                  to.get_policy(*id, answer_form<IntegrationPolicy>(std::move(reply)));
              }),
    });
}

}  // namespace berth
