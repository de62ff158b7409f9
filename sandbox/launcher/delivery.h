// What pid 2 of a sandbox waits for: the plan from the runner and the launcher's word that
// the release is there. Both are looked at and stay unread in the socket until the moment
// before execve(2): so the runner knows of a pid 2 that has ended, for whatever reason,
// whether it may have executed anything. Nothing is allocated for the usual plan: what it is read
// into is touched before the sandbox is parked, so that a start waits for no page of memory.
#pragma once

#include "sandbox/ipc/launcher_protocol.h"
#include "sandbox/launcher/plan.h"

namespace berth::launcher {

// Tells the runner what cannot be done, and ends.
[[noreturn]] void refuse(ipc::Step step, int err) noexcept;

// Looking goes on behind what was looked at before. 0, or errno.
int look_without_reading() noexcept;

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

// To be called last: from here on the end of the plan socket means that the program was
// executed, unless refuse() is.
void accept_delivery() noexcept;

}  // namespace berth::launcher
