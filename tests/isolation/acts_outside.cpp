// Ways out by sockets and devices.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tests/isolation/acts.h"

namespace berth::acts {
namespace {

constexpr int kVsock = 40;  // AF_VSOCK

int open_socket(int family, int type, int protocol = 0) {
    return outcome(::socket(family, type | SOCK_CLOEXEC, protocol));
}

int reach_loopback(const Host& host) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(host.port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return outcome(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to));
}

int reach_abstract(const Host& host) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    host.abstract.copy(to.sun_path + 1, sizeof to.sun_path - 1);
    const auto size = offsetof(sockaddr_un, sun_path) + 1 + host.abstract.size();
    return outcome(
        ::connect(fd, reinterpret_cast<const sockaddr*>(&to), static_cast<socklen_t>(size)));
}

int make_device(const Host& host) {
    const std::string path = host.scratch + "/null";
    const int err = outcome(::mknod(path.c_str(), S_IFCHR | 0600, ::makedev(1, 3)));
    ::unlink(path.c_str());
    return err;
}

// Into a terminal of its own, as into that of whoever started it.
int type_into_terminal(const Host&) {
    const int terminal = ::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0) return errno;
    return outcome(::ioctl(terminal, TIOCSTI, "x"));
}

constexpr Act kActs[] = {
    {"sockets", "open a packet socket",
     [](const Host&) { return open_socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)); }},
    {"sockets", "open a raw socket",
     [](const Host&) { return open_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); }},
    {"sockets", "speak to the hypervisor (vsock)",
     [](const Host&) { return open_socket(kVsock, SOCK_STREAM); }},
    {"sockets", "speak to the kernel's firewall",
     [](const Host&) { return open_socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER); }},
    {"sockets", "reach a service on the host's loopback", reach_loopback},
    {"sockets", "reach an abstract socket of the host", reach_abstract},
    {"devices", "make a device node", make_device},
    {"devices", "type into a terminal", type_into_terminal},
};

}  // namespace

std::span<const Act> outside_acts() { return kActs; }

}  // namespace berth::acts
