#include "sandbox/runner/record.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "base/assert.h"

namespace berth::runner {
namespace {

// Control buffer for kMaxDescriptors, aligned as the CMSG macros want it.
struct alignas(cmsghdr) Control {
    char bytes[CMSG_SPACE(sizeof(int) * kMaxDescriptors)] = {};
};

void take_descriptors(msghdr& header, std::vector<Fd>& into) {
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            into.emplace_back(fd);
        }
    }
}

// Whether descriptors were cut off for want of them, not because too many were sent.
bool has_no_room() {
    const Fd one_more{::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)};
    return !one_more && errno == EMFILE;
}

}  // namespace

Packet receive_packet(int socket, int flags) {
    Packet packet;
    Control control;
    iovec part{packet.bytes.data(), packet.bytes.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.bytes;
    header.msg_controllen = sizeof control.bytes;
    ssize_t n = 0;
    do {
        n = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT | flags);
    } while (n < 0 && errno == EINTR);

    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return packet;
    if (n < 0) {
        packet.state = Packet::State::broken;
        packet.err = errno;
        return packet;
    }
    take_descriptors(header, packet.descriptors);
    if (n == 0) {
        packet.state = Packet::State::closed;
    } else if ((header.msg_flags & MSG_TRUNC) != 0 ||
               ((header.msg_flags & MSG_CTRUNC) != 0 && !has_no_room())) {
        packet.state = Packet::State::broken;
        packet.err = EPROTO;
    } else {
        packet.lacks_descriptors = (header.msg_flags & MSG_CTRUNC) != 0;
        packet.state = Packet::State::received;
        packet.size = static_cast<std::size_t>(n);
    }
    return packet;
}

int send_packet(int socket, const void* bytes, std::size_t size, std::span<const int> descriptors) {
    BERTH_ASSERT(descriptors.size() <= kMaxDescriptors);
    Control control;
    iovec part{const_cast<void*>(bytes), size};  // sendmsg's type; it does not write
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (!descriptors.empty()) {
        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
        cmsghdr* c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(c), descriptors.data(), descriptors.size_bytes());
    }
    for (;;) {
        const ssize_t n = ::sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) return 0;
        if (errno != EINTR) return errno;
    }
}

}  // namespace berth::runner
