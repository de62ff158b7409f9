// What the administrator's command line lets a run be granted beyond the plain sandbox,
// by name: folders to write to, and sets of system calls. Made once at the launcher's
// start; a runner can ask for nothing else.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/fd.h"
#include "sandbox/ipc/launcher_protocol.h"
#include "sandbox/launcher/filter.h"

namespace berth::launcher {

inline constexpr std::size_t kMostNamed = 16;

// `NAME=VALUE` as it was on the command line.
struct Named {
    char name[sizeof(ipc::Assignment::writable)] = {};
    const char* value = nullptr;
};
bool parse_named(const char* text, Named& named);

// A folder of the host that runs may write to, at /data. Its files belong to its owner,
// inside and outside: the mount shows them as the script's own.
struct WritableFolder {
    char name[sizeof(ipc::Assignment::writable)] = {};
    const char* path = nullptr;
    Fd folder;  // on the host, for Landlock
    Fd stored;  // where sandboxes get their copy from, in the releases' namespace
    uid_t owner = 0;
    gid_t group = 0;
};

struct SyscallSet {
    char name[sizeof(ipc::Class::syscalls)] = {};
    Filter filter;
};

struct Allowed {
    std::uint32_t grants = 0;
    std::vector<WritableFolder> folders;
    std::vector<SyscallSet> sets;

    const WritableFolder* folder(const char* name) const;
    const SyscallSet* set(const char* name) const;
};

// Before the template root hides the host. Nothing, or what is wrong with the folder.
const char* add_folder(Allowed& allowed, const Named& named);
// `a,b,c`: only what undoes no wall (grantable_syscalls()), compiled on top of `options`.
const char* add_syscalls(Allowed& allowed, const Named& named, FilterOptions options);

// In the template root being made: where copies will be taken from, below /data.
int mount_folders(Allowed& allowed, int root);
int open_folders(Allowed& allowed);

// A detached copy, writable, on which files of the folder's owner are the script's. Run
// where the folder is mounted. Nothing and errno when it failed.
Fd copy_folder(const WritableFolder& folder, const Fd& id_map);
// The mapping for it. Takes a process for a moment.
Fd make_id_map(const Fd& proc, const WritableFolder& folder, uid_t script);

}  // namespace berth::launcher
