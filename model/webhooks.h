// What became of a delivery of a provider, as the store, the API and the metrics call it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "model/ids.h"

namespace berth {

enum class HookOutcome {
    accepted,    // a trigger is committed
    duplicate,   // had come before; the trigger from then stands
    handshake,   // a question, answered without a run
    refused,     // not signed as agreed
    limited,     // too many at once
    unavailable  // ours: no runner, no room, no release; the provider delivers again
};
std::string_view to_string(HookOutcome outcome);
std::optional<HookOutcome> parse_hook_outcome(std::string_view word);

// One of the last deliveries of a tenant's connector.
struct HookDelivery {
    std::int64_t number = 0;  // since the first
    Time time{};
    HookOutcome outcome = HookOutcome::refused;
    std::string reason;       // why not
    std::string delivery_id;  // the provider's; not of what was refused
    std::string event;
    std::string client;  // who the reverse proxy says it is
    std::uint64_t bytes = 0;
    std::optional<TriggerId> trigger_id;
};

}  // namespace berth
