#include "sandbox/launcher/packets.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace berth::launcher {

void warn(const char* what, int err) {
    std::fprintf(stderr, "berth-launcher: %s: %s\n", what, std::strerror(err));
}

bool send_packet(const Fd& socket, const void* record, std::size_t bytes, const int* fds,
                 std::size_t count) {
    constexpr std::size_t kMost = 4 + kMostListeners;
    alignas(cmsghdr) char control[CMSG_SPACE(kMost * sizeof(int))]{};
    iovec part{const_cast<void*>(record), bytes};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (count > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        cmsghdr* rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(count * sizeof(int));
        std::memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
    }
    if (::sendmsg(socket.get(), &message, MSG_NOSIGNAL) == static_cast<ssize_t>(bytes)) return true;
    warn("telling the runner", errno);
    return false;
}

bool send_sandbox(const Fd& socket, const ipc::Ready& reply, const Building::Result& built) {
    int fds[4 + kMostListeners] = {built.plan.get(), built.status.get(), built.pidfd.get(),
                                   built.cgroup.get()};
    std::size_t count = 3 + reply.has_cgroup;
    for (unsigned i = 0; i < built.listeners.count; ++i)
        fds[count++] = built.listeners.fds[i].get();
    return send_packet(socket, &reply, sizeof reply, fds, count);
}

}  // namespace berth::launcher
