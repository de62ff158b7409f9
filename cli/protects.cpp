// What each of the doctor's checks protects, the host's and the daemons' alike, in one list: who
// weighs a missing one has to know what he goes without.
#include <map>
#include <string_view>

#include "cli/host_checks.h"

namespace berth {

std::string_view what_it_protects(std::string_view check) {
    static const std::map<std::string_view, std::string_view> texts{
        // The host.
        {"kernel", "everything below: older ones lack parts of the sandbox"},
        {"run as root", "nothing: what this look can tell"},
        {"user namespaces", "the host's users from scripts"},
        {"other namespaces", "files, processes and networks of the host from scripts"},
        {"seccomp filters", "the kernel from scripts"},
        {"system calls", "the building of sandboxes, by calls that cannot be raced"},
        {"Landlock", "files, should a mount be wrong"},
        {"overlayfs", "runtimes from the scripts that change their files"},
        {"cgroup v2 limits", "the host's memory, processes and CPU from a run as a whole"},
        {"locked memory", "keys from the swap space"},
        {"no plain swap", "secrets in memory from the disk"},
        {"no core handler", "secrets in memory from dumps"},
        {"processes hidden", "command lines of this host from its other users"},
        {"free disk", "triggers from being turned away"},
        {"clock", "schedules, and signatures that hold for minutes"},
        {"source of the root key", "every secret in the store"},
        {"private folders", "store and keys from the host's other users"},
        {"folders and settings", "what runs, and as whom, from the host's other users"},
        // The daemons.
        {"room on the disk", "triggers from being turned away"},
        {"the store's pages", "what is stored, by telling that a disk has changed it"},
        {"users of the sandboxes", "scripts and accounts of the host from each other"},
        {"open files", "clients and runs from being turned away"},
        {"berth-runner", "keys and live runs from all that parses"},
        {"root key", "every secret in the store"},
        {"locked secret memory", "keys and secrets from the swap space"},
        {"berth-launcher", "secrets from all that has rights"},
        {"berth-egress", "networks of the host from scripts"},
        {"namespaces", "files, processes and networks of the host from scripts"},
        {"user namespace", "the host's users from scripts, and runs from each other"},
        {"root file system", "the host's files from scripts"},
        {"no_new_privs", "the host from programs with rights of their own"},
        {"system call filter", "the kernel from scripts"},
        {"resource limits", "the host from one process that takes too much"},
        {"cgroup memory limit", "the host's memory from a run as a whole"},
        {"cgroup process limit", "the host's processes from a run as a whole"},
        {"cgroup CPU limit", "other runs from one that computes without end"},
        {"cgroups", "the host from what a run takes as a whole, or leaves behind"},
        {"sandbox profile", "the kernel from what scripts seldom need"},
        {"warm pool", "nothing: it makes starts fast"},
        {"public address", "webhooks and consents from getting lost"},
        {"connector kinds", "runs from wrong credentials"},
    };
    const auto found = texts.find(check);
    return found == texts.end() ? std::string_view{} : found->second;
}

}  // namespace berth
