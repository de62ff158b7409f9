// Gathers HostFacts: reads files, asks the kernel, tries namespaces in a child.
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/host_checks.h"

namespace berth {
namespace {

std::string text_of(const std::filesystem::path& path) {
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
}

std::optional<std::int64_t> number_in(const std::filesystem::path& path) {
    return to_number<std::int64_t>(trim(text_of(path)));
}

// In a child, since a namespace once entered cannot be left.
Tried try_unshare(int flags) {
    const pid_t child = check(::fork(), "starting a child to try namespaces in");
    if (child == 0) ::_exit(::unshare(flags) == 0 ? 0 : errno);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0)
        if (errno != EINTR) throw SystemError{errno, "waiting for the child that tries namespaces"};
    return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

// 0 when the kernel knows the call, whatever it thinks of these arguments.
Tried known(long rc) {
    if (rc >= 0) return 0;
    return errno == ENOSYS || errno == EPERM ? errno : 0;
}

void find_calls(HostFacts& facts) {
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC;
    const long opened = ::syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof how);
    facts.openat2 = known(opened);
    const Fd root{static_cast<int>(opened)};
    facts.clone3 = known(::syscall(SYS_clone3, nullptr, 0));
    facts.close_range = known(::syscall(SYS_close_range, ~0U, ~0U, 0));
    const long pidfd = ::syscall(SYS_pidfd_open, ::getpid(), 0);
    facts.pidfd_open = known(pidfd);
    const Fd self{static_cast<int>(pidfd)};
    // A name that no file system has: the right to mount is not asked for here.
    const long context = ::syscall(SYS_fsopen, "berth-none", 0);
    facts.fsopen = context < 0 && errno == ENOSYS ? ENOSYS : 0;

    std::uint32_t action = SECCOMP_RET_KILL_PROCESS;
    facts.seccomp_kill_process = ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
    // Without a program the kernel that knows filters answers EFAULT.
    facts.seccomp_filter =
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, nullptr, 0, 0) != 0 && errno == EFAULT;
    const long abi =
        ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    facts.landlock_abi = abi > 0 ? static_cast<int>(abi) : 0;
}

struct Mount {
    std::string point;
    std::string type;
    std::string options;  // of the mount and of the file system
};

std::vector<Mount> mounts() {
    std::vector<Mount> all;
    for (const std::string& line : split(text_of("/proc/self/mountinfo"), '\n')) {
        const auto fields = split(line, ' ');
        const auto dash = std::find(fields.begin(), fields.end(), "-");
        if (fields.size() < 6 || fields.end() - dash < 4) continue;
        all.push_back({fields[4], dash[1], fields[5] + ',' + dash[3]});
    }
    return all;
}

bool has_option(const Mount& mount, std::string_view option) {
    const auto options = split(mount.options, ',');
    return std::find(options.begin(), options.end(), option) != options.end();
}

// A child group can be made below the one we are in.
bool can_make_group(const std::string& mount_point) {
    for (const std::string& line : split(text_of("/proc/self/cgroup"), '\n')) {
        if (!line.starts_with("0::")) continue;
        const std::string group =
            fmt::format("{}{}/berth-doctor-{}", mount_point, line.substr(3), ::getpid());
        if (::mkdir(group.c_str(), 0700) != 0) return false;
        ::rmdir(group.c_str());
        return true;
    }
    return false;
}

void find_mounts(HostFacts& facts) {
    bool memory = false, pids = false;
    for (const Mount& mount : mounts()) {
        if (mount.type == "cgroup2" && facts.cgroup2_mount.empty())
            facts.cgroup2_mount = mount.point;
        if (mount.type == "cgroup") {
            memory |= has_option(mount, "memory");
            pids |= has_option(mount, "pids");
        }
        if (mount.type == "proc" && mount.point == "/proc")
            for (const std::string& option : split(mount.options, ','))
                if (option.starts_with("hidepid=") && option != "hidepid=0" &&
                    option != "hidepid=off")
                    facts.proc_hidepid = option.substr(sizeof "hidepid=" - 1);
    }
    facts.cgroup1_limits = memory && pids;
    if (facts.cgroup2_mount.empty()) return;
    const std::string controllers = text_of(facts.cgroup2_mount + "/cgroup.controllers");
    for (const std::string& name : split(trim(controllers), ' '))
        if (!name.empty()) facts.cgroup2_controllers.insert(name);
    facts.cgroup2_writable = can_make_group(facts.cgroup2_mount);
}

bool keeps_to_memory_or_is_encrypted(const std::string& device) {
    const auto name = std::filesystem::path{device}.filename().string();
    if (name.starts_with("zram")) return true;
    return text_of("/sys/block/" + name + "/dm/uuid").starts_with("CRYPT-");
}

void find_storage(HostFacts& facts) {
    const auto lines = split(text_of("/proc/swaps"), '\n');
    for (std::size_t i = 1; i < lines.size(); ++i) {
        const std::string device = lines[i].substr(0, lines[i].find(' '));
        if (!device.empty() && !keeps_to_memory_or_is_encrypted(device))
            facts.swaps.push_back(device);
    }
    std::error_code ignored;
    auto there = std::filesystem::absolute(facts.state_dir, ignored);
    while (!std::filesystem::exists(there, ignored) && there.has_relative_path())
        there = there.parent_path();
    struct statvfs space {};
    if (::statvfs(there.c_str(), &space) == 0) {
        facts.free_bytes = std::uint64_t{space.f_bavail} * space.f_frsize;
        facts.free_inodes = space.f_files == 0 ? UINT64_MAX : space.f_favail;  // btrfs counts none
    }
}

}  // namespace

HostFacts gather_host_facts(const std::filesystem::path& state_dir) {
    HostFacts facts;
    facts.state_dir = state_dir;
    utsname kernel{};
    check(::uname(&kernel), "asking for the kernel's version");
    facts.kernel_release = kernel.release;
    facts.is_root = ::geteuid() == 0;

    const int others =
        CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
    facts.user_namespace = try_unshare(CLONE_NEWUSER);
    facts.other_namespaces = try_unshare(facts.is_root ? others : others | CLONE_NEWUSER);
    facts.max_user_namespaces = number_in("/proc/sys/user/max_user_namespaces");
    facts.unprivileged_userns_clone = number_in("/proc/sys/kernel/unprivileged_userns_clone");
    facts.apparmor_restricts_userns =
        number_in("/proc/sys/kernel/apparmor_restrict_unprivileged_userns");

    find_calls(facts);
    find_mounts(facts);
    for (const std::string& line : split(text_of("/proc/filesystems"), '\n'))
        facts.overlayfs |= trim(line) == "overlay";
    rlimit memlock{};
    check(::getrlimit(RLIMIT_MEMLOCK, &memlock), "asking for the limit of locked memory");
    facts.memlock_bytes = memlock.rlim_cur == RLIM_INFINITY ? UINT64_MAX : memlock.rlim_cur;
    facts.core_pattern = trim(text_of("/proc/sys/kernel/core_pattern"));
    find_storage(facts);
    timex clock{};
    if (::adjtimex(&clock) >= 0) facts.clock_synchronised = (clock.status & STA_UNSYNC) == 0;
    facts.clock_source =
        trim(text_of("/sys/devices/system/clocksource/clocksource0/current_clocksource"));
    facts.year = to_number<int>(to_rfc3339(SystemClock{}.now()).substr(0, 4)).value_or(0);
    find_kept(facts);
    return facts;
}

}  // namespace berth
