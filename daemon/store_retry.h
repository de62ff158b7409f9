// What the store refuses for now: it is asked again until it has it.
#pragma once

#include <chrono>

#include "base/error.h"

namespace berth {

inline constexpr std::chrono::milliseconds kStoreRetry{500};

// A full disk or queue heals by itself.
inline bool heals(const Failure& why) {
    return why.kind == FailureKind::unavailable || why.kind == FailureKind::busy;
}

}  // namespace berth
