// Single system calls, by name, as the filter and the kernel answer them.
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ctime>

#include "tests/sandbox/probe.h"

namespace probe {
namespace {

#if defined(__x86_64__)
// getpid by the 32-bit table (20), and by the x32 one.
void act_int80() {
    long rc = 20;
    asm volatile("int $0x80" : "+a"(rc) : : "memory", "r8", "r9", "r10", "r11");
    std::printf("survived %ld\n", rc);
}
void act_x32() { std::printf("survived %ld\n", ::syscall(0x40000000 + SYS_getpid)); }
#endif

struct Call {
    const char* name;
    long (*make)();
};
long socket_of(int family, int type, int protocol = 0) { return ::socket(family, type, protocol); }
constexpr long kOnes = -1;

const Call kCalls[] = {
    {"unshare-user", [] { return long{::unshare(CLONE_NEWUSER)}; }},
    {"unshare-mount", [] { return long{::unshare(CLONE_NEWNS)}; }},
    {"clone-user", [] { return ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0); }},
    {"clone-net", [] { return ::syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0); }},
    {"clone3", [] { return ::syscall(SYS_clone3, nullptr, 0); }},
    {"setns", [] { return ::syscall(SYS_setns, 0, 0); }},
    {"mount", [] { return long{::mount("none", "/tmp", "tmpfs", 0, nullptr)}; }},
    {"remount", [] { return long{::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND, nullptr)}; }},
    {"umount", [] { return long{::umount2("/proc", MNT_DETACH)}; }},
    {"pivot_root", [] { return ::syscall(SYS_pivot_root, "/tmp", "/tmp"); }},
    {"chroot", [] { return long{::chroot("/tmp")}; }},
    {"fsopen", [] { return ::syscall(SYS_fsopen, "tmpfs", 0); }},
    {"open_tree", [] { return ::syscall(SYS_open_tree, AT_FDCWD, "/", 1); }},
    {"move_mount", [] { return ::syscall(SYS_move_mount, -1, "", -1, "", 0); }},
    {"mount_setattr", [] { return ::syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, nullptr, 0); }},
    {"io_uring_setup", [] { return ::syscall(SYS_io_uring_setup, 1, nullptr); }},
    {"bpf", [] { return ::syscall(SYS_bpf, 0, nullptr, 0); }},
    {"perf_event_open", [] { return ::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0); }},
    {"userfaultfd", [] { return ::syscall(SYS_userfaultfd, 0); }},
    {"keyctl", [] { return ::syscall(SYS_keyctl, 0, kOnes, 0); }},
    {"add_key", [] { return ::syscall(SYS_add_key, "user", "a", "b", 1, kOnes); }},
    {"request_key", [] { return ::syscall(SYS_request_key, "user", "a", nullptr, 0); }},
    {"ptrace", [] { return ::syscall(SYS_ptrace, 0x4206, 1, 0, 0); }},
    {"ptrace-me", [] { return ::syscall(SYS_ptrace, 0, 0, 0, 0); }},
    {"process_vm_readv",
     [] { return ::syscall(SYS_process_vm_readv, 1, nullptr, 0, nullptr, 0, 0); }},
    {"process_vm_writev",
     [] { return ::syscall(SYS_process_vm_writev, 1, nullptr, 0, nullptr, 0, 0); }},
    {"pidfd_getfd", [] { return ::syscall(SYS_pidfd_getfd, 0, 0, 0); }},
    {"kcmp", [] { return ::syscall(SYS_kcmp, 1, 1, 0, 0, 0); }},
    {"kill-init", [] { return long{::kill(1, SIGKILL)}; }},
    {"open_by_handle_at", [] { return ::syscall(SYS_open_by_handle_at, 0, nullptr, 0); }},
    {"name_to_handle_at",
     [] { return ::syscall(SYS_name_to_handle_at, AT_FDCWD, "/", nullptr, nullptr, 0); }},
    {"mknod-char", [] { return long{::mknod("/tmp/null", S_IFCHR | 0666, 0x103)}; }},
    {"mknod-block", [] { return long{::mknod("/tmp/disk", S_IFBLK | 0666, 0xfe00)}; }},
    {"init_module", [] { return ::syscall(SYS_init_module, nullptr, 0, ""); }},
    {"finit_module", [] { return ::syscall(SYS_finit_module, 0, "", 0); }},
    {"kexec_load", [] { return ::syscall(SYS_kexec_load, 0, 0, nullptr, 0); }},
    {"reboot", [] { return ::syscall(SYS_reboot, 0, 0, 0, nullptr); }},
    {"swapon", [] { return ::syscall(SYS_swapon, "/tmp/x", 0); }},
    {"acct", [] { return ::syscall(SYS_acct, nullptr); }},
    {"quotactl", [] { return ::syscall(SYS_quotactl, 0, nullptr, 0, nullptr); }},
    {"syslog", [] { return ::syscall(SYS_syslog, 3, nullptr, 0); }},
    {"sethostname", [] { return long{::sethostname("x", 1)}; }},
    {"clock_settime",
     [] {
         const timespec now{1, 0};
         return long{::clock_settime(CLOCK_REALTIME, &now)};
     }},
    {"settimeofday", [] { return ::syscall(SYS_settimeofday, nullptr, nullptr); }},
    {"adjtimex", [] { return ::syscall(SYS_adjtimex, nullptr); }},
    {"nice-up", [] { return long{::setpriority(PRIO_PROCESS, 0, -5)}; }},
    {"realtime",
     [] {
         const sched_param wanted{10};
         return long{::sched_setscheduler(0, SCHED_FIFO, &wanted)};
     }},
    {"setuid-0", [] { return long{::setuid(0)}; }},
    {"setgid-0", [] { return long{::setgid(0)}; }},
    {"setgroups",
     [] {
         const gid_t root = 0;
         return ::syscall(SYS_setgroups, 1, &root);
     }},
    {"raise-nofile",
     [] {
         const rlimit wanted{1 << 20, 1 << 20};
         return long{::setrlimit(RLIMIT_NOFILE, &wanted)};
     }},
    {"raise-core",
     [] {
         const rlimit wanted{2, 2};
         return long{::setrlimit(RLIMIT_CORE, &wanted)};
     }},
    {"personality", [] { return ::syscall(SYS_personality, 0x0040000); }},
    {"fanotify_init", [] { return ::syscall(SYS_fanotify_init, 0, 0); }},
    {"mbind", [] { return ::syscall(SYS_mbind, nullptr, 0, 0, nullptr, 0, 0); }},
    {"move_pages", [] { return ::syscall(SYS_move_pages, 1, 0, nullptr, nullptr, nullptr, 0); }},
    {"lookup_dcookie", [] { return ::syscall(212, 0, nullptr, 0); }},
    {"seccomp", [] { return ::syscall(SYS_seccomp, 0, 0, nullptr); }},
    {"unknown-future", [] { return ::syscall(467); }},
    {"unknown-far", [] { return ::syscall(5000); }},
    {"socket-vsock", [] { return socket_of(40, SOCK_STREAM); }},
    {"socket-packet", [] { return socket_of(AF_PACKET, SOCK_RAW); }},
    {"socket-raw", [] { return socket_of(AF_INET, SOCK_RAW, IPPROTO_ICMP); }},
    {"socket-alg", [] { return socket_of(AF_ALG, SOCK_SEQPACKET); }},
    {"socket-netfilter", [] { return socket_of(AF_NETLINK, SOCK_RAW, 12); }},
    {"socket-xfrm", [] { return socket_of(AF_NETLINK, SOCK_RAW, 6); }},
    {"socket-route", [] { return socket_of(AF_NETLINK, SOCK_RAW, 0); }},
    {"socket-inet", [] { return socket_of(AF_INET, SOCK_STREAM); }},
    {"socket-high-bits", [] { return ::syscall(SYS_socket, (1L << 32) | 40, SOCK_STREAM, 0); }},
    {"tiocsti", [] { return ::syscall(SYS_ioctl, 0, 0x5412UL, "x"); }},
    {"tiocsti-high", [] { return ::syscall(SYS_ioctl, 0, 0x5412UL | 1UL << 32, "x"); }},
    {"tioclinux", [] { return ::syscall(SYS_ioctl, 0, 0x541cUL, "x"); }},
    {"tioclinux-high", [] { return ::syscall(SYS_ioctl, 0, 0x541cUL | 1UL << 32, "x"); }},
    {"fionread",
     [] {
         int waiting = 0;
         return long{::ioctl(0, FIONREAD, &waiting)};
     }},
};

int act_call(const std::string& name) {
    for (const Call& call : kCalls) {
        if (name != call.name) continue;
        errno = 0;
        said(call.make());
        return 0;
    }
    std::puts("the probe knows no such call");
    return 2;
}

// In a child, in a grandchild and here.
int act_calls_everywhere(const std::string& name) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        if (::fork() == 0) {
            (void)act_call(name);
            std::fflush(stdout);
            ::_exit(0);
        }
        (void)::wait(nullptr);
        (void)act_call(name);
        std::fflush(stdout);
        ::_exit(0);
    }
    (void)::waitpid(pid, nullptr, 0);
    return act_call(name);
}

int act_call_forever(const std::string& name) {
    std::puts("ready");
    std::fflush(stdout);
    for (const Call& call : kCalls)
        while (name == call.name)
            (void)call.make();
    return 2;
}

}  // namespace

std::optional<int> make_call(const Words& words) {
    const std::string act = words[0];
    if (act == "call") return act_call(words[1]);
    if (act == "calls") {
        for (std::size_t i = 1; i < words.all.size(); ++i)
            (void)act_call(words[i]);
        return 0;
    }
    if (act == "calls-everywhere") return act_calls_everywhere(words[1]);
    if (act == "call-forever") return act_call_forever(words[1]);
#if defined(__x86_64__)
    if (act == "int80") return act_int80(), 0;
    if (act == "x32") return act_x32(), 0;
#endif
    return {};
}

}  // namespace probe
