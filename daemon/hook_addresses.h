// The addresses that administrators give to providers: made, shown, replaced, revoked.
#pragma once

#include <functional>
#include <string>

#include "control/webhook_api.h"
#include "daemon/config.h"
#include "daemon/hooks.h"
#include "store/store.h"
#include "store/webhooks.h"

namespace berth {

// Thread: loop.
class HookAddresses final : public WebhookApi {
public:
    HookAddresses(const Clock& clock, const Config& config, Store& store, FindKind kinds)
        : clock_{clock}, config_{config}, store_{store}, kinds_{std::move(kinds)} {}

    void show_webhook(WebhookTarget target, Done<WebhookView> done) override;
    void open_webhook(Caller who, WebhookTarget target, Done<WebhookView> done) override;
    void rotate_webhook(Caller who, WebhookTarget target, std::chrono::seconds overlap,
                        Done<WebhookView> done) override;
    void revoke_webhook(Caller who, WebhookTarget target, Done<void> done) override;
    void webhook_deliveries(WebhookTarget target, std::int64_t limit,
                            Done<std::vector<HookDelivery>> done) override;

private:
    using Ask = std::function<Result<std::vector<HookAddress>>(Db&)>;
    void change(const WebhookTarget& target, Ask ask, Done<WebhookView> done);
    By by(const Caller& who) const { return {who.name, clock_.now()}; }

    const Clock& clock_;
    const Config& config_;
    Store& store_;
    FindKind kinds_;
};

}  // namespace berth
