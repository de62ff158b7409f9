#include "sandbox/launcher/slots.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/fd.h"

namespace berth::launcher {
namespace {

// The real uid of a living process. Not the owner of its folder: that is root for
// processes that may not be dumped.
std::optional<uid_t> uid_of_process(int proc, const char* pid) {
    char path[300];
    std::snprintf(path, sizeof path, "%s/status", pid);
    const Fd file{::openat(proc, path, O_RDONLY | O_CLOEXEC)};
    if (!file) return {};
    char text[1024];
    const ssize_t size = ::read(file.get(), text, sizeof text - 1);
    if (size <= 0) return {};
    text[size] = '\0';
    const char* uid = std::strstr(text, "\nUid:");
    const char* state = std::strstr(text, "\nState:\t");
    if (uid == nullptr || state == nullptr || state[8] == 'Z') return {};  // zombies hold nothing
    return static_cast<uid_t>(std::strtoul(uid + 5, nullptr, 10));
}

}  // namespace

std::optional<unsigned> Slots::take() {
    // Round and round, so that a uid rests before it is used again.
    for (unsigned i = 0; i < count(); ++i) {
        const unsigned slot = (next_ + i) % count();
        if (pids_[slot] != 0) continue;
        next_ = (slot + 1) % count();
        return slot;
    }
    return {};
}

std::optional<unsigned> Slots::reaped(pid_t pid) {
    const auto found = std::find(pids_.begin(), pids_.end(), pid);
    if (found == pids_.end()) return {};
    *found = 0;
    return static_cast<unsigned>(found - pids_.begin());
}

unsigned Slots::free_count() const {
    return static_cast<unsigned>(std::count(pids_.begin(), pids_.end(), pid_t{0}));
}

int Slots::find_survivors(int proc) {
    Fd opened{::openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    DIR* folder = opened ? ::fdopendir(opened.get()) : nullptr;
    if (folder == nullptr) return errno;
    (void)opened.release();  // closedir() closes it
    std::replace(pids_.begin(), pids_.end(), kSurvivor, pid_t{0});
    survivors_ = false;
    while (const dirent* entry = ::readdir(folder)) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
        const auto uid = uid_of_process(proc, entry->d_name);
        if (!uid || *uid < first_uid_ || *uid >= first_uid_ + 2 * count()) continue;
        pid_t& pid = pids_[(*uid - first_uid_) / 2];
        if (pid != 0) continue;  // our own
        pid = kSurvivor;
        survivors_ = true;
    }
    ::closedir(folder);
    return 0;
}

}  // namespace berth::launcher
