#include "sandbox/launcher/build.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "sandbox/launcher/kernel.h"

namespace berth::launcher {
namespace {

using ipc::Step;
using Kind = SetupMessage::Kind;

constexpr std::int64_t kReadyTimeMs = 20'000;  // for one answer of a sandbox being built
constexpr const char* kOomScore = "500";       // a script goes before any daemon

int make_pair(Fd& ours, Fd& theirs) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return errno;
    ours.reset(ends[0]);
    theirs.reset(ends[1]);
    return 0;
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

bool send_setup(const Fd& setup, Kind kind) {
    const SetupMessage message{kind, Step::none, 0};
    return ::send(setup.get(), &message, sizeof message, MSG_NOSIGNAL) == sizeof message;
}

}  // namespace

Building::~Building() {
    if (!handed_over_ && pidfd_) (void)pidfd_kill(pidfd_.get(), SIGKILL);
}

Failed Building::begin(Workshop& workshop, unsigned slot, std::int64_t now_ms) {
    slot_ = slot;
    began_us_ = now_us();
    deadline_ms_ = now_ms + kReadyTimeMs;
    Fd clone_into;
    if (const int err = workshop.cgroups.prepare(slot, request_.assignment.limits, clone_into);
        err != 0)
        return {Step::cgroup, err};
    const Failed failed = clone_init(workshop, clone_into);
    if (failed.step == Step::none)
        workshop.slots.set_pid(slot, pid_);
    else
        (void)workshop.cgroups.remove(slot);  // retried when the slot is used again
    return failed;
}

// The new process makes all other namespaces itself: a new network blocks its maker for
// most of a millisecond.
Failed Building::clone_init(const Workshop& workshop, const Fd& clone_into) {
    Fd plan;
    Fd status;
    Fd setup;
    for (const auto& [ours, theirs] :
         {std::pair{&plan_, &plan}, std::pair{&status_, &status}, std::pair{&setup_, &setup}})
        if (const int err = make_pair(*ours, *theirs); err != 0) return {Step::sockets, err};
    const Order order{
        request_,   workshop.equipment, workshop.cgroups, slot_, workshop.slots.uid_of(slot_),
        plan.get(), status.get(),       setup.get()};
    int made = -1;
    clone_args args{};
    args.flags = CLONE_NEWPID | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
    args.pidfd = reinterpret_cast<std::uintptr_t>(&made);
    args.exit_signal = SIGCHLD;
    if (clone_into) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = static_cast<unsigned>(clone_into.get());
    }
    pid_ = clone3(args);
    if (pid_ == 0) run_init(order);
    if (pid_ < 0) return {Step::clone, errno};
    pidfd_.reset(made);
    return {};  // their ends close here, else the end of a sandbox would never be seen
}

Building::Stage Building::advance(const Workshop& workshop, std::int64_t now_ms) {
    SetupMessage message;
    Listeners received;
    const long n = receive_setup(setup_.get(), message, received);
    if (n < 0 && errno == EINTR) return Stage::working;
    if (ended_ && n == sizeof message && message.kind != Kind::failed) return Stage::working;
    failure_ = n == sizeof message ? answer(message, received, workshop) : Failed{silent_, ECHILD};
    if (failure_.step != Step::none) return Stage::failed;
    deadline_ms_ = now_ms + kReadyTimeMs;
    return init_ready_ && script_ready_ ? Stage::ready : Stage::working;
}

Building::Stage Building::give_up() {
    failure_ = {silent_, ETIMEDOUT};
    return Stage::failed;
}

Failed Building::answer(const SetupMessage& message, Listeners& received,
                        const Workshop& workshop) {
    switch (message.kind) {
        case Kind::failed: return {message.step, message.err};
        case Kind::listeners: listeners_ = std::move(received); return {};
        case Kind::init_ready: init_ready_ = true; return {};
        case Kind::script_ready: script_ready_ = true; return {};
        case Kind::want_maps: break;
        case Kind::maps_written:
        case Kind::taken: return {Step::id_maps, EPROTO};
    }
    silent_ = Step::ready;
    mounts_ = std::move(received.fds[0]);
    if (!mounts_) return {Step::release, EPROTO};
    const Failed mapped =
        write_maps(workshop.equipment.host.proc, pid_, workshop.slots.uid_of(slot_));
    if (mapped.step != Step::none) return mapped;
    if (!send_setup(setup_, Kind::maps_written)) return {Step::id_maps, errno};
    if (parks()) return {};
    // While it goes on building.
    const ipc::Assignment& assignment = request_.assignment;
    if (const WritableFolder* data = workshop.equipment.allowed.folder(assignment.writable);
        data != nullptr) {
        const Failed failed =
            workshop.attacher.attach_data(mounts_, *data, workshop.slots.uid_of(slot_) + 1);
        if (failed.step != Step::none) return failed;
    }
    const Failed attached = workshop.attacher.attach(mounts_, assignment.limits, assignment);
    if (attached.step == Step::none && !tell_attached(plan_, {})) return {Step::ready, errno};
    return attached;
}

bool Building::tell_taken(const Fd& lifeline) { return send_setup(lifeline, Kind::taken); }

bool Building::tell_attached(const Fd& plan, const Failed& failed) {
    ipc::Attached attached;
    attached.step = failed.step;
    attached.err = failed.err;
    return ::send(plan.get(), &attached, sizeof attached, MSG_NOSIGNAL) == sizeof attached;
}

Building::Result Building::hand_over(const Workshop& workshop) {
    handed_over_ = true;
    return {std::move(plan_),     std::move(status_),
            std::move(pidfd_),    workshop.cgroups.open_leaf(slot_),
            std::move(setup_),    std::move(mounts_),
            std::move(listeners_)};
}

ipc::Ready Building::reply(const Workshop& workshop, const Result& result,
                           std::int64_t now_us) const {
    ipc::Ready reply;
    reply.id = request_.id;
    reply.kind = request_.kind;
    reply.slot = slot_;
    reply.protections = workshop.equipment.protections;
    reply.uid = workshop.slots.uid_of(slot_) + 1;
    reply.has_cgroup = result.cgroup ? 1 : 0;
    reply.listeners = result.listeners.count;
    reply.build_us = static_cast<std::uint32_t>(now_us - began_us_);
    return reply;
}

std::int64_t now_us() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

}  // namespace berth::launcher
