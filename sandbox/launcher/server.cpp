#include "sandbox/launcher/server.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "sandbox/launcher/packets.h"
#include "sandbox/launcher/request.h"

namespace berth::launcher {
namespace {

using ipc::Step;

// What runs ask for when nothing is said; the first parked ones are built for it.
ipc::BuildRequest first_parked() {
    constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
    ipc::BuildRequest request;
    request.kind.network = ipc::Network::egress;
    std::strcpy(request.kind.runtime, "host");
    request.assignment.limits = {.memory_bytes = 256 * kMiB,
                                 .scratch_bytes = 512 * kMiB,
                                 .scratch_inodes = 65'536,
                                 .processes = 64,
                                 .open_files = 1024,
                                 .file_bytes = 512 * kMiB};
    return request;
}

}  // namespace

int Server::run(Fd runner, Fd listener, uid_t runner_uid, const Fd& signals) {
    const bool only_one = static_cast<bool>(runner);
    runner_ = std::move(runner);
    if (runner_ && !greet()) return 1;
    std::vector<pollfd> watched;
    manager_.ready("serving berth-runner");
    for (;;) {
        if (only_one && !runner_) return 0;
        // A second runner waits in the backlog until the first is gone.
        watched.assign(
            {{signals.get(), POLLIN, 0}, {runner_ ? runner_.get() : listener.get(), POLLIN, 0}});
        for (const auto& building : building_)
            watched.push_back({building->setup(), POLLIN, 0});
        if (::poll(watched.data(), watched.size(), manager_.keep_alive(wait_ms())) < 0) {
            if (errno == EINTR) continue;
            warn("waiting for requests", errno);
            return 1;
        }
        // First, so that a slot whose sandbox has just ended can be taken at once.
        if (watched[0].revents != 0 && !read_signals(signals)) return 0;
        if (!runner_) {
            if (watched[1].revents != 0) accept(listener, runner_uid);
            continue;
        }
        bool there = watched[1].revents == 0 || read_requests();
        there = there && advance_all(watched) && begin_waiting() && retire_expired();
        if (!there) {
            runner_gone();
            continue;
        }
        begin_parking();
    }
}

int Server::wait_ms() const {
    const std::int64_t now = now_ms();
    std::int64_t next = runner_ ? pool_.next_change_ms(parking(), now) : -1;
    for (const auto& building : building_)
        if (next < 0 || building->deadline_ms() < next) next = building->deadline_ms();
    if (!waiting_.empty() && full_since_ms_ >= 0) {
        const std::int64_t given_up = full_since_ms_ + kSlotWaitMs;
        if (given_up > now && (next < 0 || given_up < next)) next = given_up;
    }
    const int swept = workshop_.cgroups.sweep(now);
    int wait = next < 0 ? -1 : static_cast<int>(std::clamp<std::int64_t>(next - now, 0, 60'000));
    if (swept >= 0 && (wait < 0 || swept < wait)) wait = swept;
    return wait;
}

// False when this program was asked to end. Running sandboxes stay: they live by
// their status sockets. Parked ones end with it, complete ones when the runner sees that it
// is gone.
bool Server::read_signals(const Fd& signals) {
    signalfd_siginfo info;
    while (::read(signals.get(), &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGCHLD) {
            reap();
            continue;
        }
        if (info.ssi_signo != SIGHUP) return false;
        while (const auto name = pool_.retire_oldest(now_ms()))
            (void)retire(*name);  // a runner that is gone is noticed by reading
        (void)let_go_of_complete(workshop_.slots.count());
    }
    return true;
}

void Server::reap() {
    for (pid_t pid; (pid = ::waitpid(-1, nullptr, WNOHANG)) > 0;) {
        const auto slot = workshop_.slots.reaped(pid);
        if (!slot) continue;
        workshop_.cgroups.ended(*slot, now_ms());
        for (const auto& building : building_)
            if (building->slot() == *slot) building->ended();
        if (const auto serial = pool_.died(*slot); serial && runner_)
            (void)retire({*slot, *serial});
    }
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
    if (!greet()) runner_gone();
}

bool Server::greet() {
    ipc::Hello hello;
    hello.protections = workshop_.equipment.protections;
    hello.landlock_abi = static_cast<std::uint32_t>(workshop_.equipment.landlock_abi);
    hello.slots = workshop_.slots.count();
    hello.first_uid = workshop_.slots.uid_of(0);
    hello.pool_size = pool_.size();
    if (!send_record(runner_, hello)) return false;
    const ipc::BuildRequest first = first_parked();
    pool_.want(first.kind, first.assignment.limits);
    begin_parking();
    return true;
}

// Its parked sandboxes end with their sockets, those on their way are killed; running
// ones ended with its status sockets, or another runner has them.
void Server::runner_gone() {
    runner_.reset();
    waiting_.clear();
    building_.clear();
    pool_.clear();
}

// ---- requests

// All that there are, since a take waits for nothing that comes after.
bool Server::read_requests() {
    for (;;) {
        union {
            ipc::RecordHeader header;
            ipc::BuildRequest build;
            ipc::TakeRequest take;
            ipc::KillRequest kill;
        } request{};
        iovec part{&request, sizeof request};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;  // no room for descriptors: sent ones are closed by the kernel
        const ssize_t n = ::recvmsg(runner_.get(), &message, MSG_DONTWAIT);
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) return true;
        if (n == 0) return false;
        if (n < 0) {
            warn("reading a request", errno);
            return false;
        }
        const bool whole = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
        bool served = false;
        if (whole && n == sizeof request.build)
            served = serve(request.build);
        else if (whole && n == sizeof request.take)
            served = serve(request.take);
        else if (whole && n == sizeof request.kill)
            served = serve(request.kill);
        else
            std::fprintf(stderr, "berth-launcher: the runner sent what is no request, closing\n");
        if (!served) return false;
    }
}

bool Server::serve(const ipc::BuildRequest& request) {
    if (const int err = check_request(request, workshop_.equipment.allowed); err != 0)
        return refuse(request, {Step::request, err});
    if (request.id == 0) return refuse(request, {Step::request, EINVAL});  // is for parked ones
    if (std::strcmp(request.kind.runtime, "host") != 0)  // others come with imported runtimes
        return refuse(request, {Step::runtime, ENOENT});
    if (const Failed failed = workshop_.attacher.find(request.assignment.release);
        failed.step != Step::none)
        return refuse(request, failed);
    pool_.want(request.kind, request.assignment.limits);
    waiting_.push_back(request);
    return true;
}

bool Server::refuse(const ipc::BuildRequest& request, Failed failed) {
    ipc::Ready reply;
    reply.id = request.id;
    reply.step = failed.step;
    reply.err = failed.err;
    return send_record(runner_, reply);
}

bool Server::serve(const ipc::TakeRequest& request) {
    const int err = check_request(request);
    const Failed failed = err != 0 ? Failed{Step::request, err} : attach_taken(request);
    ipc::Attached answer;
    answer.step = failed.step;
    answer.err = failed.err;
    return send_record(runner_, answer);
}

bool Server::serve(const ipc::KillRequest& request) {
    if (const int err = check_request(request); err != 0) {
        warn("reading a request", err);
        return false;
    }
    if (workshop_.slots.kill(request.slot, request.serial, workshop_.equipment.host.proc.get()))
        workshop_.cgroups.kill(request.slot);
    return true;
}

Failed Server::attach_taken(const ipc::TakeRequest& request) {
    const auto taken = pool_.take(request.slot, request.serial, now_ms());
    if (!taken) return {Step::slot, ESRCH};
    pool_.want(taken->kind, request.assignment.limits);
    Failed failed = workshop_.attacher.attach(taken->mounts, taken->limits, request.assignment);
    const ipc::SandboxLimits& limits = request.assignment.limits;
    if (failed.step == Step::none && std::memcmp(&limits, &taken->limits, sizeof limits) != 0) {
        const int err = workshop_.cgroups.set_limits(taken->slot, limits);
        if (err != 0) failed = {Step::cgroup, err};
    }
    // Before pid 2 hears that it may go on, or why not: from then on it must outlive this
    // program.
    if (!Building::tell_taken(taken->lifeline)) failed = {Step::slot, errno};
    // A process that is gone executed nothing.
    if (!Building::tell_attached(taken->plan, failed)) failed = {Step::slot, errno};
    return failed;
}

}  // namespace berth::launcher
