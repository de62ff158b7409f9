// Finds out at start, by trying, which protections this machine gives.
#pragma once

#include <cstdint>

#include "sandbox/ipc/launcher_protocol.h"
#include "sandbox/launcher/cgroup.h"

namespace berth::launcher {

struct Probe {
    std::uint32_t protections = 0;
    // What makes a sandbox impossible here; Step::none: nothing.
    ipc::Step step = ipc::Step::none;
    int err = 0;
};

// After the launcher has entered its root and dropped its capabilities.
Probe probe_protections(const Cgroups& cgroups, int landlock_abi);

}  // namespace berth::launcher
