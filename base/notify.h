// What a daemon tells the service manager that started it (sd_notify(3)): that it is
// ready, what it is doing, that it lives. Plain datagrams, no library. berth-launcher,
// which has no exceptions and leaves the host's file tree, uses it too.
#pragma once

#include <chrono>

#include "base/fd.h"

namespace berth {

// Says nothing where there is no manager. Nothing here fails: whoever is not heard works on.
class Notifier {
public:
    Notifier() noexcept = default;
    // The manager of NOTIFY_SOCKET, and the watchdog that WATCHDOG_USEC asks for. To be
    // called early: the socket stays usable wherever the program goes later.
    static Notifier from_environment() noexcept;

    explicit operator bool() const noexcept { return static_cast<bool>(socket_); }

    // `status` is one line for people, shown by `systemctl status`.
    void ready(const char* status) noexcept;
    void reloading(const char* status) noexcept;  // until the next ready()
    void stopping(const char* status) noexcept;
    void status(const char* status) noexcept;
    // Starting, reloading or stopping may go on for so long from now.
    void extend_timeout(std::chrono::milliseconds time) noexcept;

    // To be called before each wait: tells the watchdog that we live when it is time to,
    // and returns the wait cut to the next such time (-1: for ever).
    int keep_alive(int wait_ms) noexcept;
    // How often that must be; 0: nobody asks.
    std::chrono::milliseconds alive_every() const noexcept { return alive_every_; }

private:
    void tell(const char* text) noexcept;
    void tell_state(const char* state, const char* status) noexcept;

    Fd socket_;
    std::chrono::milliseconds alive_every_{0};
    std::chrono::steady_clock::time_point alive_at_{};
};

}  // namespace berth
