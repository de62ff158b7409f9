#include "sandbox/launcher/sandbox_mounts.h"

#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <span>

#include "base/fd.h"
#include "sandbox/launcher/kernel.h"
#include "sandbox/launcher/mounts.h"
#include "sandbox/launcher/template_root.h"

namespace berth::launcher {
namespace {

// Kernel versions and configurations differ: what is absent needs no mask.
constexpr const char* kMasked[] = {"cmdline",    "config.gz", "diskstats",     "interrupts",
                                   "kallsyms",   "kcore",     "keys",          "modules",
                                   "partitions", "schedstat", "sched_debug",   "softirqs",
                                   "swaps",      "slabinfo",  "sysrq-trigger", "timer_list"};
// The host's disks, devices, their interrupts and its load; anybody may write to `pressure`.
constexpr const char* kMaskedFolders[] = {"acpi", "asound", "bus", "fs", "irq", "pressure", "scsi"};

// Of System V memory together: 64 MiB with pages of 4 KiB.
constexpr const char* kSharedPages = "16384";

// In one tmpfs, so that they share one size limit.
struct ScratchFolder {
    const char* name;
    const char* target;
    mode_t mode;
};
constexpr ScratchFolder kScratch[] = {
    {"tmp", "/tmp", 01777}, {"work", "/work", 0755}, {"shm", "/dev/shm", 01777}};

int make_as_owner(int folder, uid_t uid) {
    // Created as their owner: giving files away would take one more capability.
    ::setfsgid(uid);
    ::setfsuid(uid);
    int err = 0;
    for (const ScratchFolder& part : kScratch) {
        if (err == 0 && ::mkdirat(folder, part.name, part.mode) < 0) err = errno;
    }
    ::setfsuid(0);
    ::setfsgid(0);
    return err;
}

// Covers what the kernel has of `names` in /proc with `mask`, as read-only as the template
// root, where it lies. One call of the old kind for each: the new kind takes three, and
// these are most of a sandbox's mounts.
int cover_all(std::span<const char* const> names, const Fd& mask) {
    char source[32];
    std::snprintf(source, sizeof source, "/proc/self/fd/%d", mask.get());
    for (const char* name : names) {
        char target[32];
        std::snprintf(target, sizeof target, "/proc/%s", name);
        if (::mount(source, target, nullptr, MS_BIND, nullptr) < 0 && errno != ENOENT) return errno;
    }
    return 0;
}

// System V memory lies outside of scratch space and of RLIMIT_DATA, and semaphores and
// queues are kernel memory. All are the ipc namespace's, so this is for one sandbox.
int limit_ipc(const Fd& proc) {
    struct Setting {
        const char* name;
        const char* value;
    };
    const Setting all[] = {{"sys/kernel/shmall", kSharedPages},
                           {"sys/kernel/sem", "250 8000 100 128"},
                           {"sys/kernel/msgmni", "64"}};
    for (const Setting& setting : all) {
        const Fd file{::openat(proc.get(), setting.name, O_WRONLY | O_CLOEXEC)};
        if (!file && errno == ENOENT) return 0;  // a kernel without System V ipc
        if (!file) return errno;
        if (::write(file.get(), setting.value, std::strlen(setting.value)) < 0) return errno;
    }
    return 0;
}

}  // namespace

int mount_proc(bool strict) {
    // Before the new /proc covers them.
    const Fd mask{::open(kMask, O_PATH | O_CLOEXEC)};
    if (!mask) return errno;
    const Fd empty{::open(kMaskFolder, O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!empty) return errno;
    constexpr MountOption options[] = {{"hidepid", "invisible"}, {"subset", "pid"}};
    const std::span<const MountOption> all{options};
    const auto attributes = kNoSuidNoDev | MOUNT_ATTR_NOEXEC;
    const Fd proc = new_mount("proc", all.first(1), attributes);
    if (!proc) return errno;
    if (const int err = attach(proc, AT_FDCWD, "/proc"); err != 0) return err;

    if (const int err = limit_ipc(proc); err != 0) return err;
    if (strict) {
        if (::umount2("/proc", MNT_DETACH) < 0) return errno;
        const Fd processes = new_mount("proc", all, attributes);
        if (!processes) return errno;
        return attach(processes, AT_FDCWD, "/proc");
    }

    const Fd sys = copy_mount(proc.get(), "sys", kReadOnly | MOUNT_ATTR_NOEXEC);
    if (!sys) return errno;
    if (const int err = attach(sys, proc.get(), "sys"); err != 0) return err;

    if (const int err = cover_all(kMasked, mask); err != 0) return err;
    return cover_all(kMaskedFolders, empty);
}

int mount_scratch(const ipc::SandboxLimits& limits, uid_t uid) {
    char size[24];
    char inodes[24];
    char owner[16];
    std::snprintf(size, sizeof size, "%llu", static_cast<unsigned long long>(limits.scratch_bytes));
    std::snprintf(inodes, sizeof inodes, "%llu",
                  static_cast<unsigned long long>(limits.scratch_inodes));
    std::snprintf(owner, sizeof owner, "%u", uid);
    const MountOption options[] = {
        {"size", size}, {"nr_inodes", inodes}, {"uid", owner}, {"gid", owner}, {"mode", "0755"}};
    const Fd scratch = new_mount("tmpfs", options, kNoSuidNoDev);
    if (!scratch) return errno;

    // Parts can be copied only from an attached mount (before Linux 6.15). It stays beneath
    // its part /tmp, where nobody reaches it: unmounting waits for all processors.
    if (const int err = attach(scratch, AT_FDCWD, "/tmp"); err != 0) return err;
    if (const int err = make_as_owner(scratch.get(), uid); err != 0) return err;
    Fd parts[std::size(kScratch)];
    for (std::size_t i = 0; i < std::size(kScratch); ++i) {
        parts[i] = copy_mount(scratch.get(), kScratch[i].name, kNoSuidNoDev);
        if (!parts[i]) return errno;
    }
    for (std::size_t i = 0; i < std::size(kScratch); ++i)
        if (const int err = attach(parts[i], AT_FDCWD, kScratch[i].target); err != 0) return err;
    return 0;
}

int show_resolver(int folder, const char* name) {
    const Fd from{::openat(folder, name, O_RDONLY | O_CLOEXEC)};
    if (!from) return errno == ENOENT ? 0 : errno;
    constexpr MountOption options[] = {{"size", "64k"}, {"nr_inodes", "4"}, {"mode", "0755"}};
    const Fd holder = new_mount("tmpfs", options, kNoSuidNoDev);
    if (!holder) return errno;
    constexpr const char* kWhile = "/tmp";
    if (const int err = attach(holder, AT_FDCWD, kWhile); err != 0) return err;
    {
        const Fd to{::openat(holder.get(), "resolv.conf", O_WRONLY | O_CREAT | O_CLOEXEC, 0644)};
        if (!to) return errno;
        if (::sendfile(to.get(), from.get(), nullptr, 32768) < 0) return errno;
    }
    const Fd copy = copy_mount(holder.get(), "resolv.conf", kReadOnly | MOUNT_ATTR_NOEXEC);
    if (!copy) return errno;
    if (::umount2(kWhile, MNT_DETACH) < 0) return errno;
    return attach(copy, AT_FDCWD, "/etc/resolv.conf");
}

}  // namespace berth::launcher
