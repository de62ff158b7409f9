#include "scheduler/retry.h"

#include <algorithm>

namespace berth {
namespace {

bool may_heal(RunState ended) {
    return ended == RunState::failed_integration || ended == RunState::failed_timeout ||
           ended == RunState::failed_platform;
}

}  // namespace

std::optional<std::chrono::microseconds> retry_after(const RetryRule& rule, RunState ended,
                                                     std::int64_t failures, std::uint64_t dice) {
    if (!may_heal(ended) || failures > rule.retries) return {};
    std::chrono::microseconds delay = rule.first;
    for (std::int64_t i = 1; i < failures && delay < rule.longest; ++i)
        delay *= 2;
    delay = std::min<std::chrono::microseconds>(delay, rule.longest);
    const auto half = delay.count() / 2;
    return delay - std::chrono::microseconds{
                       static_cast<std::int64_t>(dice % (static_cast<std::uint64_t>(half) + 1))};
}

}  // namespace berth
