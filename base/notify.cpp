#include "base/notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace berth {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMostText = 512;

std::uint64_t number_of(const char* name) {
    const char* text = std::getenv(name);
    if (text == nullptr || *text < '0' || *text > '9') return 0;
    return std::strtoull(text, nullptr, 10);
}

}  // namespace

Notifier Notifier::from_environment() noexcept {
    Notifier notifier;
    const char* path = std::getenv("NOTIFY_SOCKET");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::size_t size = path != nullptr ? std::strlen(path) : 0;
    if (size < 2 || size >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
        return notifier;
    std::memcpy(address.sun_path, path, size);
    if (path[0] == '@') address.sun_path[0] = '\0';
    Fd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size);
    if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) < 0)
        return notifier;
    notifier.socket_ = std::move(socket);

    const std::uint64_t watchdog_us = number_of("WATCHDOG_USEC");
    const std::uint64_t watched = number_of("WATCHDOG_PID");
    if (watched != 0 && watched != static_cast<std::uint64_t>(::getpid())) return notifier;
    // Three times in that time: a turn that takes long is not yet death.
    if (watchdog_us != 0)
        notifier.alive_every_ = std::max(milliseconds{watchdog_us / 3000}, milliseconds{1});
    return notifier;
}

void Notifier::ready(const char* status) noexcept { tell_state("READY=1", status); }

void Notifier::reloading(const char* status) noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    char state[80];
    std::snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
                  std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000);
    tell_state(state, status);
}

void Notifier::stopping(const char* status) noexcept { tell_state("STOPPING=1", status); }

void Notifier::status(const char* status) noexcept {
    char text[kMostText];
    std::snprintf(text, sizeof text, "STATUS=%s", status);
    tell(text);
}

void Notifier::extend_timeout(milliseconds time) noexcept {
    char text[64];
    std::snprintf(text, sizeof text, "EXTEND_TIMEOUT_USEC=%" PRId64,
                  std::int64_t{time.count()} * 1000);
    tell(text);
}

int Notifier::keep_alive(int wait_ms) noexcept {
    if (alive_every_.count() == 0) return wait_ms;
    const auto now = std::chrono::steady_clock::now();
    if (now >= alive_at_) {
        tell("WATCHDOG=1");
        alive_at_ = now + alive_every_;
    }
    const auto left = std::chrono::ceil<milliseconds>(alive_at_ - now).count();
    return wait_ms < 0 ? static_cast<int>(left)
                       : static_cast<int>(std::min<std::int64_t>(left, wait_ms));
}

void Notifier::tell_state(const char* state, const char* status) noexcept {
    char text[kMostText];
    std::snprintf(text, sizeof text, "%s\nSTATUS=%s", state, status);
    tell(text);
}

void Notifier::tell(const char* text) noexcept {
    if (!socket_) return;
    // A manager whose queue is full is waited for: what it does not hear it could kill us for.
    while (::send(socket_.get(), text, std::strlen(text), MSG_NOSIGNAL) < 0 && errno == EINTR) {
    }
}

}  // namespace berth
