#include "sandbox/launcher/slots.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/fd.h"
#include "sandbox/launcher/kernel.h"

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

// Every process of an open /proc, by its name there. 0, or an errno value.
template <typename Each>
int each_process(int proc, Each each) {
    Fd opened{::openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    DIR* folder = opened ? ::fdopendir(opened.get()) : nullptr;
    if (folder == nullptr) return errno;
    (void)opened.release();  // closedir() closes it
    while (const dirent* entry = ::readdir(folder))
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') each(entry->d_name);
    ::closedir(folder);
    return 0;
}

// Its uid is looked at again when it is held: the number may be another's by then.
bool kill_if(int proc, const char* pid, uid_t uid) {
    const Fd held{static_cast<int>(::syscall(SYS_pidfd_open, std::strtol(pid, nullptr, 10), 0))};
    return held && uid_of_process(proc, pid) == uid && pidfd_kill(held.get(), SIGKILL) == 0;
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
    const auto slot = static_cast<unsigned>(found - pids_.begin());
    serials_[slot] = 0;
    return slot;
}

unsigned Slots::free_count() const {
    return static_cast<unsigned>(std::count(pids_.begin(), pids_.end(), pid_t{0}));
}

int Slots::find_survivors(int proc) {
    std::replace(pids_.begin(), pids_.end(), kSurvivor, pid_t{0});
    survivors_ = false;
    return each_process(proc, [&](const char* name) {
        const auto uid = uid_of_process(proc, name);
        if (!uid || *uid < first_uid_ || *uid >= first_uid_ + 2 * count()) return;
        pid_t& pid = pids_[(*uid - first_uid_) / 2];
        if (pid != 0) return;  // our own
        pid = kSurvivor;
        survivors_ = true;
    });
}

bool Slots::kill(unsigned slot, std::uint64_t serial, int proc) const {
    if (slot >= count() || pids_[slot] == 0) return false;
    if (pids_[slot] != kSurvivor)  // not reaped yet, so the number is no other's
        return serials_[slot] == serial && serial != 0 && ::kill(pids_[slot], SIGKILL) == 0;
    // The first uid is pid 1's alone.
    bool found = false;
    (void)each_process(proc, [&](const char* name) {
        if (uid_of_process(proc, name) == uid_of(slot)) found |= kill_if(proc, name, uid_of(slot));
    });
    return found;
}

}  // namespace berth::launcher
