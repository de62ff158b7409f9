#include "tests/sandbox/packets.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <catch2/catch.hpp>

namespace berth::sandbox_test {

std::string receive(int socket, std::vector<Fd>& descriptors) {
    pollfd watched{socket, POLLIN, 0};
    REQUIRE(::poll(&watched, 1, kDeadlineMs) == 1);
    std::array<char, 4096> bytes;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(32 * sizeof(int))> control;
    iovec part{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t n = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (n <= 0) return {};
    for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
        if (at->cmsg_type != SCM_RIGHTS) continue;
        for (std::size_t i = 0; i < (at->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(at) + i * sizeof(int), sizeof fd);
            descriptors.emplace_back(fd);
        }
    }
    return {bytes.data(), static_cast<std::size_t>(n)};
}

}  // namespace berth::sandbox_test
