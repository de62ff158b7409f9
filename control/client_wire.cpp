#include "control/client_wire.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace berth {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;

std::string chunk_of(std::string_view bytes) {
    return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

}  // namespace

tl::unexpected<Failure> ClientWire::trouble(std::string_view why) const {
    return fail(FailureKind::unavailable, "cannot talk to berthd at '{}': {}", socket_.string(),
                why);
}

Result<void> ClientWire::open() {
    const std::string path = socket_.string();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return fail(FailureKind::unavailable,
                    "cannot use the socket '{}': its path has more than {} bytes", path,
                    sizeof address.sun_path - 1);
    std::memcpy(address.sun_path, path.data(), path.size());
    fd_ = Fd{check(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "making a socket")};
    const auto ms = options_.connect_time.count();
    const timeval limit{.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    check(::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit),
          "limiting the time to connect");
    if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
        return {};
    const int err = errno;
    if (err == EACCES || err == EPERM)
        return fail(FailureKind::denied,
                    "the socket '{}' is not permitted to you; join the group 'berth' and log in "
                    "again, or use sudo",
                    path);
    if (err == ENOENT)
        return fail(FailureKind::unavailable,
                    "berthd is not running: there is no socket '{}'; start it, or name the socket "
                    "of the one that runs",
                    path);
    if (err == ECONNREFUSED)
        return fail(FailureKind::unavailable,
                    "berthd is not running: nobody answers on '{}'; start it and look at its log",
                    path);
    if (err == EAGAIN)
        return fail(FailureKind::unavailable, "berthd at '{}' accepts no connection; try again",
                    path);
    return trouble(std::generic_category().message(err));
}

Result<short> ClientWire::wait(short events) const {
    pollfd waiting{.fd = fd_.get(), .events = events, .revents = 0};
    const auto ms = static_cast<int>(options_.answer_time.count());
    for (;;) {
        const int rc = ::poll(&waiting, 1, ms);
        if (rc < 0 && errno == EINTR) continue;
        check(rc, "waiting for '{}'", socket_.string());
        if (rc == 0) return trouble(fmt::format("nothing came for {} seconds", ms / 1000));
        return waiting.revents;
    }
}

bool ClientWire::usable() const {
    char byte = 0;
    return ::recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

Result<bool> ClientWire::send(std::string_view bytes) const {
    while (!bytes.empty()) {
        const auto ready = wait(POLLOUT | POLLIN);
        if (!ready) return tl::unexpected<Failure>{ready.error()};
        if ((*ready & POLLIN) != 0) return false;
        const auto sent =
            ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) return false;
        check(sent, "writing to '{}'", socket_.string());
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

Result<void> ClientWire::send_body(const ClientBody& body) const {
    if (body.file < 0) {
        auto sent = send(body.bytes);
        if (!sent) return pass_on(sent);
        return {};
    }
    std::string piece;
    std::uint64_t left = body.file_bytes.value_or(0);
    for (;;) {
        piece.resize(kPieceBytes);
        const auto got =
            check(::read(body.file, piece.data(), piece.size()), "reading what to send");
        piece.resize(static_cast<std::size_t>(got));
        if (body.file_bytes && (piece.size() > left || (got == 0 && left > 0)))
            return fail(FailureKind::conflict, "the file changed its size while it was sent");
        left -= body.file_bytes ? piece.size() : 0;
        auto sent = body.file_bytes ? send(piece) : send(got == 0 ? "0\r\n\r\n" : chunk_of(piece));
        if (!sent) return pass_on(sent);
        if (!*sent || got == 0) return {};
    }
}

Result<std::string> ClientWire::receive() const {
    std::string bytes(kPieceBytes, '\0');
    for (;;) {
        if (const auto ready = wait(POLLIN); !ready) return tl::unexpected<Failure>{ready.error()};
        const auto got = ::recv(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (got < 0 && errno == ECONNRESET) return std::string{};
        check(got, "reading from '{}'", socket_.string());
        bytes.resize(static_cast<std::size_t>(got));
        return bytes;
    }
}

}  // namespace berth
