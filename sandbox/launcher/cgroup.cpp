#include "sandbox/launcher/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "sandbox/launcher/cgroup_files.h"
#include "sandbox/launcher/cgroup_find.h"

namespace berth::launcher {
namespace {

struct Controller {
    const char* name;
    const char* turn_on;
    std::uint32_t protection;
};
constexpr Controller kControllers[] = {{"memory", "+memory", ipc::protection_cgroup_memory},
                                       {"pids", "+pids", ipc::protection_cgroup_pids},
                                       {"cpu", "+cpu", ipc::protection_cgroup_cpu}};

// In a delegated v2 group: the programs' own leaf, since only a group without processes
// may give controllers to its children, and the folder of the sandboxes.
constexpr const char* kPrograms = "programs";
constexpr const char* kSandboxes = "sandboxes";

// Whether `word` stands in a line of words, as a whole.
bool has_word(const char* line, const char* word) {
    const std::size_t size = std::strlen(word);
    for (const char* at = line; (at = std::strstr(at, word)) != nullptr; at += size) {
        const bool begins = at == line || at[-1] == ' ';
        if (begins && (at[size] == '\0' || at[size] == ' ' || at[size] == '\n')) return true;
    }
    return false;
}

void leaf_name(unsigned slot, char (&name)[24]) {
    std::snprintf(name, sizeof name, "slot-%u", slot);
}

// Gives the children of an open v2 group what it has of our controllers.
int turn_on_controllers(int folder, std::uint32_t& found) {
    const Fd file{::openat(folder, "cgroup.controllers", O_RDONLY | O_CLOEXEC)};
    if (!file) return errno;
    char available[256];
    const ssize_t size = ::read(file.get(), available, sizeof available - 1);
    if (size < 0) return errno;
    available[size] = '\0';
    for (const Controller& controller : kControllers) {
        if (!has_word(available, controller.name)) continue;
        if (const int err = write_file(folder, "cgroup.subtree_control", controller.turn_on);
            err != 0)
            return err;
        found |= controller.protection;
    }
    return 0;
}

// systemd marks what it has delegated.
bool is_delegated(const std::string& group) {
    char value[4];
    for (const char* name : {"user.delegate", "trusted.delegate"})
        if (::getxattr(group.c_str(), name, value, sizeof value) == 1 && value[0] == '1')
            return true;
    return false;
}

// Repeated, since a process may be forked meanwhile.
int move_all(const std::string& from, const std::string& to) {
    const Fd target{::open(to.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!target) return errno;
    for (int tries = 0; tries < 10; ++tries) {
        const std::string pids = text_of((from + "/cgroup.procs").c_str());
        if (pids.empty()) return 0;
        for (const char* at = pids.c_str(); *at != '\0';) {
            char* end = nullptr;
            const unsigned long pid = std::strtoul(at, &end, 10);
            if (end == at) break;
            // ESRCH: it has ended; 0 is a process out of our sight.
            if (const int err = write_number(target.get(), "cgroup.procs", pid);
                err != 0 && err != ESRCH)
                return err;
            at = *end == '\n' ? end + 1 : end;
        }
    }
    return EBUSY;
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

// ---- finding the back end

int Cgroups::open(const char* how, const char* name) {
    if (std::strcmp(how, "none") == 0) return 0;
    if (std::strcmp(how, "auto") != 0) return open_v2(how);
    // Without limits on memory the older hierarchy serves better, if it has them.
    if (open_delegated() == 0 && (protections_ & ipc::protection_cgroup_memory) != 0) return 0;
    *this = {};
    if (open_v1(name) == 0 && (protections_ & ipc::protection_cgroup_memory) != 0) return 0;
    *this = {};
    return 0;
}

int Cgroups::open_v2(const char* folder) {
    Root& root = roots_[0];
    root.folder.reset(::open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root.folder) return errno;
    if (const int err = turn_on_controllers(root.folder.get(), root.controllers); err != 0)
        return err;
    kind_ = CgroupKind::v2;
    count_ = 1;
    protections_ = root.controllers | ipc::protection_cgroup_v2;
    remove_all();
    return 0;
}

int Cgroups::open_delegated() {
    std::string group =
        own_group(text_of("/proc/self/cgroup"), text_of("/proc/self/mountinfo"), "");
    if (group.empty()) return ENOENT;
    // Where an earlier launcher has put all programs already.
    const std::string tail = std::string{"/"} + kPrograms;
    if (group.size() > tail.size() &&
        group.compare(group.size() - tail.size(), tail.size(), tail) == 0)
        group.resize(group.size() - tail.size());
    if (!is_delegated(group)) return EPERM;

    const std::string programs = group + "/" + kPrograms;
    const std::string sandboxes = group + "/" + kSandboxes;
    for (const std::string* folder : {&programs, &sandboxes})
        if (::mkdir(folder->c_str(), 0755) < 0 && errno != EEXIST) return errno;
    if (const int err = move_all(group, programs); err != 0) return err;
    const Fd opened{::open(group.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!opened) return errno;
    std::uint32_t found = 0;
    if (const int err = turn_on_controllers(opened.get(), found); err != 0) return err;
    return open_v2(sandboxes.c_str());
}

int Cgroups::open_v1(const char* name) {
    const std::string groups = text_of("/proc/self/cgroup");
    const std::string mounts = text_of("/proc/self/mountinfo");
    std::string opened[kRoots];
    std::snprintf(name_, sizeof name_, "%s", name);
    for (const Controller& controller : kControllers) {
        const std::string parent = own_group(groups, mounts, controller.name);
        if (parent.empty()) continue;
        std::size_t at = 0;  // controllers may share one hierarchy
        while (at < count_ && opened[at] != parent)
            ++at;
        if (at == count_) {
            const std::string folder = parent + "/" + name;
            if (::mkdir(folder.c_str(), 0755) < 0 && errno != EEXIST) continue;
            roots_[at].folder.reset(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
            if (!roots_[at].folder) continue;
            roots_[at].parent.reset(::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
            opened[count_++] = parent;
        }
        roots_[at].controllers |= controller.protection;
        protections_ |= controller.protection | ipc::protection_cgroup_v1;
    }
    if (count_ == 0) return ENOENT;
    kind_ = CgroupKind::v1;
    remove_all();
    return 0;
}

// ---- the life of a slot's groups

int Cgroups::make(const Root& root, unsigned slot, const ipc::SandboxLimits& limits,
                  Fd& leaf) const {
    char name[24];
    leaf_name(slot, name);
    if (::mkdirat(root.folder.get(), name, 0755) < 0) return errno;
    leaf.reset(::openat(root.folder.get(), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!leaf) return errno;
    return kind_ == CgroupKind::v2 ? write_limits(leaf.get(), root.controllers, limits)
                                   : write_limits_v1(leaf.get(), root.controllers, limits);
}

int Cgroups::prepare(unsigned slot, const ipc::SandboxLimits& limits, Fd& clone_into) {
    ended_.erase(std::remove_if(ended_.begin(), ended_.end(),
                                [slot](const Ended& one) { return one.slot == slot; }),
                 ended_.end());
    if (const int err = remove(slot); err != 0) return err;
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
        const int err = kind_ == CgroupKind::v2
                            ? write_limits(leaf.get(), root.controllers, limits)
                            : write_limits_v1(leaf.get(), root.controllers, limits);
        if (err != 0) return err;
    }
    return 0;
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

void Cgroups::remove_all() const {
    for (std::size_t i = 0; i < count_; ++i) {
        Fd again{::openat(roots_[i].folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        DIR* folder = again ? ::fdopendir(again.get()) : nullptr;
        if (folder == nullptr) continue;
        (void)again.release();  // closedir() closes it
        while (const dirent* entry = ::readdir(folder))
            if (std::strncmp(entry->d_name, "slot-", 5) == 0)
                (void)::unlinkat(roots_[i].folder.get(), entry->d_name, AT_REMOVEDIR);
        ::closedir(folder);
    }
}

}  // namespace berth::launcher
