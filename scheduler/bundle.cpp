#include "scheduler/bundle.h"

#include <algorithm>

#include "model/limits.h"

namespace berth {

std::optional<Bundle> next_bundle(std::span<const WaitingTrigger> waiting) {
    if (waiting.empty()) return {};
    const auto is_cron = [](const WaitingTrigger& t) { return t.source == TriggerSource::cron; };
    const bool crons = std::ranges::any_of(waiting, is_cron);
    if (!crons && waiting.front().rerun)
        return Bundle{waiting.front().mode, {waiting.front().id}, /*rerun=*/true};
    const bool inits = !crons && waiting.front().mode == RunMode::init;

    Bundle bundle;
    bool all_webhooks = true;
    std::uint64_t body_bytes = 0;  // they become files in the sandbox
    for (const WaitingTrigger& trigger : waiting) {
        if (is_cron(trigger) != crons) continue;
        if (trigger.rerun) continue;
        if (!crons && (trigger.mode == RunMode::init) != inits) continue;
        body_bytes += trigger.body_bytes;
        const bool full = bundle.triggers.size() == limits::kTriggersPerRun ||
                          body_bytes > limits::kTriggerFilesBytes;
        if (full && !bundle.triggers.empty()) break;
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
