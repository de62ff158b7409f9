// What each sandbox adds to the template root: a /proc of its own and
// one scratch space. Runs in the sandbox's pid 1, still with the launcher's rights.
// Every function returns 0 or an errno value.
#pragma once

#include <sys/types.h>

#include "sandbox/ipc/launcher_protocol.h"

namespace berth::launcher {

// A new /proc that shows only the own processes, with what tells of the host masked;
// strictly nothing but processes.
int mount_proc(bool strict);

// One size-limited tmpfs for /tmp, /work and /dev/shm, owned by `uid` (on the host).
int mount_scratch(const ipc::SandboxLimits& limits, uid_t uid);

// Puts the host's resolv.conf as it is now over the empty one.
int show_resolver(int folder, const char* name);

}  // namespace berth::launcher
