#include "scheduler/bundle.h"

#include <algorithm>

#include "model/limits.h"

namespace berth {

std::optional<Bundle> next_bundle(std::span<const Trigger> waiting) {
    if (waiting.empty()) return {};
    const auto is_cron = [](const Trigger& t) { return t.source == TriggerSource::cron; };
    const bool crons = std::ranges::any_of(waiting, is_cron);
    const bool inits = !crons && waiting.front().mode == RunMode::init;

    Bundle bundle;
    bool all_webhooks = true;
    for (const Trigger& trigger : waiting) {
        if (is_cron(trigger) != crons) continue;
        if (!crons && (trigger.mode == RunMode::init) != inits) continue;
        if (bundle.triggers.size() == limits::kTriggersPerRun) break;
        bundle.triggers.push_back(trigger.id);
        all_webhooks = all_webhooks && trigger.mode == RunMode::webhook;
    }
    // A full sync somebody asked for is not narrowed to the webhooks beside it.
    if (inits)
        bundle.mode = RunMode::init;
    else
        bundle.mode = all_webhooks ? RunMode::webhook : RunMode::normal;
    return bundle;
}

}  // namespace berth
