// System calls that the filter refuses by policy, told by their numbers: the kernel asks
// pid 1 (seccomp user notification), which answers EPERM to all of them and remembers the
// first different ones for the end's report. It never lets a call go on. Allowed calls,
// and those that look absent, do not come here.
#pragma once

#include <cstdint>

#include "sandbox/ipc/launcher_protocol.h"

namespace berth::launcher {

// Where pid 1 has its end of the socket that the listener comes by.
inline constexpr int kListenerSocketFd = 8;

// Whether filters may have a listener here; tried by a child, for ever changed by it.
bool can_listen_to_filter() noexcept;

// pid 1, before it forks: the socket at kListenerSocketFd and, for the child, `child_end`.
int make_listener_socket(int& child_end) noexcept;
// pid 2, with its filter loaded: hands the listener over by `child_end`, closes both.
int send_listener(int child_end, int listener) noexcept;
// In pid 1. It does not wait for the listener before it is ready: a refused call that
// comes earlier waits in the kernel.
class Refusals {
public:
    explicit Refusals(bool expected) noexcept : socket_{expected ? kListenerSocketFd : -1} {}

    // To be watched for POLLIN; -1: nothing is to come.
    int fd() const noexcept { return listener_ >= 0 ? listener_ : socket_; }
    // `events` of poll(2) on it: takes the listener, or answers one call.
    void ready(short events) noexcept;
    void write_to(ipc::EndReport& report) const noexcept;

private:
    void receive() noexcept;
    void answer() noexcept;
    void remember(int number) noexcept;
    static constexpr unsigned kMost = sizeof(ipc::EndReport::refused) / sizeof(std::uint16_t);
    std::uint16_t numbers_[kMost] = {};
    unsigned count_ = 0;
    int socket_;
    int listener_ = -1;
};

}  // namespace berth::launcher
