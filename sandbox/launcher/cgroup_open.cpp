// Finding the back end of Cgroups, and what launchers that died have left in it.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "sandbox/launcher/cgroup.h"
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
                                       {"cpu", "+cpu", ipc::protection_cgroup_cpu},
                                       {"io", "+io", ipc::protection_cgroup_io}};

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

template <typename Each>
void each_entry(int at, const char* prefix, Each each) {
    Fd again{::openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    DIR* folder = again ? ::fdopendir(again.get()) : nullptr;
    if (folder == nullptr) return;
    (void)again.release();  // closedir() closes it
    while (const dirent* entry = ::readdir(folder))
        if (std::strncmp(entry->d_name, prefix, std::strlen(prefix)) == 0) each(entry->d_name);
    ::closedir(folder);
}

void remove_empty_leaves(int folder) {
    each_entry(folder, "slot-",
               [&](const char* leaf) { (void)::unlinkat(folder, leaf, AT_REMOVEDIR); });
}

// Whether `name` still leads to this folder: another one may stand there by now.
bool is_still_at(const Fd& folder, int at, const char* name) {
    struct stat held {
    }, there{};
    return ::fstat(folder.get(), &held) == 0 && ::fstatat(at, name, &there, 0) == 0 &&
           held.st_ino == there.st_ino && held.st_dev == there.st_dev;
}

// What launchers have left that could not, or whose user could not remove it: a living
// one holds a lock. Groups with processes cannot be removed, and stay.
void remove_dead(const std::string& parent) {
    const Fd at{::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!at) return;
    each_entry(at.get(), "berth-", [&](const char* name) {
        if (name[6] < '0' || name[6] > '9') return;  // called after a uid, or not a launcher's
        const Fd one{::openat(at.get(), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        if (!one || ::flock(one.get(), LOCK_EX | LOCK_NB) < 0) return;
        if (!is_still_at(one, at.get(), name)) return;  // a living one's, with a lock of its own
        remove_empty_leaves(one.get());
        (void)::unlinkat(at.get(), name, AT_REMOVEDIR);
    });
}

// Made, opened and locked while this program lives. Whoever looks for dead ones may lock and
// remove it in between, and a launcher that was killed may hold its lock for a moment longer:
// without the lock the next one that looks would remove it below its sandboxes.
Fd hold_group(const std::string& path) {
    Fd folder;
    for (int tries = 0; tries < 50; ++tries) {
        if (::mkdir(path.c_str(), 0755) < 0 && errno != EEXIST) return {};
        folder.reset(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (folder && ::flock(folder.get(), LOCK_EX | LOCK_NB) == 0 &&
            is_still_at(folder, AT_FDCWD, path.c_str()))
            return folder;
        (void)::usleep(10'000);
    }
    return folder;  // another program of this user keeps it: it is not removed either
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

void remove_left_groups() {
    const std::string groups = text_of("/proc/self/cgroup");
    const std::string mounts = text_of("/proc/self/mountinfo");
    for (const Controller& controller : kControllers)
        if (const std::string parent = own_group(groups, mounts, controller.name); !parent.empty())
            remove_dead(parent);
}

int Cgroups::open(const char* how, const char* name) {
    if (std::strcmp(how, "none") == 0) return 0;
    if (std::strcmp(how, "auto") != 0) return open_v2(how);
    // Without limits on memory the older hierarchy serves better, if it has them.
    if (open_delegated() == 0 && (protections_ & ipc::protection_cgroup_memory) != 0) return 0;
    forget();
    if (open_v1(name) == 0 && (protections_ & ipc::protection_cgroup_memory) != 0) return 0;
    forget();
    return 0;
}

void Cgroups::forget() {
    const Share share = share_;
    *this = {};
    share_ = share;
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
    // Where it is on without a limit, it counts.
    if (share_.io_bytes_per_second == 0) protections_ &= ~std::uint32_t{ipc::protection_cgroup_io};
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
        if (controller.protection == ipc::protection_cgroup_io) continue;  // blkio is another
        const std::string parent = own_group(groups, mounts, controller.name);
        if (parent.empty()) continue;
        std::size_t at = 0;  // controllers may share one hierarchy
        while (at < count_ && opened[at] != parent)
            ++at;
        if (at == count_) {
            remove_dead(parent);
            roots_[at].folder = hold_group(parent + "/" + name);
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

void Cgroups::remove_all() const {
    for (std::size_t i = 0; i < count_; ++i)
        remove_empty_leaves(roots_[i].folder.get());
}

}  // namespace berth::launcher
