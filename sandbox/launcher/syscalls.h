// The system calls a script may make, as data. What is not named here is refused.
#pragma once

#include <cstdint>
#include <span>

namespace berth::launcher {

// Allowed with any arguments, ioctl and fcntl but for what follows.
std::span<const char* const> allowed_syscalls();

// Of those: typing into a terminal, and what tells runs of each other through files that
// they share (in the strict profile locks too).
std::span<const std::uint32_t> refused_ioctls();
std::span<const std::uint32_t> refused_fcntls(bool strict);

// Allowed but in the strict profile, since locks on shared files tell runs of each other.
std::span<const char* const> sharing_syscalls();

// What an administrator may grant beyond (ExtraSyscalls): it widens what of the kernel is
// in reach, but undoes no wall. Others are refused at the launcher's start.
std::span<const char* const> grantable_syscalls();

// Allowed only for some values of one argument.
struct ConditionalSyscall {
    const char* name;
    unsigned argument;
    std::uint64_t mask;   // the bits that are looked at
    std::uint64_t value;  // what they must be
};
std::span<const ConditionalSyscall> conditional_syscalls();

// What sockets of IPv4 and IPv6 may speak.
std::span<const std::uint64_t> socket_protocols();

// Refused with ENOSYS, so that a C library takes its older way.
std::span<const char* const> absent_syscalls();

// What pid 1 of a sandbox may call: it waits, reports and passes signals on.
std::span<const char* const> init_syscalls();

// The newest number this list was made with knowledge of (set_mempolicy_home_node).
// Later ones are answered ENOSYS, as by a kernel that does not have them.
inline constexpr std::uint32_t kNewestKnownSyscall = 450;

}  // namespace berth::launcher
