// Namespaces and mounts, which are the walls, and the processes behind them.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/isolation/acts.h"

namespace berth::acts {
namespace {

int clone_network(const Host&) {
    const long pid = ::syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) ::_exit(0);
    return outcome(pid);
}

int enter_namespace(const Host&) {
    const int uts = ::open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
    return outcome(::setns(uts, CLONE_NEWUTS));
}

// A process that holds still, ended with this one.
pid_t victim() {
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::alarm(120);
        for (;;)
            ::pause();
    }
    return pid;
}

int trace(const Host&) { return outcome(::ptrace(PTRACE_SEIZE, victim(), nullptr, nullptr)); }

int read_memory(const Host&) {
    static const int there = 7;
    int here = 0;
    const iovec to{&here, sizeof here};
    const iovec from{const_cast<int*>(&there), sizeof there};
    return outcome(::process_vm_readv(victim(), &to, 1, &from, 1, 0));
}

int take_descriptor(const Host&) {
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, victim(), 0));
    return outcome(::syscall(SYS_pidfd_getfd, pidfd, 0, 0));
}

constexpr Act kActs[] = {
    {"walls", "make a user namespace",
     [](const Host&) { return outcome(::unshare(CLONE_NEWUSER)); }},
    {"walls", "make a network namespace", clone_network},
    {"walls", "enter a namespace", enter_namespace},
    {"walls", "mount a file system",
     [](const Host& host) {
         return outcome(::mount("none", host.scratch.c_str(), "tmpfs", 0, nullptr));
     }},
    {"walls", "unmount /proc", [](const Host&) { return outcome(::umount2("/proc", MNT_DETACH)); }},
    {"walls", "make a mount by descriptor",
     [](const Host&) { return outcome(::syscall(SYS_fsopen, "tmpfs", 0)); }},
    {"processes", "trace a process", trace},
    {"processes", "read a process's memory", read_memory},
    {"processes", "take a process's descriptor", take_descriptor},
    {"processes", "signal pid 1", [](const Host&) { return outcome(::kill(1, 0)); }},
    {"processes", "read pid 1's environment",
     [](const Host&) { return can_open("/proc/1/environ", O_RDONLY); }},
};

}  // namespace

std::span<const Act> wall_acts() { return kActs; }

}  // namespace berth::acts
