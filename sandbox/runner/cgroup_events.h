// What the runner asks of a sandbox's cgroup through the directory that the
// launcher handed over. Without one (-1) every answer is "no".
#pragma once

namespace berth::runner {

// The kernel killed something in it because its memory was used up (memory.events).
bool ran_out_of_memory(int cgroup_dir) noexcept;

// SIGKILL to everything in it (cgroup.kill, Linux 5.14). Where the runner may not
// write there, the closed status socket does it alone.
void kill_all_in(int cgroup_dir) noexcept;

}  // namespace berth::runner
