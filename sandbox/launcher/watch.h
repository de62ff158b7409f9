// What pid 1 of a sandbox does once it stands: reaps, passes signals on, answers refused
// system calls, and reports how the script ended.
#pragma once

#include <sys/types.h>

namespace berth::launcher {

// `child_signals` is a signalfd for SIGCHLD; `notified`: pid 2 sends a listener.
[[noreturn]] void watch(int child_signals, pid_t script, bool notified);

}  // namespace berth::launcher
