// A tenant's webhook addresses, as the routes of administrators see them.
// daemon/hook_addresses.h implements it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "control/api.h"
#include "control/router.h"
#include "model/webhooks.h"

namespace berth {

struct WebhookAddress {
    std::string path;  // `/hooks/…`
    std::string url;   // empty: no 'public_url' is set
    Time created{};
    std::optional<Time> ends;  // replaced, and serves until then
};

struct WebhookView {
    std::string connector;
    std::vector<WebhookAddress> addresses;  // the newest first, which is the one to give out
    // How its provider signs, from the connector's kind.
    std::string signature_header;
    std::string secret_field;  // where the shared secret is kept
    bool has_secret = false;
};

struct WebhookTarget {
    TenantId tenant;
    std::string connector;
};

// Thread: loop. Answers as Api does. not_found for what is not there; unprocessable for a
// connector of a kind that sends no webhooks.
class WebhookApi {
public:
    virtual ~WebhookApi() = default;
    virtual void show_webhook(WebhookTarget target, Done<WebhookView> done) = 0;
    // What there is stays.
    virtual void open_webhook(Caller who, WebhookTarget target, Done<WebhookView> done) = 0;
    virtual void rotate_webhook(Caller who, WebhookTarget target, std::chrono::seconds overlap,
                                Done<WebhookView> done) = 0;
    virtual void revoke_webhook(Caller who, WebhookTarget target, Done<void> done) = 0;
    virtual void webhook_deliveries(WebhookTarget target, std::int64_t limit,
                                    Done<std::vector<HookDelivery>> done) = 0;
};

void add_webhook_routes(Router& router, WebhookApi& api);

}  // namespace berth
