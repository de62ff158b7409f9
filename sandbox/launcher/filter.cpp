#include "sandbox/launcher/filter.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/fd.h"
#include "sandbox/launcher/kernel.h"
#include "sandbox/launcher/syscalls.h"

namespace berth::launcher {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArch = AUDIT_ARCH_X86_64;
constexpr std::uint32_t kX32Bit = 0x40000000;  // the x32 ABI has the same arch value
#elif defined(__aarch64__)
constexpr std::uint32_t kArch = AUDIT_ARCH_AARCH64;
constexpr std::uint32_t kX32Bit = 0x40000000;  // no such numbers here: the check costs nothing
#else
#error "add the architecture's audit value"
#endif

constexpr std::uint32_t kArgument1Low = offsetof(seccomp_data, args) + 8;  // little-endian
constexpr std::uint32_t kNoSuchCall = SECCOMP_RET_ERRNO | ENOSYS;
constexpr std::uint64_t kInternet[] = {AF_INET, AF_INET6};
constexpr std::uint64_t kMptcp = 262;  // newer than some C libraries

// Jumps count instructions from the next one, and the last one falls through.
constexpr sock_filter kLoadNumber = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
constexpr sock_filter kTableAndNumber[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArch, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    kLoadNumber,
    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, kX32Bit, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, kNewestKnownSyscall, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, kNoSuchCall),
};

// Refuses a call for some values of its second argument. The kernel takes the low 32
// bits of it, so comparing all 64 would be a way around.
void refuse_values(std::vector<sock_filter>& program, std::uint32_t call,
                   std::span<const std::uint32_t> values, std::uint32_t refuse) {
    const auto count = static_cast<std::uint8_t>(values.size());
    program.push_back(kLoadNumber);
    program.push_back(
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, static_cast<std::uint8_t>(count + 2)));
    program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kArgument1Low));
    for (std::uint8_t i = 0; i < count; ++i)
        program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, values[i],
                                   static_cast<std::uint8_t>(count - 1 - i),
                                   static_cast<std::uint8_t>(i + 1 == count ? 1 : 0)));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, refuse));
}

// Comes before libseccomp's program, for what that cannot say.
std::vector<sock_filter> make_prelude(bool strict, std::uint32_t refuse) {
    std::vector<sock_filter> prelude{std::begin(kTableAndNumber), std::end(kTableAndNumber)};
    refuse_values(prelude, SYS_ioctl, refused_ioctls(), refuse);
    refuse_values(prelude, SYS_fcntl, refused_fcntls(strict), refuse);
    return prelude;
}

// libseccomp's functions return -errno; names that this architecture lacks are left out.
class Rules {
public:
    explicit Rules(std::uint32_t otherwise) : context_{::seccomp_init(otherwise)} {
        if (context_ == nullptr) {
            note(-ENOMEM);
            return;
        }
        note(::seccomp_attr_set(context_, SCMP_FLTATR_CTL_OPTIMIZE, 2));  // a tree
        note(::seccomp_attr_set(context_, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
    }
    Rules(const Rules&) = delete;
    Rules& operator=(const Rules&) = delete;
    ~Rules() { ::seccomp_release(context_); }

    template <typename... Conditions>
    void add(std::uint32_t action, const char* name, Conditions... conditions) {
        const int number = ::seccomp_syscall_resolve_name(name);
        if (number < 0 || err_ != 0) return;
        note(::seccomp_rule_add(context_, action, number, sizeof...(conditions), conditions...));
    }
    void add_all(std::uint32_t action, std::span<const char* const> names) {
        for (const char* name : names)
            add(action, name);
    }

    // The program, after `prelude`.
    Filter take(std::span<const sock_filter> prelude, int& err) {
        Filter filter;
        const Fd file{::memfd_create("filter", MFD_CLOEXEC)};
        if (!file && err_ == 0) err_ = errno;
        if (err_ == 0) note(::seccomp_export_bpf(context_, file.get()));
        const off_t bytes = err_ == 0 ? ::lseek(file.get(), 0, SEEK_END) : 0;
        if (bytes > 0) {
            filter.program.assign(prelude.begin(), prelude.end());
            filter.program.resize(prelude.size() +
                                  static_cast<std::size_t>(bytes) / sizeof(sock_filter));
            if (::pread(file.get(), filter.program.data() + prelude.size(),
                        static_cast<std::size_t>(bytes), 0) != bytes)
                err_ = EIO;
        }
        err = err_;
        if (err != 0) filter.program.clear();
        return filter;
    }

private:
    void note(int rc) {
        if (rc < 0 && err_ == 0) err_ = -rc;
    }
    scmp_filter_ctx context_;
    int err_ = 0;
};

void allow_internet(Rules& rules) {
    const auto is = [](unsigned argument, std::uint64_t value) {
        return SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, 0xffffffff, value);
    };
    for (const std::uint64_t family : kInternet) {
        for (const std::uint64_t protocol : socket_protocols())
            rules.add(SCMP_ACT_ALLOW, "socket", is(0, family), is(2, protocol));
        // Runtimes try it first: it looks like a kernel built without, and is not on the record.
        rules.add(SCMP_ACT_ERRNO(EPROTONOSUPPORT), "socket", is(0, family), is(2, kMptcp));
    }
}

}  // namespace

int Filter::load() const noexcept {
    const sock_fprog loaded{static_cast<unsigned short>(program.size()),
                            const_cast<sock_filter*>(program.data())};
    return errno_of(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &loaded, 0, 0));
}

int Filter::load_with_listener(int& listener) const noexcept {
    const sock_fprog loaded{static_cast<unsigned short>(program.size()),
                            const_cast<sock_filter*>(program.data())};
    listener = static_cast<int>(
        ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &loaded));
    return errno_of(listener);
}

Filter make_script_filter(const FilterOptions& options, int& err) {
    Rules rules{options.notify ? SCMP_ACT_NOTIFY : SCMP_ACT_ERRNO(EPERM)};
    rules.add_all(SCMP_ACT_ALLOW, allowed_syscalls());
    if (!options.strict) rules.add_all(SCMP_ACT_ALLOW, sharing_syscalls());
    rules.add_all(SCMP_ACT_ALLOW, options.extra);
    rules.add_all(SCMP_ACT_ERRNO(ENOSYS), absent_syscalls());
    for (const ConditionalSyscall& call : conditional_syscalls()) {
        rules.add(SCMP_ACT_ALLOW, call.name,
                  SCMP_CMP(call.argument, SCMP_CMP_MASKED_EQ, call.mask, call.value));
    }
    allow_internet(rules);
    // Asking for addresses and routes, which resolvers do; no other netlink.
    rules.add(SCMP_ACT_ALLOW, "socket", SCMP_CMP(0, SCMP_CMP_MASKED_EQ, 0xffffffff, AF_NETLINK),
              SCMP_CMP(2, SCMP_CMP_MASKED_EQ, 0xffffffff, NETLINK_ROUTE));
    Filter filter =
        rules.take(make_prelude(options.strict, options.notify ? SECCOMP_RET_USER_NOTIF
                                                               : SECCOMP_RET_ERRNO | EPERM),
                   err);
    filter.notifies = options.notify;
    return filter;
}

Filter make_init_filter(int& err) {
    Rules rules{SCMP_ACT_KILL_PROCESS};
    rules.add_all(SCMP_ACT_ALLOW, init_syscalls());
    for (const std::uint64_t request : {SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND})
        rules.add(SCMP_ACT_ALLOW, "ioctl", SCMP_CMP(1, SCMP_CMP_MASKED_EQ, 0xffffffff, request));
    return rules.take({}, err);
}

}  // namespace berth::launcher
