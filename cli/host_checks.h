// What this host offers for sandboxes and for keeping secrets. Facts are gathered
// in one place and judged in another: judging is pure, and tested with facts of
// hosts that are not at hand.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace berth {

// `needed` without which no run is started; `advised` without which Berth is weaker.
enum class Weight { needed, advised };

struct Check {
    std::string name;
    Weight weight = Weight::needed;
    bool ok = false;
    std::string detail;  // what was found
    std::string cure;    // what to do when it is not ok
};

// Outcome of trying something: 0 or the errno.
using Tried = int;

struct HostFacts {
    std::string kernel_release;
    bool is_root = false;
    Tried user_namespace = 0;    // as this user, in a child
    Tried other_namespaces = 0;  // mount, pid, net, ipc, uts, cgroup; within it, or as root
    std::optional<std::int64_t> max_user_namespaces;
    std::optional<std::int64_t> unprivileged_userns_clone;  // Debian's older switch
    std::optional<std::int64_t> apparmor_restricts_userns;  // Ubuntu 24.04
    bool seccomp_filter = false;
    bool seccomp_kill_process = false;
    int landlock_abi = 0;  // 0: none
    bool overlayfs = false;
    std::string cgroup2_mount;  // empty: none
    std::set<std::string> cgroup2_controllers;
    bool cgroup2_writable = false;  // a child group can be made below our own
    bool cgroup1_limits = false;    // memory and pids in the old hierarchy
    Tried openat2 = 0;
    Tried clone3 = 0;
    Tried close_range = 0;
    Tried pidfd_open = 0;
    Tried fsopen = 0;
    std::uint64_t memlock_bytes = 0;  // UINT64_MAX: unlimited
    std::string proc_hidepid;         // empty: off
    std::string core_pattern;
    std::vector<std::string> swaps;  // active, encrypted ones (dm-crypt, zram) left out
    std::filesystem::path state_dir;
    std::uint64_t free_bytes = 0;
    std::uint64_t free_inodes = 0;
    std::optional<bool> clock_synchronised;
    std::string clock_source;  // of the kernel; empty: it does not say
    int year = 0;              // by the clock; 0: not asked
    // What is kept, and who may reach it.
    struct Place {
        std::filesystem::path path;
        enum class Sight { seen, absent, hidden } sight = Sight::absent;  // hidden: from this user
        unsigned mode = 0;                                                // the nine bits
        std::uint64_t bytes = 0;
    };
    Place root_key;                    // where init puts it
    std::filesystem::path credential;  // the root key's, of systemd; empty: none
    std::vector<Place> own;            // folders that are for their owner alone
    std::vector<Place> closed;         // what nobody else may write to
};

HostFacts gather_host_facts(const std::filesystem::path& state_dir);
std::vector<Check> judge(const HostFacts& facts);
// Their parts for what is kept (host_kept.cpp).
void find_kept(HostFacts& facts);
std::vector<Check> judge_kept(const HostFacts& facts);

// What a check of that name protects, also one of the daemons'; empty for a name that is none.
std::string_view what_it_protects(std::string_view check);

// True when nothing that is needed is missing.
bool all_needed(const std::vector<Check>& checks);

}  // namespace berth
