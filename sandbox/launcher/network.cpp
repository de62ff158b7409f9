#include "sandbox/launcher/network.h"

#include <arpa/inet.h>
#include <linux/in6.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "sandbox/launcher/kernel.h"
#include "sandbox/launcher/sandbox_mounts.h"

namespace berth::launcher {
namespace {

constexpr int kBacklog = 1024;
constexpr std::uint16_t kDns = 53;
constexpr std::uint16_t kProxy = 3128;  // the same in sandbox/ipc/egress_messages.h

int raise_loopback() {
    const Fd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    if (!socket) return errno;
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    return errno_of(::ioctl(socket.get(), SIOCSIFFLAGS, &request));
}

// `local 0.0.0.0/0 dev lo` (or ::/0): whatever address a script uses, the packet ends
// here and meets a listener, or nobody. So a refused address is seen and recorded.
struct RouteRequest {
    nlmsghdr header{};
    rtmsg route{};
    rtattr device{};
    std::uint32_t device_index = 0;
};

int add_local_default(int netlink, unsigned char family, std::uint32_t loopback) {
    RouteRequest request;
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = RTM_NEWROUTE;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
    request.route.rtm_family = family;
    request.route.rtm_table = RT_TABLE_LOCAL;
    request.route.rtm_protocol = RTPROT_STATIC;
    request.route.rtm_scope = RT_SCOPE_HOST;
    request.route.rtm_type = RTN_LOCAL;
    request.device.rta_len = RTA_LENGTH(sizeof request.device_index);
    request.device.rta_type = RTA_OIF;
    request.device_index = loopback;
    if (::send(netlink, &request, sizeof request, 0) != sizeof request) return errno;
    struct {
        nlmsghdr header;
        nlmsgerr error;
        char rest[512];  // the kernel repeats the request
    } answer{};
    const ssize_t n = ::recv(netlink, &answer, sizeof answer, 0);
    if (n < 0) return errno;
    if (n < static_cast<ssize_t>(NLMSG_LENGTH(sizeof answer.error)) ||
        answer.header.nlmsg_type != NLMSG_ERROR)
        return EPROTO;
    return -answer.error.error;
}

int add_routes() {
    const Fd netlink{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
    if (!netlink) return errno;
    const std::uint32_t loopback = ::if_nametoindex("lo");
    if (loopback == 0) return errno;
    if (const int err = add_local_default(netlink.get(), AF_INET, loopback); err != 0) return err;
    // Where IPv6 is switched off there is none inside either: no address is reachable.
    (void)add_local_default(netlink.get(), AF_INET6, loopback);
    return 0;
}

// On every address of both families, or of IPv4 where the kernel has no other.
int bind_all(int socket, int family, std::uint16_t port) {
    if (family == AF_INET) {
        sockaddr_in any{};
        any.sin_family = AF_INET;
        any.sin_port = htons(port);
        return errno_of(::bind(socket, reinterpret_cast<const sockaddr*>(&any), sizeof any));
    }
    constexpr int kNo = 0;
    if (::setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &kNo, sizeof kNo) < 0) return errno;
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(port);
    return errno_of(::bind(socket, reinterpret_cast<const sockaddr*>(&any), sizeof any));
}

// A question may go to any address, and its answer must come from that one.
int answer_from_anywhere(int socket, int family) {
    constexpr int kYes = 1;
    if (family == AF_INET)
        return errno_of(::setsockopt(socket, IPPROTO_IP, IP_PKTINFO, &kYes, sizeof kYes));
    if (::setsockopt(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO, &kYes, sizeof kYes) < 0) return errno;
    return errno_of(::setsockopt(socket, IPPROTO_IPV6, IPV6_FREEBIND, &kYes, sizeof kYes));
}

// Descriptors until they were sent; nothing allocates here.
struct Opened {
    int fds[kMostListeners];
    unsigned count = 0;

    int open(int family, int type, std::uint16_t port) {
        const int socket = ::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (socket < 0) return errno;
        fds[count++] = socket;
        if (const int err = bind_all(socket, family, port); err != 0) return err;
        if (type == SOCK_DGRAM) return answer_from_anywhere(socket, family);
        return errno_of(::listen(socket, kBacklog));
    }
};

int open_listeners(const EgressPorts& ports, Opened& opened) {
    const Fd v6{::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const int family = v6 ? AF_INET6 : AF_INET;
    if (const int err = opened.open(family, SOCK_DGRAM, kDns); err != 0) return err;
    if (const int err = opened.open(family, SOCK_STREAM, kDns); err != 0) return err;
    if (const int err = opened.open(family, SOCK_STREAM, kProxy); err != 0) return err;
    for (unsigned i = 0; i < ports.count; ++i)
        if (const int err = opened.open(family, SOCK_STREAM, ports.port[i]); err != 0) return err;
    return 0;
}

struct alignas(cmsghdr) Control {
    char bytes[CMSG_SPACE(kMostListeners * sizeof(int))] = {};
};

int hand_out(const Opened& opened) {
    SetupMessage text{SetupMessage::Kind::listeners, ipc::Step::network, 0};
    iovec part{&text, sizeof text};
    Control control;
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(opened.count * sizeof(int));
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(opened.count * sizeof(int));
    std::memcpy(CMSG_DATA(rights), opened.fds, opened.count * sizeof(int));
    return ::sendmsg(kSetupFd, &message, MSG_NOSIGNAL) == sizeof text ? 0 : errno;
}

int set_up_egress(const Order& order) {
    if (const int err = add_routes(); err != 0) return err;
    Opened opened;
    int err = open_listeners(order.equipment.egress_ports, opened);
    if (err == 0) err = hand_out(opened);
    // Not the script's: it could accept connections in the broker's place.
    for (unsigned i = 0; i < opened.count; ++i)
        (void)::close(opened.fds[i]);
    return err;
}

int show_host_resolver(const Order& order) {
    if (!order.equipment.host.resolver_folder) return 0;
    const int err = show_resolver(kResolverFd, order.equipment.host.resolver_name);
    (void)::close(kResolverFd);
    return err;
}

}  // namespace

bool parse_egress_ports(const char* text, EgressPorts& ports) {
    ports.count = 0;  // not the usual ones
    for (const char* at = text;;) {
        char* end = nullptr;
        const unsigned long port = *at >= '0' && *at <= '9' ? std::strtoul(at, &end, 10) : 0;
        if (port == 0 || port > 65'535 || port == kDns || port == kProxy) return false;
        if (ports.count == kMostEgressPorts) return false;
        for (unsigned i = 0; i < ports.count; ++i)
            if (ports.port[i] == port) return false;
        ports.port[ports.count++] = static_cast<std::uint16_t>(port);
        if (*end == '\0') return true;
        if (*end != ',') return false;
        at = end + 1;
    }
}

int set_up_network(const Order& order) {
    switch (order.request.kind.network) {
        case ipc::Network::host: return show_host_resolver(order);
        case ipc::Network::none: return raise_loopback();
        case ipc::Network::egress: {
            const int err = raise_loopback();
            return err != 0 ? err : set_up_egress(order);
        }
    }
    return EINVAL;
}

long receive_setup(int setup, SetupMessage& message, Listeners& listeners) {
    iovec part{&message, sizeof message};
    Control control;
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.bytes;
    header.msg_controllen = sizeof control.bytes;
    const ssize_t n = ::recvmsg(setup, &header, MSG_CMSG_CLOEXEC);
    if (n <= 0) return n;
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (listeners.count < kMostListeners)
                listeners.fds[listeners.count++].reset(fd);
            else
                (void)::close(fd);
        }
    }
    return n;
}

}  // namespace berth::launcher
