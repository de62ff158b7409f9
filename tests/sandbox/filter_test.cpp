// The script's filter, run number by number against its golden list: a change of the
// list, of libseccomp or of the kernel's numbers shows here (sandbox.md T33).
#include "sandbox/launcher/filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/ioctl.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "sandbox/launcher/syscalls.h"

using namespace berth;
using launcher::Filter;

namespace {

// The instructions that seccomp programs are made of.
std::uint32_t decide(const Filter& filter, const seccomp_data& data) {
    std::uint32_t a = 0;
    for (std::size_t at = 0; at < filter.program.size(); ++at) {
        const sock_filter& op = filter.program[at];
        switch (op.code) {
            case BPF_LD | BPF_W | BPF_ABS:
                REQUIRE(op.k <= sizeof data - 4);
                std::memcpy(&a, reinterpret_cast<const char*>(&data) + op.k, 4);
                break;
            case BPF_ALU | BPF_AND | BPF_K: a &= op.k; break;
            case BPF_JMP | BPF_JA: at += op.k; break;
            case BPF_JMP | BPF_JEQ | BPF_K: at += a == op.k ? op.jt : op.jf; break;
            case BPF_JMP | BPF_JGT | BPF_K: at += a > op.k ? op.jt : op.jf; break;
            case BPF_JMP | BPF_JGE | BPF_K: at += a >= op.k ? op.jt : op.jf; break;
            case BPF_JMP | BPF_JSET | BPF_K: at += (a & op.k) != 0 ? op.jt : op.jf; break;
            case BPF_RET | BPF_K: return op.k;
            default: FAIL("an instruction that the test does not know: " << op.code);
        }
    }
    FAIL("the program runs off its end");
    return 0;
}

std::uint32_t decide(const Filter& filter, int number, std::uint64_t first = 0,
                     std::uint64_t second = 0, std::uint64_t third = 0) {
    seccomp_data data{};
    data.nr = number;
    data.arch = AUDIT_ARCH_X86_64;
    data.args[0] = first;
    data.args[1] = second;
    data.args[2] = third;
    return decide(filter, data);
}

Filter script_filter(const launcher::FilterOptions& options = {}) {
    int err = 0;
    Filter filter = launcher::make_script_filter(options, err);
    REQUIRE(err == 0);
    REQUIRE_FALSE(filter.program.empty());
    return filter;
}

constexpr std::uint32_t kRefused = SECCOMP_RET_ERRNO | EPERM;
constexpr std::uint32_t kAbsent = SECCOMP_RET_ERRNO | ENOSYS;

int number_of(const char* name) {
    const int number = ::seccomp_syscall_resolve_name(name);
    INFO(name);
    REQUIRE(number >= 0);
    return number;
}

}  // namespace

#if defined(__x86_64__)

TEST_CASE("the filter allows exactly the golden list", "[launcher]") {
    const Filter filter = script_filter();
    std::ostringstream allowed;
    for (int number = 0; number < 1024; ++number) {
        const std::uint32_t action = decide(filter, number);
        if (number > static_cast<int>(launcher::kNewestKnownSyscall)) CHECK(action == kAbsent);
        if (action != SECCOMP_RET_ALLOW) continue;
        char* name = ::seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, number);
        allowed << number << ' ' << (name != nullptr ? name : "?") << '\n';
        ::free(name);
    }
    const std::string path = BERTH_SOURCE_DIR "/tests/sandbox/allowed_syscalls.golden";
    if (const char* update = std::getenv("BERTH_UPDATE_GOLDEN"); update != nullptr) {
        std::ofstream{path} << allowed.str();
        WARN("skipped: the golden list was written anew");
        return;
    }
    std::ifstream golden{path};
    std::ostringstream expected;
    expected << golden.rdbuf();
    CHECK(allowed.str() == expected.str());
}

TEST_CASE("a foreign table of calls kills", "[launcher]") {
    const Filter filter = script_filter();
    seccomp_data data{};
    data.nr = 20;
    data.arch = AUDIT_ARCH_I386;
    CHECK(decide(filter, data) == SECCOMP_RET_KILL_PROCESS);
    CHECK(decide(filter, 0x40000000 | 39) == SECCOMP_RET_KILL_PROCESS);
    CHECK(decide(filter, -1) == SECCOMP_RET_KILL_PROCESS);
}

TEST_CASE("clone makes threads and processes, but no namespace", "[launcher]") {
    const Filter filter = script_filter();
    const int clone = number_of("clone");
    CHECK(decide(filter, clone, 0x3d0f00) == SECCOMP_RET_ALLOW);  // a thread, as glibc makes it
    for (const std::uint64_t flag : {0x00000080ULL, 0x00020000ULL, 0x02000000ULL, 0x04000000ULL,
                                     0x08000000ULL, 0x10000000ULL, 0x20000000ULL, 0x40000000ULL})
        CHECK(decide(filter, clone, flag | 17) == kRefused);
    CHECK(decide(filter, number_of("clone3")) == kAbsent);
}

TEST_CASE("only some families of sockets are allowed", "[launcher]") {
    const Filter filter = script_filter();
    const int socket = number_of("socket");
    for (std::uint64_t family = 0; family < 64; ++family) {
        const bool plain = family == 1 || family == 2 || family == 10;
        CHECK((decide(filter, socket, family, 1, 0) == SECCOMP_RET_ALLOW) ==
              (plain || family == 16));
    }
}

TEST_CASE("sockets of the internet speak its usual protocols only", "[launcher]") {
    const Filter filter = script_filter({.notify = true});
    const int socket = number_of("socket");
    for (const std::uint64_t family : {2ULL, 10ULL}) {
        for (std::uint64_t protocol = 0; protocol < 300; ++protocol) {
            const bool usual =
                protocol == 0 || protocol == 1 || protocol == 6 || protocol == 17 || protocol == 58;
            INFO(protocol);
            const std::uint32_t otherwise = protocol == 262
                                                ? std::uint32_t{SECCOMP_RET_ERRNO | EPROTONOSUPPORT}
                                                : std::uint32_t{SECCOMP_RET_USER_NOTIF};
            CHECK(decide(filter, socket, family, 1, protocol) ==
                  (usual ? std::uint32_t{SECCOMP_RET_ALLOW} : otherwise));
        }
        // The kernel takes the low 32 bits.
        CHECK(decide(filter, socket, family, 1, 132 | 1ULL << 32) == SECCOMP_RET_USER_NOTIF);
        CHECK(decide(filter, socket, family, 1, 6 | 1ULL << 32) == SECCOMP_RET_ALLOW);
    }
}

TEST_CASE("terminal injection is refused by the low bits of the request", "[launcher]") {
    const Filter filter = script_filter();
    const int ioctl = number_of("ioctl");
    for (const std::uint64_t request : {0x5412ULL, 0x541cULL}) {
        CHECK(decide(filter, ioctl, 0, request) == kRefused);
        CHECK(decide(filter, ioctl, 0, request | 1ULL << 32) == kRefused);
    }
    CHECK(decide(filter, ioctl, 0, 0x5413) == SECCOMP_RET_ALLOW);
}

TEST_CASE("what is refused is told to a listener, what looks absent is not", "[launcher]") {
    const Filter filter = script_filter({.notify = true});
    CHECK(filter.notifies);
    CHECK(decide(filter, number_of("mount")) == SECCOMP_RET_USER_NOTIF);
    CHECK(decide(filter, number_of("ioctl"), 0, 0x5412) == SECCOMP_RET_USER_NOTIF);
    CHECK(decide(filter, number_of("socket"), 40) == SECCOMP_RET_USER_NOTIF);
    CHECK(decide(filter, number_of("clone3")) == kAbsent);
    CHECK(decide(filter, 467) == kAbsent);
    const Filter silent = script_filter();
    for (int number = 0; number < 1024; ++number)
        CHECK((decide(filter, number) == SECCOMP_RET_ALLOW) ==
              (decide(silent, number) == SECCOMP_RET_ALLOW));
}

TEST_CASE("the strict filter refuses locks on files, the usual one only leases", "[launcher]") {
    const Filter usual = script_filter();
    const Filter strict = script_filter({.strict = true});
    CHECK(decide(usual, number_of("flock")) == SECCOMP_RET_ALLOW);
    CHECK(decide(strict, number_of("flock")) == kRefused);
    const int fcntl = number_of("fcntl");
    for (const std::uint64_t lock : {5ULL, 6ULL, 7ULL, 36ULL, 37ULL, 38ULL}) {
        CHECK(decide(usual, fcntl, 3, lock) == SECCOMP_RET_ALLOW);
        CHECK(decide(strict, fcntl, 3, lock) == kRefused);
        CHECK(decide(strict, fcntl, 3, lock | 1ULL << 32) == kRefused);
    }
    for (const std::uint64_t watch : {1024ULL, 1026ULL}) {  // leases, changes of folders
        CHECK(decide(usual, fcntl, 3, watch) == kRefused);
        CHECK(decide(strict, fcntl, 3, watch) == kRefused);
    }
    for (const std::uint64_t plain : {0ULL, 1ULL, 2ULL, 3ULL, 4ULL, 1030ULL, 1033ULL})
        CHECK(decide(strict, fcntl, 3, plain) == SECCOMP_RET_ALLOW);
}

TEST_CASE("granted calls are allowed beyond the others", "[launcher]") {
    constexpr const char* kExtra[] = {"ptrace", "kcmp"};
    const Filter filter = script_filter({.extra = kExtra});
    CHECK(decide(filter, number_of("ptrace")) == SECCOMP_RET_ALLOW);
    CHECK(decide(filter, number_of("kcmp")) == SECCOMP_RET_ALLOW);
    CHECK(decide(filter, number_of("mount")) == kRefused);
    CHECK(decide(script_filter(), number_of("ptrace")) == kRefused);
}

TEST_CASE("what may be granted undoes no wall", "[launcher]") {
    for (const char* name : launcher::grantable_syscalls())
        for (const char* wall :
             {"mount",      "umount2",   "pivot_root",    "chroot",         "setns",
              "unshare",    "clone",     "clone3",        "fsopen",         "fsmount",
              "move_mount", "open_tree", "mount_setattr", "io_uring_setup", "io_uring_enter",
              "bpf",        "keyctl",    "add_key",       "request_key",    "open_by_handle_at",
              "socket",     "syslog",    "init_module",   "kexec_load",     "swapon",
              "iopl"})
            CHECK(std::string{name} != wall);
}

TEST_CASE("pid 1 may do almost nothing", "[launcher]") {
    int err = 0;
    const Filter filter = launcher::make_init_filter(err);
    REQUIRE(err == 0);
    int allowed = 0;
    for (int number = 0; number < 1024; ++number)
        if (decide(filter, number) == SECCOMP_RET_ALLOW) ++allowed;
    CHECK(allowed == static_cast<int>(launcher::init_syscalls().size()));
    CHECK(decide(filter, number_of("execve")) == SECCOMP_RET_KILL_PROCESS);
    CHECK(decide(filter, number_of("openat")) == SECCOMP_RET_KILL_PROCESS);
    // To answer refused calls, and nothing else.
    const int ioctl = number_of("ioctl");
    CHECK(decide(filter, ioctl, 8, SECCOMP_IOCTL_NOTIF_RECV) == SECCOMP_RET_ALLOW);
    CHECK(decide(filter, ioctl, 8, SECCOMP_IOCTL_NOTIF_SEND) == SECCOMP_RET_ALLOW);
    CHECK(decide(filter, ioctl, 8, 0x5412) == SECCOMP_RET_KILL_PROCESS);
    CHECK(decide(filter, ioctl, 8, SECCOMP_IOCTL_NOTIF_ADDFD) == SECCOMP_RET_KILL_PROCESS);
}

#endif
