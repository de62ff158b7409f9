// Which run: an attempt is its own, so that a late message never meets the wrong one.
#pragma once

#include <compare>
#include <cstdint>

namespace berth::runner {

struct RunKey {
    std::int64_t run_id = 0;
    std::int32_t attempt = 0;
    auto operator<=>(const RunKey&) const = default;
};

}  // namespace berth::runner
