// Capabilities: the eight that the launcher keeps, and the none that a sandbox has.
// By raw system calls, since libcap allocates. Functions return 0 or an errno value.
#pragma once

#include <cstdint>

namespace berth::launcher {

// Keeps exactly the launcher's capabilities: bounding, permitted and effective; none
// inheritable or ambient. `missing` names the first one that this process lacks.
int keep_own_capabilities(const char*& missing);

// Empties the bounding set. Before a fork it does so for both: one call a capability.
int drop_bounding_set();

// Keeps `mask` (bits of linux/capability.h) in permitted and effective; nothing is
// inheritable or ambient afterwards.
int keep_only(std::uint64_t mask);

// For good: uid 0 gives no capability, and changing uid neither takes nor gives one.
int lock_securebits();

}  // namespace berth::launcher
