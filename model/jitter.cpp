#include "model/jitter.h"

namespace berth {
namespace {

// The finalizer of SplitMix64: each bit of the input moves half of the output's.
std::uint64_t mix(std::uint64_t x) {
    x += 0x9E3779B97F4A7C15;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
    x = (x ^ x >> 27) * 0x94D049BB133111EB;
    return x ^ x >> 31;
}

}  // namespace

std::chrono::milliseconds jitter(TenantId tenant, std::uint64_t salt,
                                 std::chrono::milliseconds window) {
    if (window <= std::chrono::milliseconds{0}) return std::chrono::milliseconds{0};
    const auto hash = mix(mix(static_cast<std::uint64_t>(tenant.value)) ^ salt);
    return std::chrono::milliseconds{
        static_cast<std::int64_t>(hash % static_cast<std::uint64_t>(window.count()))};
}

}  // namespace berth
