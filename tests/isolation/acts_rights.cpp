// More rights than were given: another user, a better place in the queue, the clock.
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/isolation/acts.h"

namespace berth::acts {
namespace {

int give_file_capabilities(const Host& host) {
    const std::string path = host.scratch + "/raise";
    if (const int err = can_open(path, O_WRONLY | O_CREAT); err != 0) return err;
    vfs_cap_data data{};
    data.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
    data.data[0].permitted = 1U << CAP_NET_RAW;
    const int err =
        outcome(::setxattr(path.c_str(), "security.capability", &data, XATTR_CAPS_SZ_2, 0));
    ::unlink(path.c_str());
    return err;
}

// To the time zone it has: the same right as the time itself.
int set_clock(const Host&) {
    struct timezone zone {};
    ::syscall(SYS_gettimeofday, nullptr, &zone);
    return outcome(::syscall(SYS_settimeofday, nullptr, &zone));
}

int run_in_real_time(const Host&) {
    const sched_param wanted{10};
    return outcome(::sched_setscheduler(0, SCHED_FIFO, &wanted));
}

constexpr Act kActs[] = {
    {"rights", "become root", [](const Host&) { return outcome(::setuid(0)); }},
    {"rights", "write a map of users",
     [](const Host&) { return can_open("/proc/self/uid_map", O_WRONLY); }},
    {"rights", "give a file capabilities", give_file_capabilities},
    {"rights", "set the clock", set_clock},
    {"rights", "run in real time", run_in_real_time},
    {"rights", "run before others (nice)",
     [](const Host&) { return outcome(::setpriority(PRIO_PROCESS, 0, -5)); }},
    {"rights", "rename the host", [](const Host&) { return outcome(::sethostname("x", 1)); }},
};

}  // namespace

std::span<const Act> right_acts() { return kActs; }

}  // namespace berth::acts
