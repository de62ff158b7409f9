// Connectors, provisioning and connections. Secrets come in here and never go out.
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

// `fields`, or `secrets`, as it was called before connectors had kinds.
Result<TypedFields> read_fields(Request& request) {
    auto body = read_json_object(request);
    cleanse(request.body.data(), request.body.size());
    if (!body) return pass_on(body);
    Fields fields{*body};
    TypedFields typed;
    fields.secrets(body->contains("fields") ? "fields" : "secrets",
                   [&](std::string field, std::string_view value) {
                       typed.emplace(std::move(field), Secret{value});
                   });
    auto good = fields.finish();
    cleanse_strings(*body);
    if (!good) return pass_on(good);
    return typed;
}

enum class Of { tenant, integration };

Result<ConnectionPlace> place_of(const Request& request, Of of) {
    ConnectionPlace place;
    place.connector = request.param("connector_name");
    if (of == Of::tenant) {
        auto id = request.id<TenantId>("tenant_id");
        if (!id) return pass_on(id);
        place.tenant = *id;
    } else {
        auto id = request.id<IntegrationId>("integration_id");
        if (!id) return pass_on(id);
        place.integration = *id;
    }
    return place;
}

Json story_form(const ConnectionStory& story) {
    Json form = to_form(story.connection);
    form["history"] = to_forms(story.history);
    return form;
}

void show(ConnectionsApi& api, const Request& request, Reply reply, Of of) {
    auto place = place_of(request, of);
    if (!place) return reply.failed(place.error());
    api.get_connection(std::move(*place),
                       answer<ConnectionStory>(std::move(reply), 200, story_form));
}

void connect(ConnectionsApi& api, Request request, Reply reply, Of of) {
    auto place = place_of(request, of);
    if (!place) return reply.failed(place.error());
    auto fields = read_fields(request);
    if (!fields) return reply.failed(fields.error());
    api.connect(caller(request), std::move(*place), std::move(*fields),
                answer_form<Connection>(std::move(reply)));
}

void disconnect(ConnectionsApi& api, const Request& request, Reply reply, Of of) {
    auto place = place_of(request, of);
    if (!place) return reply.failed(place.error());
    // The contract's answer is an empty object.
    api.disconnect(caller(request), std::move(*place),
                   answer<Connection>(std::move(reply), 200,
                                      [](const Connection&) { return Json::object(); }));
}

void attach(ConnectionsApi& api, const Request& request, Reply reply) {
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

void create(ConnectionsApi& api, const Request& request, Reply reply) {
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

Done<std::string> answer_text(Reply reply) {
    return [reply = std::move(reply)](Result<std::string> json) mutable {
        if (!json) return reply.failed(json.error());
        reply.json(200, std::move(*json));
    };
}

void provisioning(ConnectionsApi& api, Request request, Reply reply) {
    auto id = request.id<IntegrationId>("integration_id");
    if (!id) return reply.failed(id.error());
    std::string connector{request.param("connector_name")};
    if (request.method == Method::del)
        return api.unprovision(caller(request), *id, std::move(connector),
                               answer_text(std::move(reply)));
    if (request.method != Method::put)
        return api.get_provisioning(*id, std::move(connector), answer_text(std::move(reply)));
    auto fields = read_fields(request);
    if (!fields) return reply.failed(fields.error());
    api.provision(caller(request), *id, std::move(connector), std::move(*fields),
                  answer_text(std::move(reply)));
}

Json link_form(const AuthLink& link) {
    return {{"tenant_id", link.tenant_id.value},
            {"url", link.url.empty() ? Json() : Json(link.url)},
            {"created_date", to_rfc3339(link.created)}};
}

void auth_link(ConnectionsApi& api, const Request& request, Reply reply) {
    auto id = request.id<TenantId>("tenant_id");
    if (!id) return reply.failed(id.error());
    if (request.method == Method::post)
        return api.make_auth_link(caller(request), *id,
                                  answer<AuthLink>(std::move(reply), 201, link_form));
    if (request.method != Method::del)
        return api.get_auth_link(*id, answer<AuthLink>(std::move(reply), 200, link_form));
    api.revoke_auth_link(caller(request), *id,
                         [reply = std::move(reply)](Result<void> gone) mutable {
                             if (!gone) return reply.failed(gone.error());
                             reply.empty(204);
                         });
}

using Handle = void (*)(ConnectionsApi&, Request, Reply);
using HandleOf = void (*)(ConnectionsApi&, Request, Reply, Of);

Handler on(ConnectionsApi& api, Handle handle) {
    return [&api, handle](Request request, Reply reply) {
        handle(api, std::move(request), std::move(reply));
    };
}
Handler on(ConnectionsApi& api, HandleOf handle, Of of) {
    return [&api, handle, of](Request request, Reply reply) {
        handle(api, std::move(request), std::move(reply), of);
    };
}

void add_catalog(Router& router, ConnectionsApi& api) {
    const std::string of_integration =
        "/v2/integrations/{integration_id}/connectors/{connector_name}";
    const auto admin = Role::administrator;
    router.add({
        {Method::get, "/v2/connector-kinds", admin, "list the kinds of connectors",
         [&api](Request, Reply reply) { api.list_kinds(answer_text(std::move(reply))); }},
        {Method::get, "/v2/connector-kinds/{kind_name}", admin, "show a kind of connector",
         [&api](Request request, Reply reply) {
             api.get_kind(std::string{request.param("kind_name")}, answer_text(std::move(reply)));
         }},
        {Method::get, "/v2/connectors", admin, "list connectors",
         [&api](Request, Reply reply) {
             api.list_connectors(answer_forms<Connector>(std::move(reply)));
         }},
        {Method::post, "/v2/connectors", admin, "create a connector",
         on(api, [](ConnectionsApi& to, Request request,
                    Reply reply) { create(to, request, std::move(reply)); })},
        {Method::put, of_integration, admin, "attach a connector to an integration",
         on(api, [](ConnectionsApi& to, Request request,
                    Reply reply) { attach(to, request, std::move(reply)); })},
        {Method::get, of_integration + "/provisioning", admin,
         "show what a connector's app is at its provider", on(api, provisioning)},
        {Method::put, of_integration + "/provisioning", admin,
         "store the client id, the client secret and the like of a connector's app",
         on(api, provisioning)},
        {Method::del, of_integration + "/provisioning", admin,
         "forget what a connector's app is at its provider", on(api, provisioning)},
    });
}

}  // namespace

void add_connection_routes(Router& router, ConnectionsApi& api) {
    add_catalog(router, api);
    const std::string of_tenant = "/v2/tenants/{tenant_id}/connectors";
    const std::string global =
        "/v2/integrations/{integration_id}/connectors/{connector_name}/connection";
    const std::string own = of_tenant + "/{connector_name}/connection";
    const std::string link = "/v2/tenants/{tenant_id}/auth-link";
    const auto admin = Role::administrator;
    const HandleOf show_it = [](ConnectionsApi& to, Request request, Reply reply, Of of) {
        show(to, request, std::move(reply), of);
    };
    const HandleOf disconnect_it = [](ConnectionsApi& to, Request request, Reply reply, Of of) {
        disconnect(to, request, std::move(reply), of);
    };
    const Handle link_it = [](ConnectionsApi& to, Request request, Reply reply) {
        auth_link(to, request, std::move(reply));
    };
    router.add({
        {Method::get, of_tenant, admin, "list a tenant's connections",
         [&api](Request request, Reply reply) {
             auto id = request.id<TenantId>("tenant_id");
             if (!id) return reply.failed(id.error());
             api.list_connections(*id, answer_forms<Connection>(std::move(reply)));
         }},
        {Method::get, own, admin, "show a tenant's connection and what it was before",
         on(api, show_it, Of::tenant)},
        {Method::put, own, admin, "store the fields of a tenant's connector",
         on(api, connect, Of::tenant)},
        {Method::del, own, admin, "disconnect a tenant's connector and delete its fields",
         on(api, disconnect_it, Of::tenant)},
        {Method::patch, of_tenant + "/{connector_name}/disconnect", admin,
         "disconnect a tenant's connector and delete its fields",
         on(api, disconnect_it, Of::tenant)},
        {Method::get, global, admin, "show a global connection and what it was before",
         on(api, show_it, Of::integration)},
        {Method::put, global, admin, "store the fields of a global connector",
         on(api, connect, Of::integration)},
        {Method::del, global, admin, "disconnect a global connector and delete its fields",
         on(api, disconnect_it, Of::integration)},
        {Method::get, link, admin, "show the link under which a tenant is connected",
         on(api, link_it)},
        {Method::post, link, admin, "make such a link, in the place of the one before",
         on(api, link_it)},
        {Method::del, link, admin, "revoke it", on(api, link_it)},
    });
}

}  // namespace berth
