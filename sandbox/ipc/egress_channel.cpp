#include "sandbox/ipc/egress_channel.h"

#include <sys/socket.h>

#include <array>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/pipe.h"
#include "model/limits.h"

namespace berth::ipc {
namespace {

struct PacketHeader {
    std::uint32_t magic = 0x31455242;  // "BRE1"
    std::uint16_t version = 1;
    std::uint16_t type = 0;
};

// Control buffer for the most descriptors, aligned as the CMSG macros want it.
struct alignas(cmsghdr) Control {
    char bytes[CMSG_SPACE(sizeof(int) * limits::kEgressListeners)] = {};
};

std::vector<Fd> descriptors_of(msghdr& header) {
    std::vector<Fd> fds;
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            fds.emplace_back(fd);
        }
    }
    return fds;
}

}  // namespace

EgressChannel::EgressChannel(Loop& loop, Fd connected, Events events)
    : fd_{std::move(connected)},
      events_{std::move(events)},
      poll_{loop, fd_.get(), [this](int got) { ready(got); }} {
    set_blocking(fd_.get(), Blocking::no);
    ucred peer{};
    socklen_t size = sizeof peer;
    check(::getsockopt(fd_.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size), "asking who the peer is");
    peer_uid_ = peer.uid;
    poll_.want(Poll::readable);
}

void EgressChannel::send(EgressType type, std::string payload, std::vector<Fd> fds) {
    if (closed_) return;
    PacketHeader header;
    header.type = static_cast<std::uint16_t>(type);
    std::string bytes(sizeof header, '\0');
    std::memcpy(bytes.data(), &header, sizeof header);
    queue_.push_back({bytes + payload, std::move(fds)});
    write_some();
}

void EgressChannel::ready(int events) {
    const auto alive = alive_;
    // A few packets a turn, so that one busy peer does not hold up the loop.
    if ((events & Poll::readable) != 0)
        for (int i = 0; i < 16 && *alive && !closed_ && read_one(); ++i) {
        }
    if (*alive && !closed_ && (events & Poll::writable) != 0) write_some();
}

bool EgressChannel::read_one() {
    thread_local std::array<char, limits::kEgressPacketBytes> buffer;
    Control control;
    iovec part{buffer.data(), buffer.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    const ssize_t n = ::recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return false;
    if (n <= 0) return close(n == 0 ? "the other end has closed" : std::strerror(errno)), false;
    std::vector<Fd> fds = descriptors_of(message);
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
        return close("a packet is over the size limit"), false;
    std::string_view packet{buffer.data(), static_cast<std::size_t>(n)};
    PacketHeader header;
    const PacketHeader expected;
    if (packet.size() < sizeof header) return close("a packet is shorter than its header"), false;
    std::memcpy(&header, packet.data(), sizeof header);
    if (header.magic != expected.magic || header.version != expected.version)
        return close("a packet is not one of this release"), false;
    // A copy: the handler may come back here by way of another channel.
    const std::string payload{packet.substr(sizeof header)};
    events_.on_message(static_cast<EgressType>(header.type), payload, std::move(fds));
    return true;
}

void EgressChannel::write_some() {
    while (!queue_.empty()) {
        const Packet& packet = queue_.front();
        Control control;
        iovec part{const_cast<char*>(packet.bytes.data()), packet.bytes.size()};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (const std::size_t bytes = packet.fds.size() * sizeof(int); bytes > 0) {
            message.msg_control = control.bytes;
            message.msg_controllen = CMSG_SPACE(bytes);
            cmsghdr* rights = CMSG_FIRSTHDR(&message);
            rights->cmsg_level = SOL_SOCKET;
            rights->cmsg_type = SCM_RIGHTS;
            rights->cmsg_len = CMSG_LEN(bytes);
            for (std::size_t i = 0; i < packet.fds.size(); ++i) {
                const int fd = packet.fds[i].get();
                std::memcpy(CMSG_DATA(rights) + i * sizeof fd, &fd, sizeof fd);
            }
        }
        const ssize_t n = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
        queue_.pop_front();
        // Found by reading, on its own turn.
        if (n < 0) (void)::shutdown(fd_.get(), SHUT_RDWR);
    }
    poll_.want(Poll::readable | (queue_.empty() ? 0 : Poll::writable));
}

void EgressChannel::close(std::string why) {
    if (std::exchange(closed_, true)) return;
    poll_.want(0);
    const auto on_closed = std::move(events_.on_closed);  // it may destroy us
    if (on_closed) on_closed(std::move(why));
}

}  // namespace berth::ipc
