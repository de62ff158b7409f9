// The few system calls and flags that Debian 12's C library or headers lack.
// Each function returns like the call itself: -1 and errno.
#pragma once

#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace berth::launcher {

// The result of a call as an errno value: 0 when it worked.
inline int errno_of(long rc) noexcept { return rc < 0 ? errno : 0; }

// Like fork(2), without the C library: 0 in the child. Only for one thread.
inline pid_t clone3(clone_args& args) noexcept {
    return static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
}

inline int open_beneath(int folder, const char* path, std::uint64_t flags,
                        std::uint64_t mode = 0) noexcept {
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.mode = mode;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    return static_cast<int>(::syscall(SYS_openat2, folder, path, &how, sizeof how));
}

inline int pidfd_kill(int pidfd, int signo) noexcept {
    return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signo, nullptr, 0));
}

}  // namespace berth::launcher
