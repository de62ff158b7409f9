#include "sandbox/launcher/mounts.h"

#include <fcntl.h>

#include <cerrno>

#include "sandbox/launcher/kernel.h"

namespace berth::launcher {

Fd new_mount(const char* type, std::span<const MountOption> options, std::uint64_t attributes) {
    const Fd context{::fsopen(type, FSOPEN_CLOEXEC)};
    if (!context) return {};
    for (const MountOption& option : options) {
        if (::fsconfig(context.get(), FSCONFIG_SET_STRING, option.key, option.value, 0) < 0)
            return {};
    }
    if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0) return {};
    return Fd{::fsmount(context.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes))};
}

Fd copy_mount(int folder, const char* path, std::uint64_t attributes, Depth depth) {
    const unsigned recursive = depth == Depth::with_submounts ? AT_RECURSIVE : 0;
    Fd tree{::open_tree(
        folder, path,
        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | recursive)};
    if (!tree) return {};
    mount_attr wanted{};
    wanted.attr_set = attributes;
    wanted.propagation = MS_PRIVATE;  // what is unmounted outside must not vanish here, nor spread
    if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH | recursive, &wanted, sizeof wanted) < 0)
        return {};
    return tree;
}

Fd copy_mount_as_it_is(int folder) {
    return Fd{::open_tree(folder, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH)};
}

int attach(const Fd& mount, int folder, const char* path) {
    return errno_of(::move_mount(mount.get(), "", folder, path, MOVE_MOUNT_F_EMPTY_PATH));
}

}  // namespace berth::launcher
