#include "sandbox/launcher/capabilities.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "sandbox/launcher/kernel.h"

namespace berth::launcher {
namespace {

struct Capability {
    unsigned number;
    const char* name;
};

constexpr Capability kOwn[] = {
    {CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},                // namespaces and mounts
    {CAP_SYS_CHROOT, "CAP_SYS_CHROOT"},              // entering a sandbox's mount namespace
    {CAP_SETUID, "CAP_SETUID"},                      // uid maps, owners of scratch folders
    {CAP_SETGID, "CAP_SETGID"},                      // the same for groups
    {CAP_SETPCAP, "CAP_SETPCAP"},                    // dropping from the bounding set
    {CAP_NET_ADMIN, "CAP_NET_ADMIN"},                // loopback in a sandbox's network
    {CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE"},  // listeners for the egress broker
    {CAP_KILL, "CAP_KILL"},                          // a sandbox that does not get ready
};

constexpr std::uint64_t bit(unsigned number) { return std::uint64_t{1} << number; }

int drop_bounding_except(std::uint64_t mask) {
    // EINVAL: the kernel knows no further capability.
    for (unsigned number = 0; number < 64; ++number) {
        if ((mask & bit(number)) != 0) continue;
        if (::prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0) return errno == EINVAL ? 0 : errno;
    }
    return 0;
}

int set_sets(std::uint64_t mask) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};
    for (unsigned half = 0; half < 2; ++half) {
        const auto part = static_cast<std::uint32_t>(mask >> (32 * half));
        data[half].permitted = part;
        data[half].effective = part;
    }
    return errno_of(::syscall(SYS_capset, &header, data));
}

}  // namespace

int keep_own_capabilities(const char*& missing) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};
    if (::syscall(SYS_capget, &header, data) < 0) return errno;
    const std::uint64_t have = data[0].permitted | std::uint64_t{data[1].permitted} << 32;
    std::uint64_t mask = 0;
    for (const Capability& capability : kOwn) {
        mask |= bit(capability.number);
        if ((have & bit(capability.number)) != 0) continue;
        missing = capability.name;
        return EPERM;
    }
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) return errno;
    if (const int err = drop_bounding_except(mask); err != 0) return err;
    return set_sets(mask);
}

int drop_bounding_set() { return drop_bounding_except(0); }

int keep_only(std::uint64_t mask) {
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) return errno;
    return set_sets(mask);
}

int lock_securebits() {
    return errno_of(::prctl(PR_SET_SECUREBITS,
                            SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                                SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                                SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
                            0, 0, 0));
}

}  // namespace berth::launcher
