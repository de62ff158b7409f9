#include "sandbox/launcher/syscalls.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

namespace berth::launcher {
namespace {

// From what the container world's default profile allows, without: aio, io_uring, bpf, perf,
// userfaultfd, keyrings, ptrace and its kin, mounts, namespaces, modules, clocks,
// quotas, handles, memory policy of others, fanotify, seccomp, swap, reboot; and
// without inotify: a watch on a file of the runtime tells when other runs use it.
// By subject, not one to a line.
// clang-format off
constexpr const char* kAllowed[] = {
    // processes and signals
    "execve", "execveat", "exit", "exit_group", "fork", "vfork", "wait4", "waitid", "waitpid",
    "kill", "tkill", "tgkill", "pidfd_open", "pidfd_send_signal", "getpid", "getppid", "gettid",
    "getpgid", "getpgrp", "getsid", "setpgid", "setsid", "set_tid_address", "pause", "alarm",
    "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn",
    "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo", "sigaltstack", "signalfd", "signalfd4",
    "restart_syscall", "rseq", "set_robust_list", "get_robust_list", "futex", "futex_waitv",
    "membarrier", "prctl", "arch_prctl", "getcpu", "sched_yield", "sched_get_priority_max",
    "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
    "sched_getscheduler", "sched_rr_get_interval", "sched_setaffinity", "sched_setattr",
    "sched_setparam", "sched_setscheduler", "getpriority", "setpriority", "ioprio_get",
    "ioprio_set", "getrlimit", "setrlimit", "prlimit64", "getrusage", "times",
    // identity: gains nothing without capabilities, but programs ask and set it
    "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "setuid",
    "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "setfsuid", "setfsgid",
    "capget", "capset", "umask", "uname", "sysinfo", "getrandom",
    // memory
    "brk", "mmap", "munmap", "mremap", "mprotect", "madvise", "mincore", "msync", "mlock", "mlock2",
    "mlockall", "munlock", "munlockall", "memfd_create", "pkey_alloc", "pkey_free", "pkey_mprotect",
    "remap_file_pages", "set_mempolicy", "get_mempolicy",
    // files
    "open", "openat", "openat2", "creat", "close", "close_range", "read", "write", "readv",
    "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2", "lseek",
    "sendfile", "splice", "tee", "vmsplice", "copy_file_range", "dup", "dup2", "dup3", "fcntl",
    "ioctl", "fsync", "fdatasync", "sync_file_range", "fadvise64", "fallocate",
    "truncate", "ftruncate", "readahead", "pipe", "pipe2", "stat", "fstat", "lstat", "newfstatat",
    "statx", "statfs", "fstatfs", "access", "faccessat", "faccessat2", "readlink", "readlinkat",
    "getdents", "getdents64", "getcwd", "chdir", "fchdir", "mkdir", "mkdirat", "rmdir", "unlink",
    "unlinkat", "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat",
    "mknod", "mknodat", "chmod", "fchmod", "fchmodat", "chown", "fchown", "lchown", "fchownat",
    "utime", "utimes", "futimesat", "utimensat", "getxattr", "lgetxattr", "fgetxattr", "setxattr",
    "lsetxattr", "fsetxattr", "listxattr", "llistxattr", "flistxattr", "removexattr",
    "lremovexattr", "fremovexattr", "landlock_create_ruleset", "landlock_add_rule",
    "landlock_restrict_self",
    // waiting and time
    "poll", "ppoll", "select", "pselect6", "epoll_create", "epoll_create1", "epoll_ctl",
    "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd", "eventfd2", "timerfd_create",
    "timerfd_gettime", "timerfd_settime", "timer_create", "timer_delete", "timer_getoverrun",
    "timer_gettime", "timer_settime", "getitimer", "setitimer", "nanosleep", "clock_nanosleep",
    "clock_gettime", "clock_getres", "gettimeofday", "time",
    // sockets; their families are below
    "bind", "connect", "listen", "accept", "accept4", "shutdown", "getsockname", "getpeername",
    "getsockopt", "setsockopt", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg",
    // System V and POSIX queues, in the sandbox's own ipc namespace
    "shmget", "shmat", "shmdt", "shmctl", "semget", "semop", "semtimedop", "semctl", "msgget",
    "msgsnd", "msgrcv", "msgctl", "mq_open", "mq_unlink", "mq_timedsend", "mq_timedreceive",
    "mq_notify", "mq_getsetattr",
};
// clang-format on

constexpr std::uint64_t kNamespaceFlags = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                          CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                                          CLONE_NEWNET | CLONE_NEWTIME;
constexpr std::uint64_t kAll = 0xffffffff;

constexpr ConditionalSyscall kConditional[] = {
    {"clone", 0, kNamespaceFlags, 0},
    {"personality", 0, kAll, 0xffffffff},  // only to ask
    {"socket", 0, kAll, AF_UNIX},
    {"socketpair", 0, kAll, AF_UNIX},
};

// By 0 the kernel means the usual one of a type. Others (SCTP, DCCP, SMC, UDP-Lite) are
// much code that scripts do not need, and a call could have their modules loaded.
constexpr std::uint64_t kProtocols[] = {0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6};

constexpr const char* kAbsent[] = {"clone3"};

constexpr const char* kSharing[] = {"flock"};
constexpr std::uint32_t kIoctls[] = {TIOCSTI, TIOCLINUX};
// The locks of POSIX and of open files, asked for or set; the last two are in both profiles.
constexpr std::uint32_t kFcntls[] = {F_GETLK,     F_SETLK,      F_SETLKW,   F_OFD_GETLK,
                                     F_OFD_SETLK, F_OFD_SETLKW, F_SETLEASE, F_NOTIFY};

// Not here for what it would undo: mounts, namespaces and clone3 (the walls), io_uring
// (its operations pass by the filter), bpf, keyrings (they outlive the run), handles (lead
// out of the root), kernel log, clocks, modules, swap, devices.
constexpr const char* kGrantable[] = {"ptrace",
                                      "process_vm_readv",
                                      "process_vm_writev",
                                      "pidfd_getfd",
                                      "kcmp",
                                      "process_madvise",
                                      "process_mrelease",
                                      "perf_event_open",
                                      "userfaultfd",
                                      "personality",
                                      "modify_ldt",
                                      "seccomp",
                                      "mbind",
                                      "migrate_pages",
                                      "move_pages",
                                      "set_mempolicy_home_node",
                                      "io_setup",
                                      "io_submit",
                                      "io_getevents",
                                      "io_pgetevents",
                                      "io_cancel",
                                      "io_destroy",
                                      "inotify_init",
                                      "inotify_init1",
                                      "inotify_add_watch",
                                      "inotify_rm_watch",
                                      "name_to_handle_at",
                                      "memfd_secret"};

constexpr const char* kInit[] = {
    "ppoll", "poll",  "read", "recvfrom",   "recvmsg",         "sendto",      "wait4",
    "kill",  "close", "exit", "exit_group", "restart_syscall", "rt_sigreturn"};

}  // namespace

std::span<const char* const> allowed_syscalls() { return kAllowed; }
std::span<const char* const> sharing_syscalls() { return kSharing; }
std::span<const std::uint32_t> refused_ioctls() { return kIoctls; }
std::span<const std::uint32_t> refused_fcntls(bool strict) {
    return strict ? std::span{kFcntls} : std::span{kFcntls}.last(2);
}
std::span<const char* const> grantable_syscalls() { return kGrantable; }
std::span<const ConditionalSyscall> conditional_syscalls() { return kConditional; }
std::span<const std::uint64_t> socket_protocols() { return kProtocols; }
std::span<const char* const> absent_syscalls() { return kAbsent; }
std::span<const char* const> init_syscalls() { return kInit; }

}  // namespace berth::launcher
