// What the store refuses for now: it is asked again until it has it.
#pragma once

#include <chrono>

#include "base/error.h"

namespace berth {

inline constexpr std::chrono::milliseconds kStoreRetry{500};
// Of what must not be lost: ten minutes of a full disk.
inline constexpr int kStoreTries = 1200;

// A full disk or queue heals by itself.
inline bool heals(const Failure& why) {
    return why.kind == FailureKind::unavailable || why.kind == FailureKind::busy;
}

}  // namespace berth
