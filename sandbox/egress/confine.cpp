#include "sandbox/egress/confine.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <initializer_list>
#include <memory>

#include "base/error.h"

namespace berth::egress {
namespace {

// Found by running the tests of this program under strace(1), with what the C library and
// libuv do on other paths. Neither execve nor fork, no file is opened for writing, and no
// process is looked at.
constexpr int kAllowed[] = {
    // its connections
    SCMP_SYS(accept4),
    SCMP_SYS(bind),
    SCMP_SYS(close),
    SCMP_SYS(connect),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockname),
    SCMP_SYS(getsockopt),
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(setsockopt),
    SCMP_SYS(shutdown),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    // its loop
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(eventfd2),
    SCMP_SYS(fcntl),
    SCMP_SYS(nanosleep),
    SCMP_SYS(pipe2),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    // its threads, which look names up
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(futex),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_yield),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(tgkill),
    // the host's files about names, and the libraries that read them
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(fstat),
    SCMP_SYS(fstatfs),
    SCMP_SYS(getdents64),
    SCMP_SYS(getegid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getrandom),
    SCMP_SYS(getuid),
    SCMP_SYS(lseek),
    SCMP_SYS(newfstatat),
    SCMP_SYS(pread64),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(stat),
    SCMP_SYS(statx),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
    // memory
    SCMP_SYS(brk),
    SCMP_SYS(madvise),
    SCMP_SYS(mmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(mremap),
    SCMP_SYS(munmap),
};

constexpr scmp_datum_t kFamilies[] = {AF_UNIX, AF_INET, AF_INET6};
constexpr scmp_datum_t kIoctls[] = {FIONBIO, FIOCLEX, FIONREAD, TCGETS};

#if defined(__SANITIZE_ADDRESS__)
// The leak check at the end stops all threads from a clone of its own.
constexpr int kOfSanitizers[] = {SCMP_SYS(clone), SCMP_SYS(getppid), SCMP_SYS(prctl),
                                 SCMP_SYS(ptrace), SCMP_SYS(wait4)};
#else
constexpr std::initializer_list<int> kOfSanitizers;
#endif

using Filter = std::unique_ptr<void, decltype(&::seccomp_release)>;

void must(int err, const char* doing) {
    if (err < 0) throw SystemError{-err, doing};
}

// Of the argument of that number: `mask` of it is `value`.
scmp_arg_cmp masked(unsigned argument, scmp_datum_t mask, scmp_datum_t value) {
    return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}
// The kernel takes 32 bits of it: comparing all 64 would be a way around.
scmp_arg_cmp is(unsigned argument, scmp_datum_t value) {
    return masked(argument, 0xffff'ffff, value);
}

template <typename... Conditions>
void allow(const Filter& filter, int call, Conditions... conditions) {
    must(::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, sizeof...(conditions),
                            conditions...),
         "allowing a system call");
}

Filter make_filter(std::uint32_t otherwise) {
    Filter filter{::seccomp_init(otherwise), &::seccomp_release};
    if (!filter) throw SystemError{ENOMEM, "making a system call filter"};
    must(::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1), "filtering all threads");
    return filter;
}

void load(const Filter& filter) {
    must(::seccomp_load(filter.get()), "loading the system call filter");
}

// Its flags lie in memory. What looks absent is done by clone(2) instead. A filter of its own,
// since the other one has the kernel log what it refuses, and this is for every thread.
void hide_clone3() {
    const Filter filter = make_filter(SCMP_ACT_ALLOW);
    must(::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0),
         "hiding clone3");
    load(filter);
}

}  // namespace

void confine() {
    hide_clone3();
    const Filter filter = make_filter(SCMP_ACT_ERRNO(EPERM));
    must(::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_LOG, 1), "logging refused calls");
    must(::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "ordering the filter");
    for (const int call : kAllowed)
        allow(filter, call);
    for (const int call : kOfSanitizers)
        allow(filter, call);

    constexpr scmp_datum_t kThread = CLONE_THREAD | CLONE_VM;
    allow(filter, SCMP_SYS(clone), masked(0, kThread, kThread));
    allow(filter, SCMP_SYS(clone3));  // that hide_clone3() has hidden
    constexpr scmp_datum_t kWriting = O_ACCMODE | O_CREAT | O_TRUNC;
    allow(filter, SCMP_SYS(openat), masked(2, kWriting, O_RDONLY));
    for (const scmp_datum_t family : kFamilies)
        allow(filter, SCMP_SYS(socket), is(0, family));
    // The host's own addresses are asked for there.
    allow(filter, SCMP_SYS(socket), is(0, AF_NETLINK), is(2, NETLINK_ROUTE));
    for (const scmp_datum_t request : kIoctls)
        allow(filter, SCMP_SYS(ioctl), is(1, request));
    // The limits of our own stacks are asked for, and none is changed.
    allow(filter, SCMP_SYS(prlimit64), is(0, 0), masked(2, ~scmp_datum_t{0}, 0));
    load(filter);
}

}  // namespace berth::egress
