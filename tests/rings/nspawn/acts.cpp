// ring_acts UNIT: tries, from inside a unit, what that unit's file forbids, each act in a
// process of its own. `refused NAME why` or `POSSIBLE NAME` per act; 0 when all were
// refused. `control`: the same outside of any unit, where most must be possible.
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_packet.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <string_view>

namespace {

enum Unit : unsigned { berthd = 1, runner = 2, egress = 4, launcher = 8 };
constexpr unsigned kAll = berthd | runner | egress | launcher;
constexpr unsigned kUnprivileged = berthd | runner | egress;

long result(long rc) { return rc < 0 ? errno : 0; }
long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) {
    return result(::syscall(number, a, b, c, d, e));
}
long write_to(const char* path, int flags = 0) {
    const int fd = ::open(path, O_WRONLY | O_CLOEXEC | flags, 0600);
    if (fd < 0) return errno;
    if (flags != 0) ::unlink(path);
    return 0;
}
long read_from(const char* path) { return result(::open(path, O_RDONLY | O_CLOEXEC)); }
long open_socket(int family, int type, int protocol = 0) {
    return result(::socket(family, type | SOCK_CLOEXEC, protocol));
}
// A pointer that is none: the call was let in when it is what the kernel complains about.
constexpr long kBad = 1;

struct Act {
    const char* name;
    unsigned forbidden_in;
    long (*attempt)();  // 0, or the errno
};

const Act kActs[] = {
    // The host's files.
    {"write below /etc", kAll, [] { return write_to("/etc/ring-act", O_CREAT); }},
    {"write below /usr", kAll, [] { return write_to("/usr/ring-act", O_CREAT); }},
    {"write below /boot", kAll, [] { return write_to("/boot/ring-act", O_CREAT); }},
    {"write below /var/lib", kAll, [] { return write_to("/var/lib/ring-act", O_CREAT); }},
    {"write into /root", kAll, [] { return write_to("/root/ring-act", O_CREAT); }},
    {"read /root", kAll, [] { return read_from("/root"); }},
    {"read the shadow file", kUnprivileged, [] { return read_from("/etc/shadow"); }},
    {"read the root key", berthd | egress | launcher,
     [] { return read_from("/var/lib/berth/keys/root.key"); }},
    {"read the store", runner | egress | launcher,
     [] { return read_from("/var/lib/berth/store/berth.db"); }},
    {"write the settings", kAll, [] { return write_to("/etc/berth/berth.conf"); }},
    {"connect as a launcher's client", egress | berthd,
     [] { return write_to("/run/berth/launcher.sock"); }},
    // The kernel's settings and memory.
    {"set core_pattern", kAll, [] { return write_to("/proc/sys/kernel/core_pattern"); }},
    {"set ip_forward", kAll, [] { return write_to("/proc/sys/net/ipv4/ip_forward"); }},
    {"write to sysrq", kAll, [] { return write_to("/proc/sysrq-trigger"); }},
    {"write below /sys", kAll, [] { return write_to("/sys/kernel/uevent_seqnum"); }},
    {"read the kernel's messages", kAll, [] { return read_from("/dev/kmsg"); }},
    {"read kernel addresses", kAll, [] { return read_from("/proc/kcore"); }},
    {"syslog", kAll, [] { return call(SYS_syslog, 10); }},
    {"load a module", kAll, [] { return call(SYS_init_module, 0, 0, kBad); }},
    {"load a module from a file", kAll, [] { return call(SYS_finit_module, -1, kBad, 0); }},
    {"remove a module", kAll, [] { return call(SYS_delete_module, kBad, O_NONBLOCK); }},
    {"load another kernel", kAll, [] { return call(SYS_kexec_load, 0, 99, kBad, 99); }},
    {"turn swap off", kAll, [] { return call(SYS_swapoff, kBad); }},
    {"turn swap on", kAll, [] { return call(SYS_swapon, kBad, 0); }},
    {"restart the host", kAll, [] { return call(SYS_reboot, 1, 2, 3); }},
    {"account processes", kAll, [] { return call(SYS_acct, kBad); }},
    {"map I/O ports", kAll, [] { return call(SYS_ioperm, 1 << 20, 1, 1); }},
    {"raise the I/O level", kAll, [] { return call(SYS_iopl, 99); }},
    // Clocks.
    {"set the clock", kAll, [] { return call(SYS_clock_settime, CLOCK_REALTIME, kBad); }},
    {"set the time of day", kAll, [] { return call(SYS_settimeofday, kBad, 0); }},
    {"adjust the clock", kAll, [] { return call(SYS_clock_adjtime, CLOCK_REALTIME, kBad); }},
    // Other processes.
    {"trace a process", kAll, [] { return call(SYS_ptrace, PTRACE_TRACEME); }},
    {"read another's memory", kUnprivileged,
     [] { return call(SYS_process_vm_readv, 1, kBad, 1, kBad, 1); }},
    {"take another's descriptor", kAll, [] { return call(SYS_pidfd_getfd, -1, 0, 0); }},
    {"watch with perf", kAll, [] { return call(SYS_perf_event_open, kBad, 0, -1, -1, 0); }},
    {"compare processes", kUnprivileged, [] { return call(SYS_kcmp, 1, 1, 99, 0, 0); }},
    {"signal process 1", kUnprivileged, [] { return result(::kill(1, 0)); }},
    {"take a higher priority", kAll, [] { return result(::setpriority(PRIO_PROCESS, 0, -20)); }},
    {"schedule in real time", kAll,
     [] {
         const sched_param most{1};
         return result(::sched_setscheduler(0, SCHED_FIFO, &most));
     }},
    // Rights.
    {"become root", kUnprivileged, [] { return result(::setuid(0)); }},
    {"own a file of root's", kAll, [] { return result(::chown("/etc/hostname", 1000, 1000)); }},
    // In the others by NoNewPrivileges alone: they need openat2 (berthd.service).
    {"leave a setuid file", runner | egress,
     [] {
         const int fd = ::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
         return fd < 0 ? errno : result(::fchmod(fd, 04755));
     }},
    {"make a device", kAll,
     [] {
         const long err = result(::mknod("/tmp/ring-act", S_IFBLK | 0600, 0x800));
         ::unlink("/tmp/ring-act");
         return err;
     }},
    {"another personality", kAll, [] { return result(::personality(ADDR_NO_RANDOMIZE)); }},
    {"change the local descriptor table", kAll, [] { return call(SYS_modify_ldt, 0, kBad, 16); }},
    {"add a key", kUnprivileged, [] { return call(SYS_add_key, kBad, kBad, 0, 0, -3); }},
    {"load a program into the kernel", kUnprivileged, [] { return call(SYS_bpf, 99, kBad, 0); }},
    {"writable code", kUnprivileged,
     [] {
         void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
         return page == MAP_FAILED ? errno : 0L;
     }},
    // Namespaces and mounts.
    {"a user namespace", kUnprivileged, [] { return result(::unshare(CLONE_NEWUSER)); }},
    {"a mount namespace", kUnprivileged, [] { return result(::unshare(CLONE_NEWNS)); }},
    {"mount", kUnprivileged, [] { return result(::mount("none", "/tmp", "tmpfs", 0, nullptr)); }},
    {"unmount", kUnprivileged, [] { return result(::umount2("/tmp", MNT_DETACH)); }},
    {"change the root", kUnprivileged, [] { return result(::chroot("/tmp")); }},
    {"enter a namespace", kUnprivileged, [] { return call(SYS_setns, -1, 0); }},
    {"set the host's name", kUnprivileged, [] { return result(::sethostname("ring", 4)); }},
    {"open by handle", kUnprivileged, [] { return call(SYS_open_by_handle_at, -1, kBad, 0); }},
    // Networks.
    {"a raw socket", kAll, [] { return open_socket(AF_INET, SOCK_RAW, 1); }},
    {"a packet socket", kAll, [] { return open_socket(AF_PACKET, SOCK_RAW); }},
    {"a socket of virtual machines", kAll, [] { return open_socket(AF_VSOCK, SOCK_STREAM); }},
    {"a socket of the kernel's ciphers", kAll, [] { return open_socket(AF_ALG, SOCK_SEQPACKET); }},
    {"a network socket", berthd | runner, [] { return open_socket(AF_INET, SOCK_STREAM); }},
    {"a netlink socket", berthd | runner, [] { return open_socket(AF_NETLINK, SOCK_RAW); }},
};

// What an act ended in: 0 (possible), an errno, or minus a signal.
long in_a_child(const Act& act) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) < 0) return errno;
    const pid_t pid = ::fork();
    if (pid == 0) {
        const long err = act.attempt();
        (void)!::write(ends[1], &err, sizeof err);
        ::_exit(0);
    }
    ::close(ends[1]);
    long err = 0;
    const bool told = ::read(ends[0], &err, sizeof err) == sizeof err;
    ::close(ends[0]);
    int status = 0;
    ::waitpid(pid, &status, 0);
    return told ? err : -(WIFSIGNALED(status) ? WTERMSIG(status) : SIGKILL);
}

// With arguments as bad as these the kernel says EFAULT, EINVAL and the like when it was
// let to look at them: that is no refusal.
bool refused(long err) {
    switch (err) {
        case EPERM:
        case EACCES:
        case EROFS:
        case ENOENT:
        case ENOSYS:
        case EAFNOSUPPORT: return true;
        default: return err < 0;
    }
}

unsigned unit_of(std::string_view name) {
    if (name == "berthd") return berthd;
    if (name == "berth-runner") return runner;
    if (name == "berth-egress") return egress;
    if (name == "berth-launcher") return launcher;
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view who = argc == 2 ? argv[1] : "";
    const unsigned unit = unit_of(who);
    if (unit == 0 && who != "control") {
        std::fputs(
            "usage: ring_acts control | berthd | berth-runner | berth-egress | "
            "berth-launcher\n",
            stderr);
        return 2;
    }
    unsigned tried = 0, possible = 0;
    for (const Act& act : kActs) {
        if (unit != 0 && (act.forbidden_in & unit) == 0) continue;
        ++tried;
        const long err = in_a_child(act);
        if (refused(err)) {
            std::printf("refused %s: %s\n", act.name,
                        err < 0 ? ::strsignal(static_cast<int>(-err))
                                : std::strerror(static_cast<int>(err)));
            continue;
        }
        ++possible;
        std::printf("POSSIBLE %s\n", act.name);
    }
    std::printf("%u acts, %u possible\n", tried, possible);
    if (unit != 0) return possible == 0 ? 0 : 1;
    return possible >= std::size(kActs) / 2 ? 0 : 1;  // systemd-nspawn refuses some by itself
}
