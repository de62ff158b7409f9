// Limits by cgroups: one back end, chosen at start and shown in Hello. v2 is a leaf
// per sandbox below a folder that was delegated to the launcher; v1 is one below the
// launcher's own group in each hierarchy that has a limit to give; with neither,
// rlimits stand in. No group is ever made outside of those folders.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/fd.h"
#include "sandbox/ipc/launcher_protocol.h"

namespace berth::launcher {

enum class CgroupKind : std::uint8_t { none, v2, v1 };

// Writes the limits of the controllers (protection_cgroup_*) that are there into the
// files of an open v2 leaf; 0, or an errno value.
int write_limits(int leaf, std::uint32_t controllers, const ipc::SandboxLimits& limits);

// With protection_cgroup_io: `io.max` of one disk, given as `MAJOR:MINOR`; each way.
int write_io_limit(int leaf, const char* disk, std::uint64_t bytes_per_second);

// The disk that holds `path`, as `MAJOR:MINOR` of all of it, not of a partition, which
// is what io.max wants. ENODEV: its file system is on no single disk.
int disk_of(const char* path, char (&disk)[24]);

// The same for a leaf in one v1 hierarchy, which has the files of its controllers.
int write_limits_v1(int leaf, std::uint32_t controllers, const ipc::SandboxLimits& limits);

// What launchers below the same v1 groups have left that have ended: folders without
// processes. For root with all its rights; a launcher has dropped that of writing to folders
// whose mode forbids it, and leaves its own empty one.
void remove_left_groups();

// The life of a slot's groups: prepare, enter, open_leaf, set_limits, remove. Every
// function returns 0 or an errno value, and does nothing where there are no cgroups.
class Cgroups {
public:
    Cgroups() = default;

    // Finds the back end, before the template root hides the host's files. `how` is
    // `auto` (v2 if this program's group was delegated to it, else v1, else none),
    // `none`, or a delegated v2 folder that holds no process. `name` is this launcher's,
    // the same at its next start: what it left behind then goes.
    int open(const char* how, const char* name);

    // What the administrator gives every sandbox at most, where its request does not say;
    // before open(). `disk` as of disk_of(), for the I/O; cgroup v2 only.
    struct Share {
        std::uint64_t cpu_percent = 0;  // of one core; 0: no limit
        std::uint64_t io_bytes_per_second = 0;
        char disk[24] = {};
    };
    void share(const Share& share) { share_ = share; }

    CgroupKind kind() const noexcept { return kind_; }
    bool present() const noexcept { return kind_ != CgroupKind::none; }
    std::uint32_t protections() const noexcept { return protections_; }

    // Before the clone. v2: makes the leaf that the sandbox is cloned into; v1: nothing,
    // its groups take longer and are made by the sandbox's process.
    int prepare(unsigned slot, const ipc::SandboxLimits& limits, Fd& clone_into);
    // In the new process, before it leaves its cgroup namespace. v1: makes and enters.
    int enter(unsigned slot, const ipc::SandboxLimits& limits) const;
    // What the runner gets: the leaf, with v1 that of the memory hierarchy. Empty where
    // there is none.
    Fd open_leaf(unsigned slot) const;
    // For a sandbox that stands, when it is taken for a run.
    int set_limits(unsigned slot, const ipc::SandboxLimits& limits) const;
    // SIGKILL to all that is in the group of a slot, at once; v2 only. Elsewhere the death
    // of pid 1 does it alone.
    void kill(unsigned slot) const;
    // Removes the groups of a slot; EBUSY while a process is left.
    int remove(unsigned slot) const;

    // The groups of a sandbox that has ended stay for a while, since the runner reads
    // there how it ended: sweep() removes them then, or prepare() for the next one. It
    // says in how many milliseconds it wants to be called again; -1: not before ended().
    static constexpr std::int64_t kKeepMs = 10'000;
    void ended(unsigned slot, std::int64_t now_ms);
    int sweep(std::int64_t now_ms);

    // When the launcher ends: removes all groups without processes, and v1's folders
    // around them if their parents may be written to. Live runs keep theirs; the next
    // launcher removes them.
    void close();

private:
    // A folder that leaves are made in: v2 has one, v1 one in each hierarchy.
    struct Root {
        Fd folder;
        Fd parent;  // v1
        std::uint32_t controllers = 0;
    };
    struct Ended {
        unsigned slot = 0;
        std::int64_t at_ms = 0;
    };
    static constexpr std::size_t kRoots = 3;  // memory, pids, cpu

    void forget();
    int open_v2(const char* folder);
    int open_delegated();
    int open_v1(const char* name);
    void remove_all() const;
    int write_all_limits(const Root& root, int leaf, ipc::SandboxLimits limits) const;
    int make(const Root& root, unsigned slot, const ipc::SandboxLimits& limits, Fd& leaf) const;

    Share share_;
    CgroupKind kind_ = CgroupKind::none;
    std::uint32_t protections_ = 0;
    Root roots_[kRoots];
    std::size_t count_ = 0;
    char name_[32] = {};  // of v1's folders
    std::vector<Ended> ended_;
};

}  // namespace berth::launcher
