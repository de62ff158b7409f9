#include "sandbox/launcher/attach.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "sandbox/launcher/kernel.h"
#include "sandbox/launcher/mounts.h"

namespace berth::launcher {
namespace {

using ipc::Step;

Fd own_mounts(const Fd& proc) {
    return Fd{::openat(proc.get(), "self/ns/mnt", O_RDONLY | O_CLOEXEC)};
}

// In another mount namespace until the end of the scope. There the root is another
// one: nothing but mount calls may happen.
class Visit {
public:
    Visit(const Fd& there, const Fd& home) : home_{home} {
        if (::setns(there.get(), CLONE_NEWNS) < 0) err_ = errno;
    }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    ~Visit() {
        // Never go on in a sandbox with the launcher's rights.
        if (err_ == 0 && ::setns(home_.get(), CLONE_NEWNS) < 0) std::abort();
    }
    int err() const { return err_; }

private:
    const Fd& home_;
    int err_ = 0;
};

int resize_scratch(const ipc::SandboxLimits& limits) {
    const Fd context{::fspick(AT_FDCWD, "/tmp", FSPICK_CLOEXEC | FSPICK_SYMLINK_NOFOLLOW)};
    if (!context) return errno;
    char size[24];
    char inodes[24];
    std::snprintf(size, sizeof size, "%llu", static_cast<unsigned long long>(limits.scratch_bytes));
    std::snprintf(inodes, sizeof inodes, "%llu",
                  static_cast<unsigned long long>(limits.scratch_inodes));
    const MountOption options[] = {{"size", size}, {"nr_inodes", inodes}};
    for (const MountOption& option : options)
        if (::fsconfig(context.get(), FSCONFIG_SET_STRING, option.key, option.value, 0) < 0)
            return errno;
    return errno_of(::fsconfig(context.get(), FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr, 0));
}

}  // namespace

int Attacher::open(const HostFiles& host, Allowed& allowed) {
    proc_.reset(::fcntl(host.proc.get(), F_DUPFD_CLOEXEC, 0));
    if (!proc_) return errno;
    if (const int err = open_folders(allowed); err != 0) return err;
    store_ = own_mounts(host.proc);
    if (!store_) return errno;
    releases_.reset(::open(kReleases, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!releases_) return errno;
    if (::unshare(CLONE_NEWNS) < 0) return errno;
    if (::umount2(kReleases, MNT_DETACH) < 0) return errno;
    if (!allowed.folders.empty() && ::umount2(kData, MNT_DETACH) < 0) return errno;
    home_ = own_mounts(host.proc);
    return errno_of(home_.get());
}

Fd Attacher::copy_data(const WritableFolder& folder, uid_t script) const {
    const Fd id_map = make_id_map(proc_, folder, script);
    if (!id_map) return {};
    const Visit visit{store_, home_};
    if ((errno = visit.err()) != 0) return {};
    return copy_folder(folder, id_map);
}

int Attacher::try_data(const WritableFolder& folder, uid_t script) const {
    return copy_data(folder, script) ? 0 : errno;
}

Failed Attacher::attach_data(const Fd& mounts, const WritableFolder& folder, uid_t script) const {
    const Fd copy = copy_data(folder, script);
    if (!copy) return {Step::writable, errno};
    const Visit visit{mounts, home_};
    if (visit.err() != 0) return {Step::writable, visit.err()};
    const int err = berth::launcher::attach(copy, AT_FDCWD, kData);
    return err == 0 ? Failed{} : Failed{Step::writable, err};
}

Failed Attacher::find(const char* release) const {
    const Fd folder{open_beneath(releases_.get(), release, O_PATH | O_DIRECTORY)};
    return folder ? Failed{} : Failed{Step::release, errno};
}

// Read-only and private as the mount of all releases is, which was made so.
Fd Attacher::copy_release(const char* release) const {
    const Visit visit{store_, home_};
    if ((errno = visit.err()) != 0) return {};
    const Fd folder{open_beneath(releases_.get(), release, O_PATH | O_DIRECTORY)};
    if (!folder) return {};
    return copy_mount_as_it_is(folder.get());
}

Failed Attacher::attach(const Fd& mounts, const ipc::SandboxLimits& built_with,
                        const ipc::Assignment& assignment) const {
    const Fd release = copy_release(assignment.release);
    if (!release) return {Step::release, errno};
    const Visit visit{mounts, home_};
    if (visit.err() != 0) return {Step::release, visit.err()};
    if (const int err = berth::launcher::attach(release, AT_FDCWD, kReleases); err != 0)
        return {Step::release, err};
    const ipc::SandboxLimits& limits = assignment.limits;
    if (limits.scratch_bytes == built_with.scratch_bytes &&
        limits.scratch_inodes == built_with.scratch_inodes)
        return {};
    const int err = resize_scratch(limits);
    return err == 0 ? Failed{} : Failed{Step::scratch, err};
}

}  // namespace berth::launcher
