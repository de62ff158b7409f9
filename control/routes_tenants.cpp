// Tenants, their metadata and their syncs.
#include <nlohmann/json.hpp>

#include "control/answer.h"
#include "control/fields.h"
#include "control/routes.h"
#include "model/limits.h"

namespace berth {
namespace {

Result<TenantInput> read_tenant(const Json& body, bool is_new) {
    Fields fields{body};
    TenantInput input;
    if (is_new) {
        fields.required("name");
        fields.required("integration_id");
        if (const auto id = fields.integer("integration_id", 1, INT64_MAX))
            input.integration_id = IntegrationId{*id};
    } else {
        input.paused = fields.boolean("paused");
        input.archived = fields.boolean("archived");
    }
    input.name = fields.text("name", limits::kNameBytes);
    input.user_name = fields.text("user_name", limits::kLongNameBytes);
    input.user_schedule = fields.text("user_schedule", limits::kLongNameBytes);
    input.configs = fields.object("configs");
    if (const auto id = fields.integer("integration_release_id", 1, INT64_MAX))
        input.release_id = ReleaseId{*id};
    input.release_channel =
        fields.word("integration_release_channel", parse_channel, "Latest, Default");
    auto good = fields.finish();
    if (!good) return pass_on(good);
    return input;
}

// `mode` and body of a sync. The body is any JSON object; its fields are the
// integration's affair (contract 5.3).
Result<SyncInput> read_sync(const Request& request) {
    auto mode = request.query.required("mode");
    if (!mode) return pass_on(mode);
    SyncInput input;
    const auto parsed = parse_run_mode(*mode);
    if (!parsed || *parsed == RunMode::webhook)
        return fail_at(FailureKind::unprocessable, "query.mode",
                       "query parameter 'mode' must be one of: init, normal");
    input.mode = *parsed;
    auto body = read_json_object(request, EmptyBody::allowed);
    if (!body) return pass_on(body);
    input.payload = to_text(*body);
    input.body = request.body;
    auto key = read_idempotency_key(request);
    if (!key) return pass_on(key);
    input.idempotency_key = std::move(*key);
    return input;
}

Done<TriggerId> answer_trigger(Reply reply) {
    return answer<TriggerId>(std::move(reply), 202, [](const TriggerId& id) {
        return Json{{"trigger_id", id.str()}};
    });
}

void sync(Api& api, const Request& request, Reply reply) {
    auto id = request.id<TenantId>("tenant_id");
    if (!id) return reply.failed(id.error());
    auto input = read_sync(request);
    if (!input) return reply.failed(input.error());
    api.sync(caller(request), *id, std::move(*input), answer_trigger(std::move(reply)));
}

void sync_user(Api& api, const Request& request, Reply reply) {
    auto id = request.id<IntegrationId>("integration_id");
    if (!id) return reply.failed(id.error());
    auto user = request.query.required("user_name");
    if (!user) return reply.failed(user.error());
    auto input = read_sync(request);
    if (!input) return reply.failed(input.error());
    api.sync_user(caller(request), *id, std::move(*user), std::move(*input),
                  answer_trigger(std::move(reply)));
}

void list(Api& api, const Request& request, Reply reply) {
    auto page = read_page(request, {"id", "name", "user_name", "created_date", "modified_date"});
    if (!page) return reply.failed(page.error());
    auto integration = request.query.id<IntegrationId>("integration_id");
    if (!integration) return reply.failed(integration.error());
    auto archived = request.query.flag("archived");
    if (!archived) return reply.failed(archived.error());
    TenantQuery query;
    query.integration_id = *integration;
    if (const auto user = request.query.find("user_name")) query.user_name = std::string{*user};
    query.archived = archived->value_or(false);
    api.list_tenants(query, *page, answer_forms<TenantView>(std::move(reply)));
}

void create(Api& api, const Request& request, Reply reply) {
    auto body = read_json_object(request);
    if (!body) return reply.failed(body.error());
    auto input = read_tenant(*body, /*is_new=*/true);
    if (!input) return reply.failed(input.error());
    api.create_tenant(caller(request), std::move(*input),
                      answer_form<TenantView>(std::move(reply)));
}

void change(Api& api, const Request& request, Reply reply) {
    auto id = request.id<TenantId>("tenant_id");
    if (!id) return reply.failed(id.error());
    auto body = read_json_object(request);
    if (!body) return reply.failed(body.error());
    auto input = read_tenant(*body, /*is_new=*/false);
    if (!input) return reply.failed(input.error());
    api.change_tenant(caller(request), *id, std::move(*input),
                      answer_form<TenantView>(std::move(reply)));
}

void patch_metadata(Api& api, const Request& request, Reply reply) {
    auto id = request.id<TenantId>("tenant_id");
    if (!id) return reply.failed(id.error());
    auto body = read_json_object(request);
    if (!body) return reply.failed(body.error());
    api.patch_metadata(caller(request), *id, to_text(*body),
                       [reply = std::move(reply)](Result<std::string> metadata) mutable {
                           if (!metadata) return reply.failed(metadata.error());
                           reply.json(200, std::move(*metadata));
                       });
}

void archive(Api& api, const Request& request, Reply reply) {
    auto id = request.id<TenantId>("tenant_id");
    if (!id) return reply.failed(id.error());
    TenantInput input;
    input.archived = true;
    api.change_tenant(caller(request), *id, std::move(input),
                      answer_form<TenantView>(std::move(reply)));
}

}  // namespace

void add_tenant_routes(Router& router, Api& api) {
    const std::string base = "/v2/tenants";
    const std::string one = base + "/{tenant_id}";
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
    const auto sync_route = [&](const std::string& pattern,
                                void (*handle)(Api&, const Request&, Reply)) {
        Route made = route(Method::post, pattern, "ask for a run", handle);
        made.error_style = ErrorStyle::message;
        made.body_limit = limits::kTriggerPayloadBytes;
        return made;
    };
    router.add({
        route(Method::get, base, "list tenants", list),
        route(Method::post, base, "create a tenant", create),
        route(Method::patch, one, "change a tenant", change),
        route(Method::del, one, "archive a tenant", archive),
        route(Method::patch, one + "/metadata", "change a tenant's metadata", patch_metadata),
        route(Method::get, one, "show a tenant",
              [](Api& to, const Request& request, Reply reply) {
                  auto id = request.id<TenantId>("tenant_id");
                  if (!id) return reply.failed(id.error());
                  to.get_tenant(*id, answer_form<TenantView>(std::move(reply)));
              }),
        route(Method::get, one + "/metadata", "show a tenant's metadata",
              [](Api& to, const Request& request, Reply reply) {
                  auto id = request.id<TenantId>("tenant_id");
                  if (!id) return reply.failed(id.error());
                  to.get_metadata(*id, [reply = std::move(reply)](Result<std::string> got) mutable {
                      if (!got) return reply.failed(got.error());
                      reply.json(200, std::move(*got));
                  });
              }),
        sync_route(one + "/sync", sync),
        sync_route(one + "/run", sync),  // the older path of the contract's own samples
        sync_route("/v2/integrations/{integration_id}/sync", sync_user),
    });
}

}  // namespace berth
