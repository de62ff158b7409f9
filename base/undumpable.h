// For processes that hold secrets, before the first one is in memory.
#pragma once

namespace berth {

// No core dump, not even of memory to a piped handler (which ignores RLIMIT_CORE), and
// no ptrace or /proc/PID/mem by a process of the same user. Throws SystemError.
void make_undumpable();

}  // namespace berth
