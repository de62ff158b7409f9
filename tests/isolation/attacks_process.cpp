// Attacks by the victim's pid: its folder in /proc, and the calls that take a pid.
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <cstdlib>
#include <cstring>

#include "tests/isolation/attacker.h"

namespace berth::neighbours {
namespace {

std::string proc(const Victim& victim, const char* name) {
    return "/proc/" + std::to_string(victim.pid) + "/" + name;
}

int search_environments(const Victim&) {
    DIR* folder = ::opendir("/proc");
    if (folder == nullptr) return errno;
    while (const dirent* entry = ::readdir(folder)) {
        const std::string name = entry->d_name;
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        if (content("/proc/" + name + "/environ").find(kSecret) != std::string::npos) return 0;
    }
    return ENOENT;
}

int read_environment(const Victim& victim) {
    if (const int err = can_open(proc(victim, "environ"), O_RDONLY); err != 0) return err;
    return content(proc(victim, "environ")).find(kSecret) != std::string::npos ? 0 : ENODATA;
}

int read_memory_file(const Victim& victim) {
    const int fd = ::open(proc(victim, "mem").c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno;
    char secret[64];
    return outcome(::pread(fd, secret, sizeof secret, static_cast<off_t>(victim.address)));
}

int move_memory(const Victim& victim, long call) {
    char here[8];
    const iovec ours{here, sizeof here};
    const iovec theirs{reinterpret_cast<void*>(victim.address + 32), sizeof here};
    return outcome(::syscall(call, victim.pid, &ours, 1, &theirs, 1, 0));
}

int pidfd_of(const Victim& victim) {
    return static_cast<int>(::syscall(SYS_pidfd_open, victim.pid, 0));
}

int list_descriptors(const Victim& victim) {
    return can_open(proc(victim, "fd"), O_RDONLY | O_DIRECTORY);
}

constexpr Attack kAttacks[] = {
    {"find its secret in any environment", search_environments},
    {"read its environment", read_environment},
    {"read its memory as a file", read_memory_file},
    {"read the map of its memory",
     [](const Victim& v) { return can_open(proc(v, "maps"), O_RDONLY); }},
    {"read its command line",
     [](const Victim& v) { return can_open(proc(v, "cmdline"), O_RDONLY); }},
    {"list its descriptors", list_descriptors},
    {"write into its output", [](const Victim& v) { return can_open(proc(v, "fd/1"), O_WRONLY); }},
    {"enter its working folder",
     [](const Victim& v) { return outcome(::chdir(proc(v, "cwd").c_str())); }},
    {"enter its root", [](const Victim& v) { return outcome(::chdir(proc(v, "root").c_str())); }},
    {"open its program", [](const Victim& v) { return can_open(proc(v, "exe"), O_RDONLY); }},
    {"have it killed when memory is short",
     [](const Victim& v) { return can_open(proc(v, "oom_score_adj"), O_WRONLY); }},
    {"trace it",
     [](const Victim& v) { return outcome(::ptrace(PTRACE_SEIZE, v.pid, nullptr, nullptr)); }},
    {"read its memory", [](const Victim& v) { return move_memory(v, SYS_process_vm_readv); }},
    {"write its memory", [](const Victim& v) { return move_memory(v, SYS_process_vm_writev); }},
    {"hold it (pidfd)", [](const Victim& v) { return outcome(pidfd_of(v)); }},
    {"take its descriptor",
     [](const Victim& v) { return outcome(::syscall(SYS_pidfd_getfd, pidfd_of(v), 1, 0)); }},
    {"signal it (pidfd)",
     [](const Victim& v) {
         return outcome(::syscall(SYS_pidfd_send_signal, pidfd_of(v), 0, nullptr, 0));
     }},
    {"signal it", [](const Victim& v) { return outcome(::kill(v.pid, 0)); }},
    {"become its user", [](const Victim& v) { return outcome(::setresuid(v.uid, v.uid, v.uid)); }},
    {"signal its thread",
     [](const Victim& v) { return outcome(::syscall(SYS_tgkill, v.pid, v.pid, 0)); }},
    {"compare with it (kcmp)",
     [](const Victim& v) { return outcome(::syscall(SYS_kcmp, ::getpid(), v.pid, 1, 0, 0)); }},
    {"change its limits",
     [](const Victim& v) {
         rlimit limit{};
         return outcome(::prlimit(v.pid, RLIMIT_CPU, nullptr, &limit));
     }},
    {"put it last (nice)",
     [](const Victim& v) {
         return outcome(::setpriority(PRIO_PROCESS, static_cast<id_t>(v.pid), 19));
     }},
    {"ask for its session", [](const Victim& v) { return outcome(::getsid(v.pid)); }},
};

}  // namespace

std::span<const Attack> process_attacks() { return kAttacks; }

}  // namespace berth::neighbours
