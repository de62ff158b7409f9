// The template root: the launcher lives in a mount namespace of its own whose root
// already is what a sandbox sees (host runtime, generated /etc, /dev). Each sandbox
// copies this short mount table and adds its release, /proc and scratch space; the
// launcher itself no longer sees the host's files.
#pragma once

#include "base/fd.h"
#include "sandbox/ipc/launcher_protocol.h"
#include "sandbox/launcher/allowed.h"

namespace berth::launcher {

// What the launcher still reaches of the host, by descriptor.
struct HostFiles {
    Fd proc;             // for id maps; attached nowhere
    Fd resolver_folder;  // holds the host's resolv.conf; empty: there is none
    char resolver_name[256] = {};
};

struct Failed {
    ipc::Step step = ipc::Step::none;
    int err = 0;
};

// In the template root the releases are mounted here, and in a sandbox only one.
inline constexpr const char* kReleases = "/app";
// The same with the folders that runs may write to, and the one that a run was granted.
inline constexpr const char* kData = "/data";
// An empty unreadable file, and an empty folder. The sandbox's own /proc covers them.
inline constexpr const char* kMask = "/proc/mask";
inline constexpr const char* kMaskFolder = "/proc/empty";

// Moves this process into the template root. Step::none when it worked.
Failed enter_template_root(const char* releases, Allowed& allowed, HostFiles& host);

}  // namespace berth::launcher
