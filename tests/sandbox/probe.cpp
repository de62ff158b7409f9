// Runs inside a sandbox as the script: tries one act, named by its arguments, and
// prints what it got: an errno's name, "ok", or what it saw.
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

extern char** environ;

namespace {

// Prints what a call returned; its value does not matter when it worked.
void said(long rc) { std::puts(rc < 0 ? ::strerrorname_np(errno) : "ok"); }

std::string content(const std::string& path) {
    std::string all;
    const int fd = ::open(path.c_str(), O_RDONLY);
    if (fd < 0) return all;
    char part[65536];
    for (ssize_t n; (n = ::read(fd, part, sizeof part)) > 0;)
        all.append(part, static_cast<std::size_t>(n));
    ::close(fd);
    return all;
}

template <typename Each>
void each_entry(const std::string& folder, Each each) {
    DIR* dir = ::opendir(folder.c_str());
    if (dir == nullptr) return;
    while (const dirent* entry = ::readdir(dir)) {
        const std::string name = entry->d_name;
        if (name != "." && name != "..") each(name, ::dirfd(dir));
    }
    ::closedir(dir);
}

void act_write(const std::string& path) { said(::open(path.c_str(), O_WRONLY | O_CREAT, 0600)); }

void act_overwrite(const std::string& path) { said(::open(path.c_str(), O_WRONLY)); }

void act_read(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY);
    if (fd < 0) return said(-1);
    ::close(fd);
    const std::string all = content(path);
    std::fwrite(all.data(), 1, all.size(), stdout);
}

void act_fds() {
    each_entry("/proc/self/fd", [](const std::string& name, int own) {
        if (name == std::to_string(own)) return;
        char target[256];
        const std::string path = "/proc/self/fd/" + name;
        const ssize_t n = ::readlink(path.c_str(), target, sizeof target);
        std::printf("%s %.*s\n", name.c_str(), static_cast<int>(n < 0 ? 0 : n), target);
    });
}

// `type name` for each entry.
void act_list(const std::string& folder) {
    each_entry(folder, [](const std::string& name, int at) {
        struct stat status {};
        ::fstatat(at, name.c_str(), &status, AT_SYMLINK_NOFOLLOW);
        const char type = S_ISCHR(status.st_mode)   ? 'c'
                          : S_ISBLK(status.st_mode) ? 'b'
                          : S_ISDIR(status.st_mode) ? 'd'
                          : S_ISLNK(status.st_mode) ? 'l'
                                                    : 'f';
        std::printf("%c %s\n", type, name.c_str());
    });
}

// Every file below that could be opened for writing, and how many were tried.
int writable_below(const std::string& folder, int& tried) {
    int found = 0;
    each_entry(folder, [&](const std::string& name, int) {
        const std::string path = folder + "/" + name;
        struct stat status {};
        if (::lstat(path.c_str(), &status) < 0) return;
        if (S_ISDIR(status.st_mode)) {
            found += writable_below(path, tried);
            return;
        }
        ++tried;
        if (::open(path.c_str(), O_WRONLY | O_NONBLOCK) < 0) return;
        ++found;
        std::printf("%s\n", path.c_str());
    });
    return found;
}

void act_writable(const std::string& folder) {
    int tried = 0;
    const int found = writable_below(folder, tried);
    std::printf("%d of %s\n", found, tried > 0 ? "some" : "none");
}

// What of other processes can be read.
void act_processes() {
    each_entry("/proc", [](const std::string& name, int) {
        if (name.find_first_not_of("0123456789") != std::string::npos) return;
        const std::string environment = content("/proc/" + name + "/environ");
        std::printf("%s %zu\n", name == std::to_string(::getpid()) ? "self" : name.c_str(),
                    environment.size());
        if (name != std::to_string(::getpid())) std::printf("%s\n", environment.c_str());
    });
}

void act_fork() {
    int count = 0;
    for (;; ++count) {
        const pid_t pid = ::fork();
        if (pid < 0) break;
        if (pid == 0) {
            ::pause();
            ::_exit(0);
        }
    }
    std::printf("%d %s\n", count, ::strerrorname_np(errno));
}

// Chains of processes, each of which leaves its successor to pid 1 and ends.
void act_orphans(int chains) {
    for (int i = 0; i < chains; ++i) {
        if (::fork() != 0) continue;
        for (;;)
            if (::fork() > 0) ::_exit(0);
    }
    std::puts("ready");
    std::fflush(stdout);
    for (;;)
        ::pause();
}

void act_fill(const std::string& path) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT, 0600);
    static char block[65536];
    std::memset(block, 'x', sizeof block);
    std::size_t total = 0;
    for (ssize_t n; (n = ::write(fd, block, sizeof block)) > 0;)
        total += static_cast<std::size_t>(n);
    std::printf("%s %zu\n", ::strerrorname_np(errno), total);
}

void act_make_files(const std::string& folder) {
    int count = 0;
    for (;; ++count) {
        const int fd =
            ::open((folder + "/" + std::to_string(count)).c_str(), O_WRONLY | O_CREAT, 0600);
        if (fd < 0) break;
        ::close(fd);
    }
    std::printf("%d %s\n", count, ::strerrorname_np(errno));
}

void act_open_files() {
    int count = 0;
    while (::open("/dev/null", O_RDONLY) >= 0)
        ++count;
    std::printf("%d %s\n", count, ::strerrorname_np(errno));
}

void act_allocate(std::size_t mib) {
    std::size_t done = 0;
    for (; done < mib; ++done) {
        void* block = std::malloc(1 << 20);
        if (block == nullptr) break;
        std::memset(block, 1, 1 << 20);
    }
    std::puts(done == mib ? "ok" : "ENOMEM");
}

// System V segments of 1 MiB, until the kernel refuses.
void act_shared_memory() {
    int count = 0;
    while (::shmget(IPC_PRIVATE, 1 << 20, 0600) >= 0)
        ++count;
    std::printf("%d %s\n", count, ::strerrorname_np(errno));
}

// Semaphores and queues, until the kernel refuses.
void act_ipc_objects() {
    int sets = 0;
    int queues = 0;
    while (::semget(IPC_PRIVATE, 250, 0600) >= 0)
        ++sets;
    while (::msgget(IPC_PRIVATE, 0600) >= 0)
        ++queues;
    std::printf("%d %d %s\n", sets, queues, ::strerrorname_np(errno));
}

// A grandchild in a session of its own that ignores what can be ignored.
void act_linger() {
    if (::fork() == 0) {
        ::setsid();
        for (int signo = 1; signo < NSIG; ++signo)
            (void)::signal(signo, SIG_IGN);
        if (::fork() != 0) ::_exit(0);
        for (;;)
            ::pause();
    }
    (void)::wait(nullptr);
    std::puts("left");
}

// Until the end of standard input; says "ready" first.
void act_wait(bool ignore_term) {
    if (ignore_term) (void)::signal(SIGTERM, SIG_IGN);
    std::puts("ready");
    std::fflush(stdout);
    char byte;
    while (::read(0, &byte, 1) > 0) {
    }
    std::puts("end of input");
}

void act_connect(int family, const char* address, int port) {
    const int fd = ::socket(family, SOCK_STREAM, 0);
    if (fd < 0) return said(-1);
    if (family == AF_INET) {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(static_cast<std::uint16_t>(port));
        ::inet_pton(AF_INET, address, &to.sin_addr);
        return said(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to));
    }
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(static_cast<std::uint16_t>(port));
    ::inet_pton(AF_INET6, address, &to.sin6_addr);
    said(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to));
}

void act_connect_abstract(const std::string& name) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::memcpy(to.sun_path + 1, name.data(), name.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    said(::connect(fd, reinterpret_cast<sockaddr*>(&to), size));
}

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

int main(int argc, char** argv) {
    const auto argument = [&](int i) { return std::string{i < argc ? argv[i] : ""}; };
    const std::string act = argument(1);
    if (act == "write") return act_write(argument(2)), 0;
    if (act == "overwrite") return act_overwrite(argument(2)), 0;
    if (act == "read") return act_read(argument(2)), 0;
    if (act == "call") return act_call(argument(2));
    if (act == "calls") {
        for (int i = 2; i < argc; ++i)
            (void)act_call(argv[i]);
        return 0;
    }
    if (act == "calls-everywhere") return act_calls_everywhere(argument(2));
    if (act == "call-forever") return act_call_forever(argument(2));
    if (act == "fds") return act_fds(), 0;
    if (act == "list") return act_list(argument(2)), 0;
    if (act == "writable") return act_writable(argument(2)), 0;
    if (act == "processes") return act_processes(), 0;
    if (act == "fork") return act_fork(), 0;
    if (act == "orphans") return act_orphans(std::stoi(argument(2))), 0;
    if (act == "fill") return act_fill(argument(2)), 0;
    if (act == "make-files") return act_make_files(argument(2)), 0;
    if (act == "open-files") return act_open_files(), 0;
    if (act == "allocate") return act_allocate(std::stoul(argument(2))), 0;
    if (act == "shared-memory") return act_shared_memory(), 0;
    if (act == "ipc-objects") return act_ipc_objects(), 0;
    if (act == "linger") return act_linger(), 0;
    if (act == "wait") return act_wait(false), 0;
    if (act == "wait-deaf") return act_wait(true), 0;
    if (act == "connect4") return act_connect(AF_INET, argv[2], std::stoi(argument(3))), 0;
    if (act == "connect6") return act_connect(AF_INET6, argv[2], std::stoi(argument(3))), 0;
    if (act == "connect-abstract") return act_connect_abstract(argument(2)), 0;
    if (act == "exit") return std::stoi(argument(2));
    if (act == "euid") return std::printf("%u\n", ::geteuid()), 0;
    if (act == "host-name") {
        char name[64] = {};
        ::gethostname(name, sizeof name - 1);
        return std::puts(name), 0;
    }
    if (act == "kill-self") return ::kill(::getpid(), SIGKILL);
    if (act == "env") {
        for (char** entry = environ; *entry != nullptr; ++entry)
            std::puts(*entry);
        return 0;
    }
#if defined(__x86_64__)
    if (act == "int80") return act_int80(), 0;
    if (act == "x32") return act_x32(), 0;
#endif
    std::puts("the probe knows no such act");
    return 2;
}
