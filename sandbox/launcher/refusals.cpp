#include "sandbox/launcher/refusals.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "sandbox/launcher/kernel.h"

namespace berth::launcher {

bool can_listen_to_filter() noexcept {
    seccomp_notif_sizes sizes{};
    if (::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0) return false;
    if (sizes.seccomp_notif > sizeof(seccomp_notif) ||
        sizes.seccomp_notif_resp > sizeof(seccomp_notif_resp))
        return false;  // a kernel that would write more than we have room for
    const pid_t pid = ::fork();
    if (pid == 0) {
        sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
        const sock_fprog program{1, allow};
        const bool loaded = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                            ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                      SECCOMP_FILTER_FLAG_NEW_LISTENER, &program) >= 0;
        ::_exit(loaded ? 0 : 1);
    }
    int status = 0;
    return pid > 0 && ::waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

int make_listener_socket(int& child_end) noexcept {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return errno;
    // Out of the way, since one of the two may have that very number.
    const int child = ::fcntl(ends[1], F_DUPFD_CLOEXEC, kListenerSocketFd + 1);
    if (child < 0) return errno;
    (void)::close(ends[1]);
    if (ends[0] != kListenerSocketFd) {
        if (::dup3(ends[0], kListenerSocketFd, O_CLOEXEC) < 0) return errno;
        (void)::close(ends[0]);
    }
    child_end = child;
    return 0;
}

int send_listener(int child_end, int listener) noexcept {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof listener)]{};
    char byte = 0;
    iovec part{&byte, 1};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof listener);
    std::memcpy(CMSG_DATA(rights), &listener, sizeof listener);
    const int err = ::sendmsg(child_end, &message, MSG_NOSIGNAL) == 1 ? 0 : errno;
    (void)::close(listener);
    (void)::close(child_end);
    return err;
}

void Refusals::ready(short events) noexcept {
    if ((events & POLLIN) != 0) return listener_ >= 0 ? answer() : receive();
    // Nobody is left who has the filter, or pid 2 has failed.
    if (listener_ >= 0) (void)::close(listener_);
    listener_ = -1;
    socket_ = -1;
}

void Refusals::receive() noexcept {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof listener_)];
    char byte = 0;
    iovec part{&byte, 1};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t n = ::recvmsg(socket_, &message, MSG_CMSG_CLOEXEC);
    const cmsghdr* rights = n == 1 ? CMSG_FIRSTHDR(&message) : nullptr;
    if (rights != nullptr && rights->cmsg_type == SCM_RIGHTS)
        std::memcpy(&listener_, CMSG_DATA(rights), sizeof listener_);
    (void)::close(socket_);
    socket_ = -1;
}

void Refusals::answer() noexcept {
    seccomp_notif call{};  // the kernel wants it zeroed
    if (::ioctl(listener_, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0) return;  // it was killed
    remember(call.data.nr);
    seccomp_notif_resp response{};
    response.id = call.id;
    response.error = -EPERM;
    (void)::ioctl(listener_, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

void Refusals::remember(int number) noexcept {
    const auto wanted = static_cast<std::uint16_t>(number);
    for (unsigned i = 0; i < count_; ++i)
        if (numbers_[i] == wanted) return;
    if (count_ < kMost) numbers_[count_++] = wanted;
}

void Refusals::write_to(ipc::EndReport& report) const noexcept {
    report.refused_count = count_;
    std::memcpy(report.refused, numbers_, sizeof report.refused);
}

}  // namespace berth::launcher
