// Limits by cgroup v2: one leaf per sandbox below a folder that was delegated to
// the launcher. Used only when that folder was named; without it rlimits stand in,
// and Hello says so. No group is ever made outside that folder.
#pragma once

#include <cstdint>

#include "base/fd.h"
#include "sandbox/ipc/launcher_protocol.h"

namespace berth::launcher {

// Writes the limits of the controllers (protection_cgroup_*) that are there into the
// files of an open leaf; 0, or an errno value.
int write_limits(int leaf, std::uint32_t controllers, const ipc::SandboxLimits& limits);

// The delegated folder.
class Cgroups {
public:
    Cgroups() = default;  // none: leaves are not made

    // 0, or an errno value: the folder must be a cgroup that may have children.
    // Turns on for them what it has of memory, pids and cpu.
    int open(const char* root);

    bool present() const noexcept { return static_cast<bool>(root_); }
    std::uint32_t protections() const noexcept { return controllers_; }

    // Makes the leaf of a slot with these limits. What an earlier user of the slot
    // left is removed first: a leaf stays until then, so that the runner can read how
    // a run ended after its pid 1 is gone. Nothing and errno when it failed.
    Fd make_leaf(unsigned slot, const ipc::SandboxLimits& limits) const;

    // Kills whatever is left in the leaf and removes it; 0 also if it was not there.
    int remove_leaf(unsigned slot) const;

private:
    Fd root_;
    std::uint32_t controllers_ = 0;
};

}  // namespace berth::launcher
