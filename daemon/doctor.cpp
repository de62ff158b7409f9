#include "daemon/doctor.h"

#include "base/text.h"
#include "sandbox/ipc/launcher_protocol.h"

namespace berth {
namespace {

enum class Need { needed, extra };

struct Layer {
    std::uint32_t bit;
    Need need;
    const char* name;
    const char* active;
    const char* missing;
    const char* cure;
};

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
    {ipc::protection_landlock, Need::extra, "Landlock", "second fence around the file system",
     "not in this kernel",
     "boot with lsm=landlock,... (Linux 5.13 or newer); the other layers hold without it"},
    {ipc::protection_rlimits, Need::needed, "resource limits",
     "processes, files, memory, file size", "cannot be set", "see the launcher's log"},
    {ipc::protection_cgroup_memory, Need::extra, "cgroup memory limit", "the whole run together",
     "not available: memory is limited for each process (RLIMIT_DATA), not for the run as a whole",
     "run as a systemd service with Delegate=yes on a host with cgroup v2, or set cgroup_root"},
    {ipc::protection_cgroup_pids, Need::extra, "cgroup process limit", "the whole run together",
     "not available: processes are limited by the run's own user id (RLIMIT_NPROC)",
     "run as a systemd service with Delegate=yes on a host with cgroup v2, or set cgroup_root"},
    {ipc::protection_cgroup_cpu, Need::extra, "cgroup CPU limit", "each run has its share",
     "not available",
     "run as a systemd service with Delegate=yes on a host with cgroup v2, or set cgroup_root"},
};

}  // namespace

std::vector<DoctorCheck> check_daemons(const std::optional<ipc::RunnerHello>& hello) {
    std::vector<DoctorCheck> checks;
    const auto add = [&](std::string name, Need need, bool ok, std::string detail,
                         std::string cure) {
        checks.push_back({std::move(name), ok, need == Need::needed, std::move(detail),
                          ok ? "" : std::move(cure)});
    };
    if (!hello) {
        add("berth-runner", Need::needed, false, "not connected",
            "see the daemon's log; it is started again by itself");
        return checks;
    }
    add("berth-runner", Need::needed, true, "connected", "");
    const bool key = !hello->root_key_id.empty();
    add("root key", Need::needed, key,
        key ? "loaded, id " + to_hex(hello->root_key_id) : hello->why,
        "make one with `berth init`, or restore it from your backup");
    add("locked secret memory", Need::extra, hello->secret_memory_locked,
        hello->secret_memory_locked ? "keys and plaintext are never swapped out"
                                    : "secrets could reach the swap space",
        "raise RLIMIT_MEMLOCK of berth-runner to 8 MiB or more, or switch swap off");
    add("berth-launcher", Need::needed, hello->launcher_present,
        hello->launcher_present
            ? fmt::format("connected, {} sandboxes at once, host users {} to {}", hello->slots,
                          hello->first_uid, hello->first_uid + 2 * hello->slots - 1)
            : "not connected: no run can start",
        "start it as root; see its log");
    if (hello->launcher_present)
        for (const Layer& layer : kLayers) {
            const bool active = (hello->protections & layer.bit) != 0;
            add(layer.name, layer.need, active, active ? layer.active : layer.missing, layer.cure);
        }
    return checks;
}

}  // namespace berth
