#include "sandbox/launcher/cgroup.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "sandbox/launcher/cgroup_files.h"

namespace berth::launcher {
namespace {

void leaf_name(unsigned slot, char (&name)[24]) {
    std::snprintf(name, sizeof name, "slot-%u", slot);
}

}  // namespace

int write_file(int folder, const char* name, const char* value) {
    const Fd file{::openat(folder, name, O_WRONLY | O_CLOEXEC)};
    if (!file) return errno;
    const auto size = static_cast<ssize_t>(std::strlen(value));
    const ssize_t written = ::write(file.get(), value, static_cast<std::size_t>(size));
    if (written < 0) return errno;
    return written == size ? 0 : EIO;
}

int write_number(int folder, const char* name, std::uint64_t value) {
    char text[24];
    std::snprintf(text, sizeof text, "%llu", static_cast<unsigned long long>(value));
    return write_file(folder, name, text);
}

int Cgroups::write_all_limits(const Root& root, int leaf, ipc::SandboxLimits limits) const {
    if (limits.cpu_percent == 0) limits.cpu_percent = share_.cpu_percent;
    if (limits.io_bytes_per_second == 0) limits.io_bytes_per_second = share_.io_bytes_per_second;
    if (kind_ == CgroupKind::v1) return write_limits_v1(leaf, root.controllers, limits);
    if (const int err = write_limits(leaf, root.controllers, limits); err != 0) return err;
    const bool io = (root.controllers & ipc::protection_cgroup_io) != 0;
    if (!io || limits.io_bytes_per_second == 0) return 0;
    return write_io_limit(leaf, share_.disk, limits.io_bytes_per_second);
}

int Cgroups::make(const Root& root, unsigned slot, const ipc::SandboxLimits& limits,
                  Fd& leaf) const {
    char name[24];
    leaf_name(slot, name);
    if (::mkdirat(root.folder.get(), name, 0755) < 0) return errno;
    leaf.reset(::openat(root.folder.get(), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!leaf) return errno;
    return write_all_limits(root, leaf.get(), limits);
}

int Cgroups::prepare(unsigned slot, const ipc::SandboxLimits& limits, Fd& clone_into) {
    ended_.erase(std::remove_if(ended_.begin(), ended_.end(),
                                [slot](const Ended& one) { return one.slot == slot; }),
                 ended_.end());
    // A group may be busy for a moment longer than its last process is there.
    int left = remove(slot);
    for (int tries = 0; left == EBUSY && tries < 10; ++tries) {
        (void)::poll(nullptr, 0, 1);
        left = remove(slot);
    }
    if (left != 0) return left;
    if (kind_ != CgroupKind::v2) return 0;
    const int err = make(roots_[0], slot, limits, clone_into);
    if (err != 0) {
        clone_into.reset();
        (void)remove(slot);
    }
    return err;
}

int Cgroups::enter(unsigned slot, const ipc::SandboxLimits& limits) const {
    if (kind_ != CgroupKind::v1) return 0;
    for (std::size_t i = 0; i < count_; ++i) {
        Fd leaf;
        if (const int err = make(roots_[i], slot, limits, leaf); err != 0) return err;
        // One task that moves itself: needs no lock on all forks of the machine, unlike
        // moving a process by its number.
        if (const int err = write_file(leaf.get(), "tasks", "0"); err != 0) return err;
    }
    return 0;
}

Fd Cgroups::open_leaf(unsigned slot) const {
    if (!present()) return {};
    char name[24];
    leaf_name(slot, name);
    return Fd{::openat(roots_[0].folder.get(), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
}

int Cgroups::set_limits(unsigned slot, const ipc::SandboxLimits& limits) const {
    char name[24];
    leaf_name(slot, name);
    for (std::size_t i = 0; i < count_; ++i) {
        const Root& root = roots_[i];
        const Fd leaf{::openat(root.folder.get(), name, O_PATH | O_DIRECTORY | O_CLOEXEC)};
        if (!leaf) return errno;
        if (const int err = write_all_limits(root, leaf.get(), limits); err != 0) return err;
    }
    return 0;
}

void Cgroups::kill(unsigned slot) const {
    if (kind_ != CgroupKind::v2) return;
    const Fd leaf = open_leaf(slot);
    if (leaf) (void)write_file(leaf.get(), "cgroup.kill", "1");
}

int Cgroups::remove(unsigned slot) const {
    char name[24];
    leaf_name(slot, name);
    int result = 0;
    for (std::size_t i = 0; i < count_; ++i) {
        const int folder = roots_[i].folder.get();
        if (::unlinkat(folder, name, AT_REMOVEDIR) == 0 || errno == ENOENT) continue;
        if (result == 0) result = errno;
    }
    return result;
}

void Cgroups::ended(unsigned slot, std::int64_t now_ms) {
    if (present()) ended_.push_back({slot, now_ms});
}

int Cgroups::sweep(std::int64_t now_ms) {
    std::size_t done = 0;  // they stand in the order in which they ended
    for (; done < ended_.size() && now_ms - ended_[done].at_ms >= kKeepMs; ++done)
        (void)remove(ended_[done].slot);
    ended_.erase(ended_.begin(), ended_.begin() + static_cast<std::ptrdiff_t>(done));
    return ended_.empty() ? -1 : static_cast<int>(ended_.front().at_ms + kKeepMs - now_ms);
}

void Cgroups::close() {
    // Parked sandboxes are dying now, and a group is busy for a moment longer than its
    // last process is there: a second at most.
    for (int tries = 0; tries < 500; ++tries) {
        remove_all();
        bool gone = true;
        for (std::size_t i = 0; i < count_; ++i) {
            if (!roots_[i].parent) continue;
            if (::unlinkat(roots_[i].parent.get(), name_, AT_REMOVEDIR) < 0 && errno == EBUSY)
                gone = false;
        }
        if (gone) return;
        (void)::poll(nullptr, 0, 2);
    }
}

}  // namespace berth::launcher
