// What the runner asks of a sandbox's cgroup, through the directory that the launcher
// handed over: v2's leaf, or with v1 that of the memory hierarchy. Without one (-1), and
// for what the kernel does not count, every answer is zero.
#pragma once

#include <cstdint>

namespace berth::runner {

struct CgroupCounters {
    std::uint64_t oom_kills = 0;      // processes killed for memory, whoever's memory it was
    std::uint64_t limit_hits = 0;     // the group's own limit was reached; v1 knows only whether
    std::uint64_t forks_refused = 0;  // by the limit of processes; v2 only
    std::uint64_t memory_peak_bytes = 0;
    std::uint64_t io_read_bytes = 0;  // v2 only
    std::uint64_t io_write_bytes = 0;
    std::int64_t user_us = 0;  // v2 only
    std::int64_t system_us = 0;
    bool known_empty = false;  // the kernel says that no process is left; v2 only
};

// To be read before the group is removed.
CgroupCounters read_counters(int cgroup_dir) noexcept;

// SIGKILL to everything in it (cgroup.kill, Linux 5.14). Where the runner may not
// write there, the closed status socket does it alone.
void kill_all_in(int cgroup_dir) noexcept;

}  // namespace berth::runner
