// System calls that the filter refuses by policy, told by their numbers: the kernel asks
// pid 1 (seccomp user notification), which answers EPERM to all of them and remembers the
// first different ones for the end's report. It never lets a call go on. Allowed calls,
// and those that look absent, do not come here.
#pragma once

#include <cstdint>

#include "sandbox/ipc/launcher_protocol.h"

namespace berth::launcher {

// Where pid 1 has the listener, and before that each side its end of their socket.
inline constexpr int kListenerFd = 8;

// Whether filters may have a listener here; tried by a child, for ever changed by it.
bool can_listen_to_filter() noexcept;

// pid 1, before it forks: the socket at kListenerFd and, for the child, `child_end`.
int make_listener_socket(int& child_end) noexcept;
// pid 2, with its filter loaded: hands the listener over by `child_end`, closes both.
int send_listener(int child_end, int listener) noexcept;
// pid 1: waits for it and puts it at kListenerFd, in the socket's place.
int receive_listener() noexcept;

class Refusals {
public:
    // Answers one call, when kListenerFd is readable.
    void answer() noexcept;
    void write_to(ipc::EndReport& report) const noexcept;

private:
    void remember(int number) noexcept;
    static constexpr unsigned kMost = sizeof(ipc::EndReport::refused) / sizeof(std::uint16_t);
    std::uint16_t numbers_[kMost] = {};
    unsigned count_ = 0;
};

}  // namespace berth::launcher
