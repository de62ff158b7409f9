// Checks of our own mistakes, on in every build. Never for input.
#pragma once

namespace berth {
[[noreturn]] void assert_failed(const char* what, const char* file, int line) noexcept;
}

// Says what and where on stderr, then aborts; the supervisor restarts the
// daemon and recovery puts the runs right.
#define BERTH_ASSERT(condition) \
    ((condition) ? void() : ::berth::assert_failed(#condition, __FILE__, __LINE__))
