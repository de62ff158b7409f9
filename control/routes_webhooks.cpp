// Where a tenant's connectors are delivered to: shown, made, replaced, revoked.
#include <nlohmann/json.hpp>

#include "control/answer.h"
#include "control/fields.h"
#include "control/webhook_api.h"
#include "model/limits.h"

namespace berth {
namespace {

Json to_form(const WebhookAddress& address) {
    Json form{{"path", address.path},
              {"url", address.url.empty() ? Json() : Json(address.url)},
              {"created_date", to_rfc3339(address.created)}};
    if (address.ends) form["ends_date"] = to_rfc3339(*address.ends);
    return form;
}

Json to_form(const WebhookView& view) {
    Json form = to_form(view.addresses.front());
    form["connector"] = view.connector;
    form["signature_header"] = view.signature_header;
    form["secret_field"] = view.secret_field;
    form["has_secret"] = view.has_secret;
    form["replaced"] = Json::array();
    for (std::size_t i = 1; i < view.addresses.size(); ++i)
        form["replaced"].push_back(to_form(view.addresses[i]));
    return form;
}

Json to_form(const HookDelivery& delivery) {
    return {{"number", delivery.number},
            {"date", to_rfc3339(delivery.time)},
            {"outcome", to_string(delivery.outcome)},
            {"reason", delivery.reason},
            {"delivery_id", delivery.delivery_id},
            {"event", delivery.event},
            {"client", delivery.client},
            {"bytes", delivery.bytes},
            {"trigger_id", delivery.trigger_id ? Json(delivery.trigger_id->str()) : Json()}};
}

Done<WebhookView> answer_view(Reply reply) {
    return answer<WebhookView>(std::move(reply), 200,
                               [](const WebhookView& view) { return to_form(view); });
}

Result<WebhookTarget> target(const Request& request) {
    auto id = request.id<TenantId>("tenant_id");
    if (!id) return pass_on(id);
    return WebhookTarget{*id, std::string{request.param("connector_name")}};
}

void rotate(WebhookApi& api, const Request& request, Reply reply) {
    auto of = target(request);
    if (!of) return reply.failed(of.error());
    auto body = read_json_object(request, EmptyBody::allowed);
    if (!body) return reply.failed(body.error());
    constexpr auto kDefault = std::chrono::seconds{limits::kWebhookOverlap};
    constexpr auto kMost = std::chrono::seconds{limits::kWebhookMaxOverlap};
    Fields fields{*body};
    const auto overlap = fields.integer("overlap_seconds", 0, kMost.count());
    if (auto good = fields.finish(); !good) return reply.failed(good.error());
    api.rotate_webhook(caller(request), *of,
                       std::chrono::seconds{overlap.value_or(kDefault.count())},
                       answer_view(std::move(reply)));
}

void deliveries(WebhookApi& api, const Request& request, Reply reply) {
    auto of = target(request);
    if (!of) return reply.failed(of.error());
    auto page = read_page(request, {});
    if (!page) return reply.failed(page.error());
    api.webhook_deliveries(*of, page->limit,
                           answer<std::vector<HookDelivery>>(
                               std::move(reply), 200, [](const std::vector<HookDelivery>& all) {
                                   Json list = Json::array();
                                   for (const HookDelivery& delivery : all)
                                       list.push_back(to_form(delivery));
                                   return list;
                               }));
}

}  // namespace

void add_webhook_routes(Router& router, WebhookApi& api) {
    const std::string one = "/v2/tenants/{tenant_id}/connectors/{connector_name}/webhook";
    router.add({
        {Method::get, one, Role::administrator, "show where a provider delivers to",
         [&api](Request request, Reply reply) {
             auto of = target(request);
             if (!of) return reply.failed(of.error());
             api.show_webhook(*of, answer_view(std::move(reply)));
         }},
        {Method::put, one, Role::administrator, "make an address for a provider's deliveries",
         [&api](Request request, Reply reply) {
             auto of = target(request);
             if (!of) return reply.failed(of.error());
             api.open_webhook(caller(request), *of, answer_view(std::move(reply)));
         }},
        {Method::post, one, Role::administrator, "replace the address of a provider's deliveries",
         [&api](Request request, Reply reply) { rotate(api, request, std::move(reply)); }},
        {Method::del, one, Role::administrator, "take no more deliveries of a provider",
         [&api](Request request, Reply reply) {
             auto of = target(request);
             if (!of) return reply.failed(of.error());
             api.revoke_webhook(caller(request), *of,
                                [reply = std::move(reply)](Result<void> revoked) mutable {
                                    if (!revoked) return reply.failed(revoked.error());
                                    reply.json(200, Json::object());
                                });
         }},
        {Method::get, one + "/deliveries", Role::administrator,
         "list the last deliveries of a provider",
         [&api](Request request, Reply reply) { deliveries(api, request, std::move(reply)); }},
    });
}

}  // namespace berth
