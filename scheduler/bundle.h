// Which of a tenant's waiting triggers make its next run (pandium-contract.md
// 5.2; docs/decisions/003 where the contract is silent). Pure: values in, values out.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "model/values.h"

namespace berth {

struct Bundle {
    RunMode mode = RunMode::normal;
    std::vector<TriggerId> triggers;
    bool rerun = false;
    bool operator==(const Bundle&) const = default;
};

// `waiting` in the order they were accepted. Crons go first and only with crons.
// Of the rest the oldest decides: a rerun goes alone, an init run takes only inits,
// any other run takes all that are neither. Nothing when nothing waits. At most
// limits::kTriggersPerRun and limits::kTriggerFilesBytes; the rest waits for the run after.
std::optional<Bundle> next_bundle(std::span<const WaitingTrigger> waiting);

}  // namespace berth
