#include "sandbox/launcher/server.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "sandbox/launcher/build.h"

namespace berth::launcher {
namespace {

void warn(const char* what, int err) {
    std::fprintf(stderr, "berth-launcher: %s: %s\n", what, std::strerror(err));
}

// One packet with descriptors, as far as there are any.
bool send_with(int socket, const void* record, std::size_t bytes, const int* fds,
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
    // Blocks when the runner does not read: it is the only one that is served.
    return ::sendmsg(socket, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(bytes);
}

}  // namespace

int Server::run(Fd runner, Fd listener, uid_t runner_uid, const Fd& signals) {
    const bool only_one = static_cast<bool>(runner);
    runner_ = std::move(runner);
    if (runner_ && !greet()) return 1;
    for (;;) {
        if (only_one && !runner_) return 0;
        // A second runner waits in the backlog until the first is gone.
        pollfd watched[2] = {{signals.get(), POLLIN, 0},
                             {runner_ ? runner_.get() : listener.get(), POLLIN, 0}};
        if (::poll(watched, 2, -1) < 0) {
            if (errno == EINTR) continue;
            warn("waiting for requests", errno);
            return 1;
        }
        // First, so that a slot whose sandbox has just ended can be taken at once.
        if (watched[0].revents != 0 && !read_signals(signals)) return 0;
        if (watched[1].revents == 0) continue;
        if (!runner_)
            accept(listener, runner_uid);
        else if (!answer_one())
            runner_.reset();
    }
}

// False when this program was asked to end. Running sandboxes stay: they live by
// their status sockets.
bool Server::read_signals(const Fd& signals) {
    signalfd_siginfo info;
    while (::read(signals.get(), &info, sizeof info) == sizeof info) {
        if (info.ssi_signo != SIGCHLD) return false;
        reap();
    }
    return true;
}

void Server::reap() {
    for (pid_t pid; (pid = ::waitpid(-1, nullptr, WNOHANG)) > 0;)
        (void)slots_.reaped(pid);
}

void Server::accept(const Fd& listener, uid_t runner_uid) {
    Fd connected{::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    if (!connected) return warn("accepting a runner", errno);
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(connected.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return warn("asking who has connected", errno);
    if (peer.uid != runner_uid) {
        std::fprintf(stderr,
                     "berth-launcher: refused a connection of uid %u: only uid %u may build "
                     "sandboxes\n",
                     peer.uid, runner_uid);
        return;
    }
    runner_ = std::move(connected);
    if (!greet()) runner_.reset();
}

bool Server::greet() {
    ipc::Hello hello;
    hello.protections = equipment_.protections;
    hello.landlock_abi = static_cast<std::uint32_t>(equipment_.landlock_abi);
    hello.slots = slots_.count();
    hello.first_uid = slots_.uid_of(0);
    return send_with(runner_.get(), &hello, sizeof hello, nullptr, 0);
}

// False when the runner is gone, or sent what is no request.
bool Server::answer_one() {
    ipc::BuildRequest request;
    iovec part{&request, sizeof request};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;  // no room for descriptors: sent ones are closed by the kernel
    const ssize_t n = ::recvmsg(runner_.get(), &message, 0);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (n == 0) return false;
    if (n < 0) {
        warn("reading a request", errno);
        return false;
    }
    if (n != sizeof request || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        std::fprintf(stderr, "berth-launcher: the runner sent what is no request, closing\n");
        return false;
    }
    return hand_over(request);
}

bool Server::hand_over(const ipc::BuildRequest& request) {
    const Built built = build(request, equipment_, cgroups_, slots_);
    int fds[4 + kMostListeners] = {built.plan.get(), built.status.get(), built.pidfd.get(),
                                   built.cgroup.get()};
    const std::size_t before = 3 + built.reply.has_cgroup;
    for (unsigned i = 0; i < built.listeners.count; ++i)
        fds[before + i] = built.listeners.fds[i].get();
    if (send_with(runner_.get(), &built.reply, sizeof built.reply, fds,
                  built.reply.step != ipc::Step::none ? 0 : before + built.listeners.count))
        return true;
    warn("answering a request", errno);  // the sandbox ends with `built`
    return false;
}

}  // namespace berth::launcher
