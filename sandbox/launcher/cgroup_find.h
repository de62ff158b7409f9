// Where this process's own cgroups lie, from what the kernel says of them.
#pragma once

#include <string>

namespace berth::launcher {

// The folder of the group that a process is in, by the texts of its /proc/self/cgroup
// and /proc/self/mountinfo: in the hierarchy of the v1 `controller`, or with "" in v2.
// Empty: not mounted, or not in sight from here.
std::string own_group(const std::string& groups, const std::string& mounts, const char* controller);

// A file of /proc, which has no size of its own. Empty when it cannot be read.
std::string text_of(const char* path);

}  // namespace berth::launcher
