// A measurement in a process of its own: what it allocates, opens and leaves behind
// is gone afterwards, and the next one begins as small as this one did.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>

namespace berth::bench {

// Runs `measure` in a child and hands back what it returned; throws with the child's
// message when it failed. The caller must have no threads.
nlohmann::json apart(const std::function<nlohmann::json()>& measure);

// Resident memory of this process.
std::uint64_t resident_bytes();
// Processor time of this process, all threads.
double cpu_us();

}  // namespace berth::bench
