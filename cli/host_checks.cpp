#include "cli/host_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "base/text.h"
#include "cli/fields.h"

namespace berth {
namespace {

constexpr int kOldestMajor = 5, kOldestMinor = 15;
constexpr std::uint64_t kLockedMemory = std::uint64_t{4} << 20;
constexpr int kBuiltIn = 2026;  // before that it was not there
constexpr std::uint64_t kLeastFree = std::uint64_t{64} << 20;
constexpr std::uint64_t kGoodFree = std::uint64_t{1} << 30;

std::string error_text(Tried tried) { return std::generic_category().message(tried); }

Check kernel_check(const HostFacts& facts) {
    const auto parts = split(facts.kernel_release, '.');
    const int major = to_number<int>(parts[0]).value_or(0);
    const int minor = parts.size() > 1 ? to_number<int>(parts[1]).value_or(0) : 0;
    return {"kernel", Weight::needed,
            major > kOldestMajor || (major == kOldestMajor && minor >= kOldestMinor),
            facts.kernel_release,
            fmt::format("start a kernel of version {}.{} or later", kOldestMajor, kOldestMinor)};
}

Check root_check(const HostFacts& facts) {
    return {"run as root", Weight::advised, facts.is_root,
            facts.is_root ? "yes" : "no: what follows is what this user may do",
            "run 'sudo berth doctor' to see what the launcher will find"};
}

std::string user_namespace_cure(const HostFacts& facts) {
    if (facts.max_user_namespaces == 0)
        return "set user.max_user_namespaces = 15000 in /etc/sysctl.d, then 'sysctl --system'";
    if (!facts.is_root && facts.unprivileged_userns_clone == 0)
        return "only root may make them (kernel.unprivileged_userns_clone = 0), which is enough "
               "for Berth; run 'sudo berth doctor' to be sure";
    if (!facts.is_root && facts.apparmor_restricts_userns == 1)
        return "AppArmor keeps them from this user (kernel.apparmor_restrict_unprivileged_userns = "
               "1), which is enough for Berth's launcher; run 'sudo berth doctor' to be sure";
    return "allow user namespaces: in a container, start it with the right to make them";
}

// What root's launcher may do is not for another user to say.
Weight namespace_weight(const HostFacts& facts, Tried tried) {
    return !facts.is_root && tried == EPERM ? Weight::advised : Weight::needed;
}

Check user_namespace_check(const HostFacts& facts) {
    std::string detail =
        facts.user_namespace == 0 ? "can be made" : error_text(facts.user_namespace);
    if (facts.max_user_namespaces)
        detail += fmt::format(", at most {}", *facts.max_user_namespaces);
    return {"user namespaces", namespace_weight(facts, facts.user_namespace),
            facts.user_namespace == 0, detail, user_namespace_cure(facts)};
}

Check other_namespaces_check(const HostFacts& facts) {
    return {"other namespaces", namespace_weight(facts, facts.other_namespaces),
            facts.other_namespaces == 0,
            facts.other_namespaces == 0 ? "mount, pid, net, ipc, uts, cgroup"
                                        : error_text(facts.other_namespaces),
            "run as root; in a container, give it CAP_SYS_ADMIN or run Berth on the host"};
}

Check seccomp_check(const HostFacts& facts) {
    const bool ok = facts.seccomp_filter && facts.seccomp_kill_process;
    return {"seccomp filters", Weight::needed, ok,
            ok                     ? "with kill_process"
            : facts.seccomp_filter ? "without kill_process"
                                   : "none",
            "start a kernel with CONFIG_SECCOMP_FILTER"};
}

Check landlock_check(const HostFacts& facts) {
    return {"Landlock", Weight::advised, facts.landlock_abi > 0,
            facts.landlock_abi > 0 ? fmt::format("ABI {}", facts.landlock_abi) : "none",
            "add 'landlock' to the kernel's lsm= list; until then mounts and ids alone keep files "
            "apart"};
}

Check overlay_check(const HostFacts& facts) {
    return {"overlayfs", Weight::advised, facts.overlayfs, facts.overlayfs ? "known" : "not loaded",
            "'modprobe overlay'; only runtimes whose files a script must change need it"};
}

Check cgroup_check(const HostFacts& facts) {
    constexpr const char* kCure =
        "boot with systemd.unified_cgroup_hierarchy=1 and let Berth's unit have Delegate=yes; "
        "until then rlimits bound each process, not the whole run";
    Check check{"cgroup v2 limits", Weight::advised, false, "", kCure};
    if (facts.cgroup2_mount.empty()) {
        check.detail = "not mounted";
    } else {
        std::string missing;
        for (const char* name : {"memory", "pids", "cpu"})
            if (!facts.cgroup2_controllers.contains(name))
                missing += (missing.empty() ? "" : ", ") + std::string{name};
        check.ok = missing.empty() && facts.cgroup2_writable;
        check.detail = !missing.empty() ? fmt::format("'{}' lacks {}", facts.cgroup2_mount, missing)
                       : check.ok ? fmt::format("memory, pids, cpu at '{}'", facts.cgroup2_mount)
                                  : fmt::format("no group can be made below our own in '{}'",
                                                facts.cgroup2_mount);
    }
    if (!check.ok && facts.cgroup1_limits) check.detail += "; the old hierarchy has them";
    return check;
}

Check calls_check(const HostFacts& facts) {
    std::string missing;
    const auto look = [&](const char* name, Tried tried) {
        if (tried == 0) return;
        missing += fmt::format("{}{} ({})", missing.empty() ? "" : ", ", name, error_text(tried));
    };
    look("openat2", facts.openat2);
    look("clone3", facts.clone3);
    look("close_range", facts.close_range);
    look("pidfd_open", facts.pidfd_open);
    look("fsopen", facts.fsopen);
    return {"system calls", Weight::needed, missing.empty(),
            missing.empty() ? "openat2, clone3, close_range, pidfd_open, fsopen"
                            : "missing: " + missing,
            "start a newer kernel; in a container, let its seccomp profile allow them"};
}

Check memlock_check(const HostFacts& facts) {
    const bool ok = facts.is_root || facts.memlock_bytes >= kLockedMemory;
    return {"locked memory", Weight::advised, ok,
            facts.memlock_bytes == UINT64_MAX ? "unlimited" : size_text(facts.memlock_bytes),
            fmt::format("set LimitMEMLOCK={}M or more; without it, keys can be written to swap",
                        kLockedMemory >> 20)};
}

Check swap_check(const HostFacts& facts) {
    std::string list;
    for (const std::string& device : facts.swaps)
        list += (list.empty() ? "" : ", ") + device;
    return {"no plain swap", Weight::advised, facts.swaps.empty(),
            facts.swaps.empty() ? "none in use" : list,
            "turn it off with 'swapoff', or encrypt it: the memory of runs, secrets included, can "
            "be written there"};
}

Check core_check(const HostFacts& facts) {
    const bool piped = facts.core_pattern.starts_with('|');
    return {"no core handler", Weight::advised, !piped, facts.core_pattern,
            "set kernel.core_pattern = core: a program that cores are piped to gets them in spite "
            "of RLIMIT_CORE"};
}

Check hidepid_check(const HostFacts& facts) {
    return {"processes hidden", Weight::advised, !facts.proc_hidepid.empty(),
            facts.proc_hidepid.empty() ? "every user of the host sees every command line"
                                       : "hidepid=" + facts.proc_hidepid,
            "mount /proc with hidepid=invisible; runs never see the host's processes either way"};
}

Check disk_check(const HostFacts& facts) {
    const bool enough = facts.free_bytes >= kGoodFree && facts.free_inodes >= 10'000;
    const std::string inodes =
        facts.free_inodes == UINT64_MAX ? "" : fmt::format(", {} files", facts.free_inodes);
    return {
        "free disk", facts.free_bytes < kLeastFree ? Weight::needed : Weight::advised, enough,
        fmt::format("{}{} for '{}'", size_text(facts.free_bytes), inodes, facts.state_dir.string()),
        "make room: a full disk stops triggers from being accepted"};
}

Check clock_check(const HostFacts& facts) {
    const bool known = facts.clock_synchronised.has_value();
    std::string detail = !known                      ? "the kernel does not say"
                         : *facts.clock_synchronised ? "synchronised"
                                                     : "not synchronised";
    if (!facts.clock_source.empty()) detail += ", source " + facts.clock_source;
    // A host without a clock of its own starts in 1970, or when its image was made.
    const bool passed = facts.year != 0 && facts.year < kBuiltIn;
    if (passed) detail += fmt::format("; it shows the year {}", facts.year);
    return {"clock", Weight::advised, facts.clock_synchronised.value_or(false) && !passed, detail,
            "run systemd-timesyncd or chrony: schedules follow this clock"};
}

}  // namespace

std::vector<Check> judge(const HostFacts& facts) {
    std::vector<Check> checks{
        kernel_check(facts),           root_check(facts),    user_namespace_check(facts),
        other_namespaces_check(facts), seccomp_check(facts), calls_check(facts),
        landlock_check(facts),         overlay_check(facts), cgroup_check(facts),
        memlock_check(facts),          swap_check(facts),    core_check(facts),
        hidepid_check(facts),          disk_check(facts),    clock_check(facts)};
    for (Check& check : judge_kept(facts))
        checks.push_back(std::move(check));
    return checks;
}

bool all_needed(const std::vector<Check>& checks) {
    return std::ranges::none_of(
        checks, [](const Check& check) { return check.weight == Weight::needed && !check.ok; });
}

}  // namespace berth
