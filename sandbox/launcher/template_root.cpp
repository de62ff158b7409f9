#include "sandbox/launcher/template_root.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "sandbox/launcher/kernel.h"
#include "sandbox/launcher/mounts.h"
#include "sandbox/launcher/template_etc.h"

namespace berth::launcher {
namespace {

using ipc::Step;

constexpr const char* kFolders[] = {"usr", "app",  "data", "dev", "dev/shm",
                                    "etc", "proc", "tmp",  "work"};
constexpr const char* kDevices[] = {"null", "zero", "full", "random", "urandom"};
// Links on a merged /usr, folders on older systems; not every host has all.
constexpr const char* kUsrParts[] = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};

struct Link {
    const char* name;
    const char* target;
};
constexpr Link kDevLinks[] = {{"dev/fd", "/proc/self/fd"},
                              {"dev/stdin", "/proc/self/fd/0"},
                              {"dev/stdout", "/proc/self/fd/1"},
                              {"dev/stderr", "/proc/self/fd/2"}};

int mount_usr(int root) {
    const Fd usr = copy_mount(AT_FDCWD, "/usr", kReadOnly, Depth::with_submounts);
    if (!usr) return errno;
    if (const int err = attach(usr, root, "usr"); err != 0) return err;

    const Fd host{::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!host) return errno;
    for (const char* part : kUsrParts) {
        char target[PATH_MAX];
        const ssize_t size = ::readlinkat(host.get(), part, target, sizeof target - 1);
        if (size >= 0) {
            target[size] = '\0';
            if (::symlinkat(target, root, part) < 0) return errno;
            continue;
        }
        if (errno == ENOENT) continue;
        if (errno != EINVAL) return errno;  // EINVAL: not a link
        if (::mkdirat(root, part, 0755) < 0) return errno;
        const Fd copy = copy_mount(host.get(), part, kReadOnly);
        if (!copy) return errno;
        if (const int err = attach(copy, root, part); err != 0) return err;
    }
    return 0;
}

// The nodes are the host's own, mounted one by one: making new ones would take one
// more capability, and a tmpfs that allows devices.
int make_dev(int root) {
    for (const char* device : kDevices) {
        char from[32] = "/dev/";
        std::strncat(from, device, sizeof from - 6);
        const char* to = from + 1;
        const Fd point{::openat(root, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)};
        if (!point) return errno;
        const Fd node = copy_mount(AT_FDCWD, from, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
        if (!node) return errno;
        if (const int err = attach(node, root, to); err != 0) return err;
    }
    for (const Link& link : kDevLinks)
        if (::symlinkat(link.target, root, link.name) < 0) return errno;
    return 0;
}

int make_folders(int root) {
    for (const char* folder : kFolders)
        if (::mkdirat(root, folder, 0755) < 0) return errno;
    if (::mkdirat(root, kMaskFolder + 1, 0555) < 0) return errno;
    const Fd mask{::openat(root, kMask + 1, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0)};
    return errno_of(mask.get());
}

// Its folder stays open rather than the file: resolvers are replaced by renaming.
int keep_resolver(HostFiles& host) {
    char path[PATH_MAX];
    if (::realpath("/etc/resolv.conf", path) == nullptr) return 0;  // a host without a resolver
    char* name = std::strrchr(path, '/');
    if (name == nullptr || std::strlen(name + 1) >= sizeof host.resolver_name) return 0;
    std::strcpy(host.resolver_name, name + 1);
    *(name == path ? name + 1 : name) = '\0';
    host.resolver_folder.reset(::open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
    return errno_of(host.resolver_folder.get());
}

// Folders to write to lie in a mount of their own, so that all go at once.
int mount_data(Allowed& allowed, int root) {
    if (allowed.folders.empty()) return 0;
    constexpr MountOption options[] = {{"mode", "0755"}, {"size", "64k"}, {"nr_inodes", "64"}};
    const Fd made = new_mount("tmpfs", options, kNoSuidNoDev);
    if (!made) return errno;
    if (const int err = attach(made, root, kData + 1); err != 0) return err;
    return mount_folders(allowed, root);
}

// The old root ends up on top of the new one, where it is detached.
int pivot(int root) {
    if (::fchdir(root) < 0) return errno;
    if (::syscall(SYS_pivot_root, ".", ".") < 0) return errno;
    if (::umount2(".", MNT_DETACH) < 0) return errno;
    if (::chdir("/") < 0) return errno;
    mount_attr wanted{};
    wanted.attr_set = kReadOnly;
    return errno_of(::mount_setattr(AT_FDCWD, "/", 0, &wanted, sizeof wanted));
}

}  // namespace

Failed enter_template_root(const char* releases, Allowed& allowed, HostFiles& host) {
    ::umask(0);  // modes here are meant as they are written
    if (::unshare(CLONE_NEWNS) < 0) return {Step::private_mounts, errno};
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0)
        return {Step::private_mounts, errno};

    host.proc = new_mount("proc", {}, kNoSuidNoDev | MOUNT_ATTR_NOEXEC);
    if (!host.proc) return {Step::proc, errno};
    if (const int err = keep_resolver(host); err != 0) return {Step::network, err};
    const Fd folder{::open(releases, O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!folder) return {Step::release, errno};
    const Fd all_releases = copy_mount(folder.get(), "", kReadOnly);
    if (!all_releases) return {Step::release, errno};

    constexpr MountOption options[] = {{"mode", "0755"}, {"size", "4m"}, {"nr_inodes", "256"}};
    const Fd made = new_mount("tmpfs", options, kNoSuidNoDev);
    if (!made) return {Step::root, errno};
    // Any folder will do until pivot_root; this one is known to be there.
    if (const int err = attach(made, AT_FDCWD, releases); err != 0) return {Step::root, err};
    const Fd root{::open(releases, O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!root) return {Step::root, errno};
    if (const int err = make_folders(root.get()); err != 0) return {Step::root, err};

    if (const int err = mount_usr(root.get()); err != 0) return {Step::runtime, err};
    if (const int err = make_dev(root.get()); err != 0) return {Step::dev, err};
    const Fd etc{::openat(root.get(), "etc", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (const int err = make_etc(etc.get()); err != 0) return {Step::runtime, err};
    if (const int err = attach(all_releases, root.get(), "app"); err != 0)
        return {Step::release, err};
    if (const int err = mount_data(allowed, root.get()); err != 0) return {Step::root, err};
    if (const int err = pivot(root.get()); err != 0) return {Step::pivot, err};
    return {};
}

}  // namespace berth::launcher
