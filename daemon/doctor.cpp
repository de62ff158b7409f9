#include "daemon/doctor.h"

#include "base/text.h"
#include "sandbox/ipc/launcher_protocol.h"

namespace berth {
namespace {

enum class Need { needed, extra };

constexpr std::uint64_t kOpenFiles = 4096;

struct Layer {
    std::uint32_t bit;
    Need need;
    const char* name;
    const char* active;
    const char* missing;
    const char* cure;
};

constexpr const char* kCgroupCure =
    "run as a systemd service with Delegate=yes on a host with cgroup v2, or set 'cgroups' to a "
    "delegated folder";

constexpr Layer kLayers[] = {
    {ipc::protection_namespaces, Need::needed, "namespaces",
     "mount, pid, net, ipc, uts and cgroup, new for each run", "cannot be made",
     "start berth-launcher as root, on Linux 5.15 or newer"},
    {ipc::protection_user_namespace, Need::needed, "user namespace",
     "entered last, a pair of host users for each run", "cannot be entered",
     "allow it: sysctl user.max_user_namespaces, and "
     "kernel.apparmor_restrict_unprivileged_userns=0"},
    {ipc::protection_read_only_root, Need::needed, "root file system",
     "read-only, the host's /usr and the release", "cannot be built", "see the launcher's log"},
    {ipc::protection_no_new_privs, Need::needed, "no_new_privs", "set, all capabilities dropped",
     "cannot be set", "use a kernel of 5.15 or newer"},
    {ipc::protection_seccomp, Need::needed, "system call filter", "allow list, loaded for each run",
     "not there", "use a kernel with CONFIG_SECCOMP_FILTER"},
    {ipc::protection_rlimits, Need::needed, "resource limits",
     "processes, files, memory, file size", "cannot be set", "see the launcher's log"},
    {ipc::protection_cgroup_memory, Need::extra, "cgroup memory limit", "the whole run together",
     "not available: memory is limited for each process (RLIMIT_DATA), not for the run as a whole",
     kCgroupCure},
    {ipc::protection_cgroup_pids, Need::extra, "cgroup process limit", "the whole run together",
     "not available: processes are limited by the run's own user id (RLIMIT_NPROC)", kCgroupCure},
    {ipc::protection_cgroup_cpu, Need::extra, "cgroup CPU limit", "each run has its share",
     "not available", kCgroupCure},
};

using Checks = std::vector<DoctorCheck>;

void add(Checks& checks, std::string name, Need need, bool ok, std::string detail,
         std::string cure) {
    checks.push_back(
        {std::move(name), ok, need == Need::needed, std::move(detail), ok ? "" : std::move(cure)});
}

void add_runner(Checks& checks, const ipc::RunnerHello& hello) {
    add(checks, "berth-runner", Need::needed, true, "connected", "");
    const bool key = !hello.root_key_id.empty();
    add(checks, "root key", Need::needed, key,
        key ? "loaded, id " + to_hex(hello.root_key_id) : hello.why,
        "make one with `berth init`, or restore it from your backup");
    add(checks, "locked secret memory", Need::extra, hello.secret_memory_locked,
        hello.secret_memory_locked ? "keys and plaintext are never swapped out"
                                   : "secrets could reach the swap space",
        "raise RLIMIT_MEMLOCK of berth-runner to 8 MiB or more, or switch swap off");
}

void add_launcher(Checks& checks, const DaemonFacts& facts) {
    const ipc::RunnerHello& hello = *facts.hello;
    add(checks, "berth-launcher", Need::needed, hello.launcher_present,
        hello.launcher_present
            ? fmt::format("connected, {} sandboxes at once, host users {} to {}", hello.slots,
                          hello.first_uid, hello.first_uid + 2 * hello.slots - 1)
            : "not connected: no run can start",
        launcher_cure(facts.require_cgroup));
}

void add_egress(Checks& checks, const ipc::RunnerHello& hello) {
    add(checks, "berth-egress", Need::extra, hello.egress_present,
        hello.egress_present ? "connected: scripts reach what it lets them"
                             : "not connected: runs with network 'egress' cannot start",
        "see its log; it is started again by itself");
}

void add_landlock(Checks& checks, const ipc::RunnerHello& hello) {
    const bool active = (hello.protections & ipc::protection_landlock) != 0;
    add(checks, "Landlock", Need::extra, active,
        active ? fmt::format("ABI {}, a second fence around the file system", hello.landlock_abi)
               : "not in this kernel",
        "boot with lsm=landlock,... (Linux 5.13 or newer); the other layers hold without it");
}

void add_cgroups(Checks& checks, const ipc::RunnerHello& hello) {
    const auto has = [&](std::uint32_t bit) { return (hello.protections & bit) != 0; };
    const bool v2 = has(ipc::protection_cgroup_v2);
    const bool v1 = has(ipc::protection_cgroup_v1);
    std::string detail =
        "none: limits are each process's own (rlimits), nothing bounds a run's "
        "memory as a whole, and peak memory and I/O are not recorded";
    if (v2)
        detail = fmt::format("version 2: a group for each run, killed as one{}",
                             has(ipc::protection_cgroup_io) ? "; I/O limited" : "");
    else if (v1)
        detail = "version 1: a group for each run in each hierarchy that is writable";
    add(checks, "cgroups", Need::extra, v2 || v1, std::move(detail), kCgroupCure);
}

void add_store(Checks& checks, const DaemonFacts& facts) {
    add(checks, "room on the disk", Need::needed, !facts.disk_full,
        facts.disk_full ? "the store's disk is full: nothing new is accepted" : "there is some",
        "make room; it goes on by itself");
    const auto& damage = facts.damage;
    add(checks, "the store's pages", Need::needed, damage.empty(),
        damage.empty() ? "none found damaged"
                       : fmt::format("{} found damaged: {}", damage.size(), damage.front()),
        "restore a backup, and look after the disk");
}

void add_profile(Checks& checks, const DaemonFacts& facts) {
    const bool strict = (facts.hello->protections & ipc::protection_strict) != 0;
    add(checks, "sandbox profile", Need::extra, strict || !facts.strict_sandbox,
        strict                 ? "strict"
        : facts.strict_sandbox ? "default, though 'sandbox_profile = strict' is configured"
                               : "default",
        "start Berth again: the launcher began before the configuration was changed");
}

void add_pool(Checks& checks, const std::optional<ipc::Pool>& pool) {
    std::string detail = "nothing reported yet";
    if (pool && pool->size == 0)
        detail = "off (pool_size = 0): each run's sandbox is built when it begins";
    else if (pool)
        detail = fmt::format(
            "{} wanted of each class, {} ready now, {} complete for a run like an earlier one; {} "
            "runs found one ({} complete), {} did not; {:.1f} ms to build one",
            pool->size, pool->parked, pool->complete, pool->hits, pool->complete_hits, pool->misses,
            pool->built == 0 ? 0.0
                             : static_cast<double>(pool->build_total_us) / 1000.0 /
                                   static_cast<double>(pool->built));
    add(checks, "warm pool", Need::extra, true, std::move(detail), "");
}

void add_host(Checks& checks, const DaemonFacts& facts) {
    std::string others;
    for (const std::string& other : facts.taken)
        others += (others.empty() ? "" : ", ") + other;
    const std::string ids =
        facts.ids.count == 0
            ? "not known"
            : fmt::format("ids {} to {}", facts.ids.first, facts.ids.first + facts.ids.count - 1);
    add(checks, "users of the sandboxes", Need::extra, facts.taken.empty(),
        facts.taken.empty() ? ids + ": nobody else's" : ids + ": also " + others,
        "set 'first_uid' to where no account and no line of /etc/subuid has ids: who has the id "
        "of a sandbox's user may reach into it");
    const bool known = facts.open_files != 0;
    add(checks, "open files", Need::extra, !known || facts.open_files >= kOpenFiles,
        !known                           ? "not known"
        : facts.open_files == UINT64_MAX ? "unlimited"
                                         : fmt::format("{} for berthd", facts.open_files),
        fmt::format("set LimitNOFILE={} or more in berthd's unit: each client and each live run "
                    "takes some",
                    kOpenFiles));
}

}  // namespace

std::string launcher_cure(bool require_cgroup) {
    std::string cure = "start it as root; see its log";
    if (require_cgroup)
        cure +=
            "; with 'require_cgroup' it does not start where no cgroup limits the memory and the "
            "processes of a run";
    return cure;
}

DoctorCheck check_public(Served socket, const std::string& public_url) {
    if (public_url.empty())
        return {"public address", true, false,
                "no 'public_url' is set: no webhooks, no auth links, no way back of OAuth2", ""};
    if (socket == Served::no)
        return {"public address", false, false, "the public socket is not served",
                "start 'berth-public.socket', then start berthd again"};
    return {"public address", true, false, public_url + ", by the public socket", ""};
}

std::vector<DoctorCheck> check_daemons(const DaemonFacts& facts) {
    Checks checks;
    add_store(checks, facts);
    add_host(checks, facts);
    if (!facts.hello) {
        add(checks, "berth-runner", Need::needed, false, "not connected",
            "see the daemon's log; it is started again by itself");
        return checks;
    }
    const ipc::RunnerHello& hello = *facts.hello;
    add_runner(checks, hello);
    add_launcher(checks, facts);
    add_egress(checks, hello);
    if (!hello.launcher_present) return checks;  // of layers nothing is known
    for (const Layer& layer : kLayers) {
        const bool active = (hello.protections & layer.bit) != 0;
        add(checks, layer.name, layer.need, active, active ? layer.active : layer.missing,
            layer.cure);
    }
    add_landlock(checks, hello);
    add_cgroups(checks, hello);
    add_profile(checks, facts);
    add_pool(checks, facts.pool);
    return checks;
}

}  // namespace berth
