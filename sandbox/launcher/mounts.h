// Detached mounts: made, given their flags, and only then attached. All calls are
// by descriptor, so that nothing can be exchanged in between.
#pragma once

#include <sys/mount.h>

#include <cstdint>
#include <span>

#include "base/fd.h"

namespace berth::launcher {

inline constexpr std::uint64_t kNoSuidNoDev = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
inline constexpr std::uint64_t kReadOnly = MOUNT_ATTR_RDONLY | kNoSuidNoDev;

struct MountOption {
    const char* key;
    const char* value;
};

// A new file system, attached nowhere. Nothing and errno when it failed.
Fd new_mount(const char* type, std::span<const MountOption> options, std::uint64_t attributes);

enum class Depth { this_mount, with_submounts };

// A copy of the mount at `path` (empty: `folder` itself), attached nowhere.
Fd copy_mount(int folder, const char* path, std::uint64_t attributes,
              Depth depth = Depth::this_mount);

// The same with the attributes of its source, in one call: for mounts that were made as
// their copies must be.
Fd copy_mount_as_it_is(int folder);

// 0, or an errno value. Never follows a symbolic link.
int attach(const Fd& mount, int folder, const char* path);

}  // namespace berth::launcher
