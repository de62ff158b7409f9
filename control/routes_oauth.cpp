// Connecting by OAuth2, for administrators: a link to open, or at once.
#include <nlohmann/json.hpp>

#include "control/answer.h"
#include "control/oauth_routes.h"

namespace berth {
namespace {

Done<OAuthAuthorized> answer_authorized(Reply reply) {
    return answer<OAuthAuthorized>(std::move(reply), 200, [](const OAuthAuthorized& authorized) {
        Json form = Json::object();
        if (authorized.invitation) {
            form["url"] = authorized.invitation->url;
            form["expires"] = to_rfc3339(authorized.invitation->expires);
        }
        if (authorized.connection) form["connection"] = to_form(*authorized.connection);
        return form;
    });
}

}  // namespace

void add_oauth_admin_routes(Router& router, OAuthApi& api) {
    router.add({.method = Method::post,
                .pattern = "/v2/tenants/{tenant_id}/connectors/{connector_name}/authorize",
                .role = Role::administrator,
                .summary = "connect a tenant's connector by OAuth2",
                .handler = [&api](const Request& request, Reply reply) {
                    auto id = request.id<TenantId>("tenant_id");
                    if (!id) return reply.failed(id.error());
                    api.authorize(caller(request),
                                  {{}, *id, std::string{request.param("connector_name")}},
                                  answer_authorized(std::move(reply)));
                }});
    router.add(
        {.method = Method::post,
         .pattern = "/v2/integrations/{integration_id}/connectors/{connector_name}/authorize",
         .role = Role::administrator,
         .summary = "connect a global connector by OAuth2",
         .handler = [&api](const Request& request, Reply reply) {
             auto id = request.id<IntegrationId>("integration_id");
             if (!id) return reply.failed(id.error());
             api.authorize(caller(request), {*id, {}, std::string{request.param("connector_name")}},
                           answer_authorized(std::move(reply)));
         }});
}

}  // namespace berth
