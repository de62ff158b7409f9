// A sandbox as the runner holds it, from the launcher's Ready until a run has it.
#pragma once

#include <cstdint>
#include <vector>

#include "base/fd.h"

namespace berth::runner {

// A sandbox's name at the launcher; slot and serial of its Ready.
struct SandboxName {
    std::uint32_t slot = 0;
    std::uint64_t serial = 0;  // 0: there is none
};

// A sandbox whose pid 2 waits for its plan. Closing `status` makes its pid 1 end it.
struct Sandbox {
    SandboxName name;
    std::uint32_t protections = 0;
    Fd plan;
    Fd status;
    Fd pidfd;                   // of its pid 1; readable when every process in it is dead
    Fd cgroup;                  // the directory; may be empty
    std::vector<Fd> listeners;  // with network egress, for berth-egress
};

}  // namespace berth::runner
