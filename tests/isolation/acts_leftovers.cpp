// What two runs share because a file's inode is the same for both, and what a
// process inherits when nobody takes it away.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/isolation/acts.h"

namespace berth::acts {
namespace {

constexpr const char* kShared = "/usr/bin/env";

int shared_file() { return ::open(kShared, O_RDONLY | O_CLOEXEC); }

int lock_range(const Host&) {
    struct flock range {};
    range.l_type = F_RDLCK;
    return outcome(::fcntl(shared_file(), F_OFD_SETLK, &range));
}

int watch(const Host&) {
    const int watcher = ::inotify_init1(IN_CLOEXEC);
    if (watcher < 0) return errno;
    return outcome(::inotify_add_watch(watcher, kShared, IN_ALL_EVENTS));
}

int has_descriptors(const Host&) {
    DIR* folder = ::opendir("/proc/self/fd");
    if (folder == nullptr) return errno;
    while (const dirent* entry = ::readdir(folder)) {
        const int fd = std::atoi(entry->d_name);
        if (fd > 2 && fd != ::dirfd(folder)) return 0;
    }
    return ENOENT;
}

constexpr Act kActs[] = {
    {"leftovers", "lock a shared file (flock)",
     [](const Host&) { return outcome(::flock(shared_file(), LOCK_EX | LOCK_NB)); }},
    {"leftovers", "lock a part of a shared file (OFD)", lock_range},
    {"leftovers", "take a lease on a shared file",
     [](const Host&) { return outcome(::fcntl(shared_file(), F_SETLEASE, F_RDLCK)); }},
    {"leftovers", "watch who uses a shared file (inotify)", watch},
    {"leftovers", "inherit descriptors", has_descriptors},
    {"leftovers", "inherit the launcher's environment",
     [](const Host&) { return ::getenv("BERTH_NOT_FOR_SCRIPTS") != nullptr ? 0 : ENOENT; }},
};

}  // namespace

std::span<const Act> leftover_acts() { return kActs; }

}  // namespace berth::acts
