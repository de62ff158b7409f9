#include "sandbox/launcher/probe.h"

#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "sandbox/launcher/kernel.h"

namespace berth::launcher {
namespace {

using ipc::Step;

// The namespaces of a sandbox, made as build() makes them, by a child that ends at once.
void try_namespaces(Probe& probe) {
    clone_args args{};
    args.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
                 CLONE_NEWCGROUP | CLONE_CLEAR_SIGHAND;
    args.exit_signal = SIGCHLD;
    const pid_t pid = clone3(args);
    if (pid == 0) ::_exit(errno_of(::unshare(CLONE_NEWUSER)));
    if (pid < 0) {
        probe.step = Step::clone;
        probe.err = errno;
        return;
    }
    probe.protections |= ipc::protection_namespaces;
    int status = 0;
    if (::waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        probe.step = Step::user_namespace;
        probe.err = WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
        return;
    }
    probe.protections |= ipc::protection_user_namespace;
}

void try_seccomp(Probe& probe) {
    const std::uint32_t action = SECCOMP_RET_KILL_PROCESS;
    if (::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0) {
        probe.step = Step::seccomp;
        probe.err = errno;
        return;
    }
    probe.protections |= ipc::protection_seccomp;
}

}  // namespace

Probe probe_protections(const Cgroups& cgroups, int landlock_abi) {
    Probe probe;
    // These a sandbox does not get ready without.
    probe.protections = ipc::protection_rlimits | ipc::protection_no_new_privs |
                        ipc::protection_read_only_root | cgroups.protections();
    if (landlock_abi > 0) probe.protections |= ipc::protection_landlock;
    try_namespaces(probe);
    if (probe.step == Step::none) try_seccomp(probe);
    return probe;
}

}  // namespace berth::launcher
