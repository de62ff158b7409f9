// Connectors and connections. Secrets come in here and never go out.
#include <nlohmann/json.hpp>

#include "control/answer.h"
#include "control/fields.h"
#include "control/routes.h"
#include "model/limits.h"

namespace berth {
namespace {

// The plaintext of a JSON body: wiped when the route is done with it.
void cleanse_strings(Json& value) {
    if (value.is_string()) {
        auto& text = value.get_ref<std::string&>();
        cleanse(text.data(), text.size());
    }
    if (value.is_structured())
        for (Json& item : value)
            cleanse_strings(item);
}

Result<std::map<std::string, Secret>> read_secrets(Request& request) {
    auto body = read_json_object(request);
    cleanse(request.body.data(), request.body.size());
    if (!body) return pass_on(body);
    Fields fields{*body};
    std::map<std::string, Secret> secrets;
    fields.secrets("secrets", [&](std::string field, std::string_view value) {
        secrets.emplace(std::move(field), Secret{value});
    });
    auto good = fields.finish();
    cleanse_strings(*body);
    if (!good) return pass_on(good);
    return secrets;
}

void connect_tenant(Api& api, Request request, Reply reply) {
    auto id = request.id<TenantId>("tenant_id");
    if (!id) return reply.failed(id.error());
    auto secrets = read_secrets(request);
    if (!secrets) return reply.failed(secrets.error());
    api.connect(caller(request), *id, {}, std::string{request.param("connector_name")},
                std::move(*secrets), answer_form<Connection>(std::move(reply)));
}

void connect_globally(Api& api, Request request, Reply reply) {
    auto id = request.id<IntegrationId>("integration_id");
    if (!id) return reply.failed(id.error());
    auto secrets = read_secrets(request);
    if (!secrets) return reply.failed(secrets.error());
    api.connect(caller(request), {}, *id, std::string{request.param("connector_name")},
                std::move(*secrets), answer_form<Connection>(std::move(reply)));
}

void attach(Api& api, const Request& request, Reply reply) {
    auto id = request.id<IntegrationId>("integration_id");
    if (!id) return reply.failed(id.error());
    auto body = read_json_object(request, EmptyBody::allowed);
    if (!body) return reply.failed(body.error());
    Fields fields{*body};
    const bool is_global = fields.boolean("isGlobal").value_or(false);
    if (auto good = fields.finish(); !good) return reply.failed(good.error());
    api.attach_connector(caller(request), *id,
                         {std::string{request.param("connector_name")}, is_global},
                         answer_form<Integration>(std::move(reply)));
}

void create(Api& api, const Request& request, Reply reply) {
    auto body = read_json_object(request);
    if (!body) return reply.failed(body.error());
    Fields fields{*body};
    fields.required("name");
    auto name = fields.text("name", limits::kNameBytes);
    auto kind = fields.text("kind", limits::kNameBytes);
    if (auto good = fields.finish(); !good) return reply.failed(good.error());
    api.create_connector(caller(request), *name, kind.value_or("custom"),
                         answer_form<Connector>(std::move(reply)));
}

}  // namespace

void add_connection_routes(Router& router, Api& api) {
    const std::string of_integration =
        "/v2/integrations/{integration_id}/connectors/{connector_name}";
    const std::string of_tenant = "/v2/tenants/{tenant_id}/connectors";
    router.add({
        {Method::get, "/v2/connectors", Role::administrator, "list connectors",
         [&api](Request, Reply reply) {
             api.list_connectors(answer_forms<Connector>(std::move(reply)));
         }},
        {Method::post, "/v2/connectors", Role::administrator, "create a connector",
         [&api](Request request, Reply reply) { create(api, request, std::move(reply)); }},
        {Method::put, of_integration, Role::administrator, "attach a connector to an integration",
         [&api](Request request, Reply reply) { attach(api, request, std::move(reply)); }},
        {Method::put, of_integration + "/connection", Role::administrator,
         "store the secrets of a global connector",
         [&api](Request request, Reply reply) {
             connect_globally(api, std::move(request), std::move(reply));
         }},
        {Method::get, of_tenant, Role::administrator, "list a tenant's connections",
         [&api](Request request, Reply reply) {
             auto id = request.id<TenantId>("tenant_id");
             if (!id) return reply.failed(id.error());
             api.list_connections(*id, answer_forms<Connection>(std::move(reply)));
         }},
        {Method::put, of_tenant + "/{connector_name}/connection", Role::administrator,
         "store the secrets of a tenant's connector",
         [&api](Request request, Reply reply) {
             connect_tenant(api, std::move(request), std::move(reply));
         }},
        {Method::patch, of_tenant + "/{connector_name}/disconnect", Role::administrator,
         "disconnect a tenant's connector and delete its secrets",
         [&api](Request request, Reply reply) {
             auto id = request.id<TenantId>("tenant_id");
             if (!id) return reply.failed(id.error());
             api.disconnect(caller(request), *id, std::string{request.param("connector_name")},
                            answer<Connection>(std::move(reply), 200,
                                               [](const Connection&) { return Json::object(); }));
         }},
    });
}

}  // namespace berth
