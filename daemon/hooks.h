// Deliveries of providers: whose address it is, whether it is signed as agreed (which
// berth-runner says), and the trigger that it becomes. Fails closed: what cannot be checked
// is not taken, and what is answered with 2xx is on disk.
//
//   address ─► body ─► address, scheme ─► message, MACs ─► berth-runner ─► trigger committed ─► 200
//   404        503     404, 429           401              401, 503        429, 503
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/loop/loop.h"
#include "connectors/kind.h"
#include "connectors/webhook.h"
#include "control/public/hooks.h"
#include "control/public/rate_limit.h"
#include "daemon/config.h"
#include "daemon/hook_keys.h"
#include "daemon/metrics.h"
#include "daemon/runner_link.h"
#include "store/store.h"

namespace berth {

// nullptr for a kind that there is not.
using FindKind = std::function<const ConnectorKind*(std::string_view kind)>;

// Thread: loop.
class Hooks final : public HookReceiver {
public:
    struct Parts {
        const Clock& clock;
        const Config& config;
        Store& store;
        RunnerLink& runner;
        FindKind kinds;
        std::function<void()> kick;  // a trigger was accepted
    };
    explicit Hooks(Parts parts);

    void admit(std::string token, Callback<void(Result<std::string>)> done) override;
    void receive(HookCall call, Callback<void(HookReply)> done) override;
    // How many there were, by outcome, and how many of those that were checked were right.
    Metric metric() const { return delivery_metric(counts_); }
    Metric macs() const { return mac_metric(macs_); }

private:
    struct Delivery;
    using Held = std::shared_ptr<Delivery>;

    static std::string key_stamp(const Delivery& delivery);
    void found(const Held& delivery);
    void check(const Held& delivery, HookProof proof);
    void checked(const Held& delivery, const HookProof& proof, const Result<ipc::MacChecked>& said);
    void accept(const Held& delivery);
    void answer(const Held& delivery, HookAnswer said);
    void refuse(const Held& delivery, std::string reason);
    void not_now(const Held& delivery, const Failure& why);
    void note(const Held& delivery, HookOutcome outcome, std::string reason);
    HookDelivery record_of(const Delivery& delivery) const;
    void count(std::string_view outcome) { ++counts_[std::string{outcome}]; }

    Parts parts_;
    HookKeys keys_;
    RateLimit deliveries_;  // of each address
    RateLimit notes_;       // of each address, of what was refused
    std::map<std::string, std::uint64_t> counts_;
    MacCounts macs_;
};

}  // namespace berth
