#include "sandbox/launcher/build.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "sandbox/launcher/kernel.h"

namespace berth::launcher {
namespace {

using ipc::Step;
using Kind = SetupMessage::Kind;

constexpr int kReadyTimeMs = 20'000;      // for one answer of a sandbox being built
constexpr const char* kOomScore = "500";  // a script goes before any daemon

struct Pair {
    Fd ours;
    Fd theirs;
};

int make_pair(Pair& pair) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return errno;
    pair.ours.reset(ends[0]);
    pair.theirs.reset(ends[1]);
    return 0;
}

// A single path component, ended within its field.
template <std::size_t N>
bool is_component(const char (&name)[N]) {
    const void* end = std::memchr(name, '\0', N);
    if (end == nullptr || name[0] == '\0') return false;
    if (std::strchr(name, '/') != nullptr) return false;
    return std::strcmp(name, ".") != 0 && std::strcmp(name, "..") != 0;
}

bool within(std::uint64_t value, std::uint64_t least, std::uint64_t most) {
    return value >= least && value <= most;
}

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

bool limits_make_sense(const ipc::SandboxLimits& limits) {
    return within(limits.memory_bytes, 4 * kMiB, kMiB * kMiB) &&
           within(limits.scratch_bytes, 64 << 10, kMiB * kMiB) &&
           within(limits.scratch_inodes, 16, 100'000'000) && within(limits.processes, 1, 100'000) &&
           within(limits.open_files, 8, 1 << 20) && within(limits.file_bytes, 4096, kMiB * kMiB) &&
           within(limits.cpu_percent, 0, 100'000);
}

int write_beneath(int folder, const char* path, const char* value) {
    const Fd file{::openat(folder, path, O_WRONLY | O_CLOEXEC)};
    if (!file) return errno;
    const std::size_t size = std::strlen(value);
    return ::write(file.get(), value, size) == static_cast<ssize_t>(size) ? 0 : errno;
}

// root inside is `uid`, the script's user the next one; nothing else has a name inside.
Failed write_maps(const Fd& proc, pid_t pid, uid_t uid) {
    char map[64];
    char path[48];
    const auto write_to = [&](const char* name, const char* value) {
        std::snprintf(path, sizeof path, "%d/%s", pid, name);
        return write_beneath(proc.get(), path, value);
    };
    std::snprintf(map, sizeof map, "0 %u 1\n1000 %u 1\n", uid, uid + 1);
    if (const int err = write_to("uid_map", map); err != 0) return {Step::id_maps, err};
    if (const int err = write_to("setgroups", "deny"); err != 0) return {Step::id_maps, err};
    if (const int err = write_to("gid_map", map); err != 0) return {Step::id_maps, err};
    if (const int err = write_to("oom_score_adj", kOomScore); err != 0) return {Step::rlimits, err};
    return {};
}

// Answers the sandbox's processes until both are ready, or one has failed.
Failed guide(const Fd& setup, const Fd& proc, pid_t pid, uid_t uid, Listeners& listeners) {
    bool init_ready = false;
    bool script_ready = false;
    Step silent = Step::close_descriptors;  // what it means when nothing more is heard
    while (!init_ready || !script_ready) {
        pollfd watched{setup.get(), POLLIN, 0};
        const int ready = ::poll(&watched, 1, kReadyTimeMs);
        if (ready == 0) return {silent, ETIMEDOUT};
        if (ready < 0) return {silent, errno};
        SetupMessage message;
        const long n = receive_setup(setup.get(), message, listeners);
        if (n != sizeof message) return {silent, ECHILD};
        switch (message.kind) {
            case Kind::listeners: break;
            case Kind::failed: return {message.step, message.err};
            case Kind::init_ready: init_ready = true; break;
            case Kind::script_ready: script_ready = true; break;
            case Kind::want_maps: {
                silent = Step::ready;
                if (const Failed failed = write_maps(proc, pid, uid); failed.err != 0)
                    return failed;
                const SetupMessage written{Kind::maps_written, Step::none, 0};
                if (::send(setup.get(), &written, sizeof written, MSG_NOSIGNAL) < 0)
                    return {Step::id_maps, errno};
                break;
            }
            case Kind::maps_written: return {Step::id_maps, EPROTO};
        }
    }
    return {};
}

struct Sockets {
    Pair plan;
    Pair status;
    Pair setup;
};

pid_t clone_init(const Order& order, const Fd& clone_into, Fd& pidfd) {
    int made = -1;
    clone_args args{};
    args.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
                 CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
    if (order.request.kind.network != ipc::Network::host) args.flags |= CLONE_NEWNET;
    args.pidfd = reinterpret_cast<std::uintptr_t>(&made);
    args.exit_signal = SIGCHLD;
    if (clone_into) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = static_cast<unsigned>(clone_into.get());
    }
    const pid_t pid = clone3(args);
    if (pid == 0) run_init(order);
    if (pid > 0) pidfd.reset(made);
    return pid;
}

// What fails here leaves nothing behind but a slot, which the caller gives back.
Failed stand_up(const ipc::BuildRequest& request, const Equipment& equipment,
                Cgroups& cgroups, unsigned slot, Slots& slots, Built& built) {
    Fd clone_into;
    if (const int err = cgroups.prepare(slot, request.assignment.limits, clone_into); err != 0)
        return {Step::cgroup, err};
    Sockets sockets;
    for (Pair* pair : {&sockets.plan, &sockets.status, &sockets.setup})
        if (const int err = make_pair(*pair); err != 0) return {Step::sockets, err};

    const uid_t uid = slots.uid_of(slot);
    const Order order{request,
                      equipment,
                      cgroups,
                      slot,
                      uid,
                      sockets.plan.theirs.get(),
                      sockets.status.theirs.get(),
                      sockets.setup.theirs.get()};
    const pid_t pid = clone_init(order, clone_into, built.pidfd);
    if (pid < 0) return {Step::clone, errno};
    slots.set_pid(slot, pid);
    for (Pair* pair : {&sockets.plan, &sockets.status, &sockets.setup})
        pair->theirs.reset();  // else its end would never be seen

    const Failed failed = guide(sockets.setup.ours, equipment.host.proc, pid, uid, built.listeners);
    if (failed.step != Step::none) {
        (void)pidfd_kill(built.pidfd.get(), SIGKILL);
        (void)::waitpid(pid, nullptr, 0);
        return failed;
    }
    built.cgroup = cgroups.open_leaf(slot);
    built.plan = std::move(sockets.plan.ours);
    built.status = std::move(sockets.status.ours);
    return {};
}

Built failed_build(std::uint64_t id, Failed failed) {
    Built built;
    built.reply.id = id;
    built.reply.step = failed.step;
    built.reply.err = failed.err;
    return built;
}

}  // namespace

int check_request(const ipc::BuildRequest& request, std::uint32_t allowed_grants) {
    const ipc::BuildRequest expected;
    if (std::memcmp(&request.header, &expected.header, sizeof expected.header) != 0) return EPROTO;
    if (!is_component(request.assignment.release) || !is_component(request.kind.runtime)) return EINVAL;
    if ((request.kind.grants & ~allowed_grants) != 0) return EPERM;
    if (request.kind.network > ipc::Network::egress) return EINVAL;
    if (request.kind.network == ipc::Network::host && (request.kind.grants & ipc::grant_host_network) == 0)
        return EPERM;
    return limits_make_sense(request.assignment.limits) ? 0 : ERANGE;
}

Built build(const ipc::BuildRequest& request, const Equipment& equipment, Cgroups& cgroups,
            Slots& slots) {
    if (const int err = check_request(request, equipment.allowed_grants); err != 0)
        return failed_build(request.id, {Step::request, err});
    if (std::strcmp(request.kind.runtime, "host") != 0)  // others come with imported runtimes
        return failed_build(request.id, {Step::runtime, ENOENT});
    if (slots.has_survivors()) {
        if (const int err = slots.find_survivors(equipment.host.proc.get()); err != 0)
            return failed_build(request.id, {Step::slot, err});
    }
    const auto slot = slots.take();
    if (!slot) return failed_build(request.id, {Step::slot, EAGAIN});

    Built built;
    const Failed failed = stand_up(request, equipment, cgroups, *slot, slots, built);
    if (failed.step != Step::none) {
        slots.give_back(*slot);
        (void)cgroups.remove(*slot);  // retried when it is used again
        return failed_build(request.id, failed);
    }
    built.reply.id = request.id;
    built.reply.protections = equipment.protections;
    built.reply.uid = slots.uid_of(*slot) + 1;
    built.reply.has_cgroup = built.cgroup ? 1 : 0;
    built.reply.listeners = built.listeners.count;
    return built;
}

}  // namespace berth::launcher
