// What pid 2 of a sandbox waits for: the plan from the runner and the launcher's word that
// the release is there. Nothing is allocated for the usual plan: what it is read into is
// touched before the sandbox is parked, so that a start waits for no page of memory.
#pragma once

#include "sandbox/ipc/launcher_protocol.h"
#include "sandbox/launcher/plan.h"

namespace berth::launcher {

// Tells the runner what cannot be done, and ends.
[[noreturn]] void refuse(ipc::Step step, int err) noexcept;

// Has the pages of this program that a start will touch. 0, or errno.
int touch_pages() noexcept;

struct Delivery {
    Plan plan;
    ipc::SandboxLimits limits;
    int streams[3] = {-1, -1, -1};
};
// Both have come, and make sense; else this does not return.
Delivery receive_delivery() noexcept;

// Below /work. Refuses what cannot be written.
void write_files(std::span<char> files) noexcept;

}  // namespace berth::launcher
