// berth-launcher: builds sandboxes. It has the kernel's capabilities, and never sees
// an environment, a script or a key; it has one thread, and parses nothing but
// records of fixed size.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <span>
#include <utility>

#include "base/notify.h"
#include "sandbox/launcher/capabilities.h"
#include "sandbox/launcher/landlock.h"
#include "sandbox/launcher/options.h"
#include "sandbox/launcher/probe.h"
#include "sandbox/launcher/refusals.h"
#include "sandbox/launcher/server.h"
#include "sandbox/launcher/slots.h"

namespace berth::launcher {
namespace {

constexpr int kRefused = 2;  // exit code, as for options that are none

int fail(const char* doing, int err, const char* cure = nullptr) {
    std::fprintf(stderr, "berth-launcher: cannot start: %s: %s%s%s\n", doing, std::strerror(err),
                 cure != nullptr ? "; " : "", cure != nullptr ? cure : "");
    return 1;
}

// What sandboxes inherit from here: no cores, no memory in a core of somebody else's
// making, default signals, all blocked until the script starts.
int settle() {
    // 1 rather than 0, which does not count when cores go to a program of the host:
    // systemd-coredump would write the environment of a crashed script into the journal.
    const rlimit none{1, 1};
    if (::setrlimit(RLIMIT_CORE, &none) < 0) return errno;
    const Fd dumped{::open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC)};
    if (dumped && ::write(dumped.get(), "0", 1) != 1) return errno;
    // Where these are refused, sandboxes to be parked are built with the priority of all
    // others, and there are descriptors for fewer of them.
    const auto own = static_cast<rlim_t>(20 - ::getpriority(PRIO_PROCESS, 0));
    const rlimit back_to_own{own, own};
    (void)::setrlimit(RLIMIT_NICE, &back_to_own);
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) < 0) return errno;
    files.rlim_cur = files.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &files) < 0) return errno;
    if (::prctl(PR_SET_DUMPABLE, 0) < 0) return errno;
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return errno;
    // Not by signal(3), which keeps the C library's two signals as they were inherited.
    // Refused for SIGKILL and SIGSTOP only.
    constexpr unsigned long kDefault[4] = {};
    for (int signo = 1; signo <= 64; ++signo)
        (void)::syscall(SYS_rt_sigaction, signo, kDefault, nullptr, 8);
    sigset_t all;
    ::sigfillset(&all);
    return ::sigprocmask(SIG_SETMASK, &all, nullptr) < 0 ? errno : 0;
}

// Sandboxes are clones of this program, and need not know its service manager.
void forget_environment() {
    for (char** word = environ; *word != nullptr; ++word)
        std::memset(*word, 0, std::strlen(*word));
}

Fd watch_signals() {
    sigset_t wanted;
    ::sigemptyset(&wanted);
    for (const int signo : {SIGCHLD, SIGTERM, SIGINT, SIGHUP})
        ::sigaddset(&wanted, signo);
    return Fd{::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK)};
}

// A socket left by a launcher that died is replaced; one that is answered is not.
Fd listen_at(const char* path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (std::strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return {};
    }
    std::strcpy(address.sun_path, path);
    const auto* as_any = reinterpret_cast<const sockaddr*>(&address);
    {
        const Fd other{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
        const bool answered = ::connect(other.get(), as_any, sizeof address) == 0;
        if (answered || errno == EAGAIN) {
            errno = EADDRINUSE;
            return {};
        }
        if (errno == ECONNREFUSED) ::unlink(path);
    }
    Fd listener{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    if (!listener || ::bind(listener.get(), as_any, sizeof address) < 0) return {};
    // Everyone may knock: who it is decides, by SO_PEERCRED.
    if (::chmod(path, 0666) < 0 || ::listen(listener.get(), 4) < 0) return {};
    return listener;
}

// What the command line asks for cannot be had: starting again would change nothing.
int refuse(const char* doing, int err, const char* cure) {
    (void)fail(doing, err, cure);
    return kRefused;
}

bool allow_grants(const Options& options, const FilterOptions& filter, Allowed& allowed) {
    const auto refuse = [](const char* option, const Named& named, const char* why) {
        std::fprintf(stderr, "berth-launcher: cannot start: '%s %s=%s' %s\n", option, named.name,
                     named.value, why);
        return false;
    };
    if (options.allow_host_network) allowed.grants |= ipc::grant_host_network;
    for (unsigned i = 0; i < options.writable_count; ++i)
        if (const char* why = add_folder(allowed, options.writable[i]); why != nullptr)
            return refuse("--allow-writable", options.writable[i], why);
    for (unsigned i = 0; i < options.syscalls_count; ++i)
        if (const char* why = add_syscalls(allowed, options.syscalls[i], filter); why != nullptr)
            return refuse("--allow-syscalls", options.syscalls[i], why);
    return true;
}

int prepare(const Options& options, Equipment& equipment, Cgroups& cgroups, Attacher& attacher) {
    int err = 0;
    const FilterOptions filter{.notify = can_listen_to_filter(), .strict = options.strict};
    if (!allow_grants(options, filter, equipment.allowed)) return kRefused;
    equipment.script_filter = make_script_filter(filter, err);
    if (err != 0) return fail("making the system call filter", err);
    equipment.init_filter = make_init_filter(err);
    if (err != 0) return fail("making the filter of pid 1", err);
    Cgroups::Share share{options.cpu_percent, options.io_mib_per_second << 20, {}};
    if (share.io_bytes_per_second != 0 && (err = disk_of(options.releases, share.disk)) != 0)
        return refuse("finding the disk of the releases, to limit what is read and written", err,
                      "do without '--io-mib-per-second', or keep the releases on a disk");
    cgroups.share(share);
    char name[32];
    std::snprintf(name, sizeof name, "berth-%u", options.first_uid);
    if ((err = cgroups.open(options.cgroups, name)) != 0)
        return refuse("using the cgroup folder", err,
                      "'--cgroups' must be 'auto', 'none' or a cgroup v2 folder that was delegated "
                      "to this program and holds no process");
    if (share.cpu_percent != 0 && (cgroups.protections() & ipc::protection_cgroup_cpu) == 0)
        return refuse("limiting processor time, which is asked for", ENOTSUP,
                      "it needs a cgroup with the cpu controller; do without '--cpu-percent'");
    if (share.io_bytes_per_second != 0 && (cgroups.protections() & ipc::protection_cgroup_io) == 0)
        return refuse("limiting what is read and written, which is asked for", ENOTSUP,
                      "it needs cgroup v2 with the io controller; do without "
                      "'--io-mib-per-second'");
    constexpr std::uint32_t kNeeded = ipc::protection_cgroup_memory | ipc::protection_cgroup_pids;
    // Not refused for good: runs wait until the host has one, and berthd says why.
    if (options.require_cgroup && (cgroups.protections() & kNeeded) != kNeeded)
        return fail("limiting memory and processes by a cgroup, which is required", ENOTSUP,
                    "run it as a systemd service with Delegate=yes on a host with cgroup v2, name "
                    "a delegated folder with '--cgroups', or do without '--require-cgroup'");
    if (const Failed failed =
            enter_template_root(options.releases, equipment.allowed, equipment.host);
        failed.step != ipc::Step::none)
        return fail(ipc::step_text(failed.step), failed.err,
                    "this needs root and a kernel from 5.15 on");
    if ((err = attacher.open(equipment.host, equipment.allowed)) != 0)
        return fail("making a mount namespace for the releases", err);
    const char* missing = nullptr;
    if ((err = keep_own_capabilities(missing)) != 0)
        return fail(missing != nullptr ? missing : "dropping capabilities", err,
                    "start it as root with this capability");

    equipment.egress_ports = options.egress_ports;
    equipment.priority = ::getpriority(PRIO_PROCESS, 0);
    equipment.landlock_abi = landlock_abi();
    const Probe probe = probe_protections(cgroups, equipment.landlock_abi);
    if (probe.step != ipc::Step::none)
        return fail(ipc::step_text(probe.step), probe.err,
                    "the kernel or a container around this refuses it");
    equipment.protections = probe.protections;
    for (const WritableFolder& folder : equipment.allowed.folders)
        if ((err = attacher.try_data(folder, options.first_uid + 1)) != 0)
            return refuse(folder.path, err,
                          "a folder for '--allow-writable' must lie on a file system that can map "
                          "owners: ext4, xfs, btrfs, or from Linux 6.3 on tmpfs");
    if (options.strict) equipment.protections |= ipc::protection_strict;
    return 0;
}

int serve(const Options& options, std::span<char> command_line) {
    if (const int err = settle(); err != 0) return fail("settling the process", err);
    Notifier manager = Notifier::from_environment();  // out of sight once the root is another
    forget_environment();
    const Fd signals = watch_signals();
    if (!signals) return fail("watching signals", errno);
    Fd runner{options.runner_fd};
    Fd listener{options.listen_fd};
    if (options.socket != nullptr) {
        listener = listen_at(options.socket);
        if (!listener) return fail(options.socket, errno, "is another launcher listening there?");
    }
    // Handed over without it; a sandbox closes them in any case.
    if (::fcntl(runner ? runner.get() : listener.get(), F_SETFD, FD_CLOEXEC) < 0)
        return fail("using the given descriptor", errno);

    Equipment equipment;
    equipment.command_line = command_line;
    Cgroups cgroups;
    Attacher attacher;
    if (const int code = prepare(options, equipment, cgroups, attacher); code != 0) return code;
    Slots slots{options.first_uid, options.slots};
    if (const int err = slots.find_survivors(equipment.host.proc.get()); err != 0)
        return fail("looking for sandboxes of an earlier launcher", err);
    const int code = Server{{equipment, attacher, cgroups, slots},
                            {.size = options.pool,
                             .max_age_ms = options.pool_age_s * 1000LL,
                             .last_serial = static_cast<std::uint64_t>(now_us())},
                            static_cast<unsigned>(::get_nprocs()),
                            std::move(manager)}
                         .run(std::move(runner), std::move(listener), options.runner_uid, signals);
    cgroups.close();
    return code;
}

}  // namespace
}  // namespace berth::launcher

int main(int argc, char** argv) {
    berth::launcher::Options options;
    if (!berth::launcher::parse_options(argc, argv, options)) return berth::launcher::kRefused;
    if (options.remove_groups) {
        berth::launcher::remove_left_groups();
        return 0;
    }
    // The kernel lays the words out one after the other.
    const char* end = argv[argc - 1] + std::strlen(argv[argc - 1]);
    return berth::launcher::serve(options, {argv[0], static_cast<std::size_t>(end - argv[0])});
}
