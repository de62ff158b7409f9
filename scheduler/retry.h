// Whether and when a failed run is tried again. Off unless an integration asks
// for it. Pure; the dice are handed in.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "model/run_state.h"

namespace berth {

struct RetryRule {
    std::int64_t retries = 0;  // attempts after the first
    std::chrono::seconds first{60};
    std::chrono::seconds longest{3600};
};

// The delay before the next attempt: `first`, doubled each time, at most `longest`,
// of which the last half is left to chance, so that what failed together does not
// come back together. Nothing: it stays failed. `failures` counts this one; `dice`
// is any number. What somebody cancelled, and what can only fail again (output
// that does not fit, a credential that is refused), is never tried again.
std::optional<std::chrono::microseconds> retry_after(const RetryRule& rule, RunState ended,
                                                     std::int64_t failures, std::uint64_t dice);

}  // namespace berth
