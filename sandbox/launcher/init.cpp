// pid 1 of a sandbox. It is forked from the launcher with the launcher's rights,
// mounts and configures with them, and only then enters the user namespace: so the
// other namespaces belong to the host's, and whatever the script could become inside
// has no say over mounts, network or host name.
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>

#include "base/fd.h"
#include "sandbox/launcher/capabilities.h"
#include "sandbox/launcher/inside.h"
#include "sandbox/launcher/kernel.h"
#include "sandbox/launcher/network.h"
#include "sandbox/launcher/refusals.h"
#include "sandbox/launcher/sandbox_mounts.h"
#include "sandbox/launcher/watch.h"

namespace berth::launcher {
namespace {

using ipc::Step;

constexpr int kNiceLimitOfZero = 20;
constexpr int kBackgroundNice = 10;

// Before the descriptors are moved, so that a failure is told on the socket as it came.
[[noreturn]] void give_up_early(const Order& order, Step step, int err) {
    const SetupMessage message{SetupMessage::Kind::failed, step, err};
    (void)::send(order.setup, &message, sizeof message, MSG_NOSIGNAL);
    ::_exit(1);
}

int enter_cgroup(const Order& order) {
    const int err = order.cgroups.enter(order.slot, order.request.assignment.limits);
    if (err != 0) give_up_early(order, Step::cgroup, err);
    // Only now, so that what it has entered is the root that it sees.
    if (::unshare(CLONE_NEWCGROUP) < 0) give_up_early(order, Step::cgroup, errno);
    return 0;
}

// A clone without exec ignores close-on-exec: without this, every sandbox would hold
// the sockets of all others. Fails in silence, since the setup socket is not yet where
// give_up() looks for it; the launcher knows what it means to hear nothing at all.
int close_descriptors(const Order& order) {
    constexpr int kAboveAll = 16;
    const WritableFolder* writable = order.writable();
    const bool resolver = order.request.kind.network == ipc::Network::host;
    struct Kept {
        int from;  // -1: it has none
        int to;
    };
    Kept kept[] = {{order.plan, kPlanFd},
                   {order.status, kStatusFd},
                   {order.setup, kSetupFd},
                   {resolver ? order.equipment.host.resolver_folder.get() : -1, kResolverFd},
                   {writable != nullptr ? writable->folder.get() : -1, kWritableFd}};
    for (Kept& one : kept)
        if (one.from >= 0 && (one.from = ::fcntl(one.from, F_DUPFD_CLOEXEC, kAboveAll)) < 0)
            ::_exit(1);
    int first_unused = kPlanFd;
    for (const Kept& one : kept) {
        if (one.from < 0) continue;
        // What lies between is somebody else's.
        if (one.to > first_unused && ::close_range(static_cast<unsigned>(first_unused),
                                                   static_cast<unsigned>(one.to - 1), 0) < 0)
            ::_exit(1);
        if (::dup3(one.from, one.to, O_CLOEXEC) < 0) ::_exit(1);
        first_unused = one.to + 1;
    }
    if (::close_range(static_cast<unsigned>(first_unused), ~0U, 0) < 0) return errno;

    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) return errno;
    for (int fd = 0; fd <= 2; ++fd)
        if (::dup2(null, fd) < 0) return errno;
    return errno_of(::close(null));
}

// A clone has all that the launcher has in its memory. It has read no secret, but it was
// told of folders.
int forget_command_line(const Order& order) {
    const std::span<char> words = order.equipment.command_line;
    std::memset(words.data(), 0, words.size());
    return 0;
}

// Until the sandbox stands; from then on it lives by its status socket, and by the setup
// socket while no run has it.
int die_with_launcher(const Order&) { return errno_of(::prctl(PR_SET_PDEATHSIG, SIGKILL)); }

// In here, since a new network blocks its maker for most of a millisecond. The cgroup
// namespace comes with the cgroup.
int make_namespaces(const Order& order) {
    const bool own_network = order.request.kind.network != ipc::Network::host;
    return errno_of(
        ::unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | (own_network ? CLONE_NEWNET : 0)));
}

int mount_own_proc(const Order& order) {
    return mount_proc((order.equipment.protections & ipc::protection_strict) != 0);
}

int mount_the_scratch(const Order& order) {
    return mount_scratch(order.request.assignment.limits, order.uid + 1);
}

int set_host_name(const Order&) { return errno_of(::sethostname("berth", 5)); }

int enter_user_namespace(const Order&) {
    if (::setgroups(0, nullptr) < 0) return errno;
    return errno_of(::unshare(CLONE_NEWUSER));
}

// Maps of two users can only be written from outside.
int await_id_maps(const Order&) {
    // The launcher attaches the release there. It cannot open this by itself: that would
    // take the right to trace.
    const Fd mounts{::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC)};
    if (!mounts) return errno;
    if (!tell_with({SetupMessage::Kind::want_maps, Step::id_maps, 0}, mounts.get())) return errno;
    SetupMessage answer;
    const ssize_t n = ::recv(kSetupFd, &answer, sizeof answer, 0);
    if (n < 0) return errno;
    if (n != sizeof answer || answer.kind != SetupMessage::Kind::maps_written) return EPIPE;
    return answer.err;
}

int become_root_inside(const Order&) {
    if (::setresgid(0, 0, 0) < 0) return errno;
    return errno_of(::setresuid(0, 0, 0));
}

// Once for pid 1 and for pid 2, which inherits it.
int empty_bounding_set(const Order&) { return drop_bounding_set(); }

constexpr InsideStep kBuildSteps[] = {
    {Step::cgroup, enter_cgroup},
    {Step::close_descriptors, close_descriptors},
    {Step::close_descriptors, forget_command_line},
    {Step::parent_death, die_with_launcher},
    {Step::rlimits, step_back},
    {Step::clone, make_namespaces},
    {Step::proc, mount_own_proc},
    {Step::scratch, mount_the_scratch},
    {Step::network, set_up_network},
    {Step::hostname, set_host_name},
    {Step::user_namespace, enter_user_namespace},
    {Step::id_maps, await_id_maps},
    {Step::identity, become_root_inside},
    {Step::parent_death, die_with_launcher},  // changing the uid has cleared it
    {Step::capabilities, empty_bounding_set},
};

int hide_from_script(const Order&) { return errno_of(::prctl(PR_SET_DUMPABLE, 0)); }

// The script has another uid, so passing a signal on takes this one right.
int keep_only_kill(const Order&) { return keep_only(std::uint64_t{1} << CAP_KILL); }

int lock_bits(const Order&) { return lock_securebits(); }

int forbid_new_privileges(const Order&) {
    return errno_of(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

int live_by_status_socket(const Order&) { return errno_of(::prctl(PR_SET_PDEATHSIG, 0)); }

int load_init_filter(const Order& order) { return order.equipment.init_filter.load(); }

// After pid 2 was forked, so that it does not inherit the filter. Bits are locked
// before the right to lock them goes.
constexpr InsideStep kInitSteps[] = {
    {Step::securebits, lock_bits},
    {Step::capabilities, keep_only_kill},
    {Step::no_new_privs, forbid_new_privileges},
    {Step::session, hide_from_script},
    {Step::rlimits, step_forward},
    {Step::parent_death, live_by_status_socket},
    {Step::seccomp, load_init_filter},
};

void run_steps(const Order& order, std::span<const InsideStep> steps) {
    for (const InsideStep& step : steps)
        if (const int err = step.run(order); err != 0) give_up(step.step, err);
}

}  // namespace

const Filter& Order::filter() const {
    const SyscallSet* set = equipment.allowed.set(request.kind.syscalls);
    return set != nullptr ? set->filter : equipment.script_filter;
}

const WritableFolder* Order::writable() const {
    return equipment.allowed.folder(request.assignment.writable);
}

bool tell(const SetupMessage& message) noexcept {
    return ::send(kSetupFd, &message, sizeof message, MSG_NOSIGNAL) == sizeof message;
}

bool tell_with(const SetupMessage& message, int descriptor) noexcept {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof descriptor)]{};
    iovec part{const_cast<SetupMessage*>(&message), sizeof message};
    msghdr packet{};
    packet.msg_iov = &part;
    packet.msg_iovlen = 1;
    packet.msg_control = control;
    packet.msg_controllen = sizeof control;
    cmsghdr* rights = CMSG_FIRSTHDR(&packet);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof descriptor);
    std::memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
    return ::sendmsg(kSetupFd, &packet, MSG_NOSIGNAL) == sizeof message;
}

// Only where the way back is open (RLIMIT_NICE counts downwards from 20).
int step_back(const Order& order) noexcept {
    if (order.request.id != 0) return 0;
    rlimit allowed{};
    if (::getrlimit(RLIMIT_NICE, &allowed) < 0) return errno;
    const int priority = order.equipment.priority;
    if (allowed.rlim_cur < static_cast<rlim_t>(kNiceLimitOfZero - priority)) return 0;
    return errno_of(::setpriority(PRIO_PROCESS, 0, priority + kBackgroundNice));
}

int step_forward(const Order& order) noexcept {
    if (order.request.id != 0) return 0;
    return errno_of(::setpriority(PRIO_PROCESS, 0, order.equipment.priority));
}

void give_up(Step step, int err) noexcept {
    (void)tell({SetupMessage::Kind::failed, step, err});  // silence is taken for failure too
    ::_exit(1);
}

void run_init(const Order& order) {
    run_steps(order, kBuildSteps);

    sigset_t child;
    ::sigemptyset(&child);
    ::sigaddset(&child, SIGCHLD);
    int listener_socket = -1;  // the script's end
    if (order.filter().notifies)
        if (const int err = make_listener_socket(listener_socket); err != 0)
            give_up(Step::sockets, err);
    const pid_t script = ::fork();
    if (script < 0) give_up(Step::fork, errno);
    if (script == 0) run_script(order, listener_socket);
    (void)::close(listener_socket);
    if (order.writable() != nullptr) (void)::close(kWritableFd);  // pid 2's to use

    // All signals stay blocked here: none has a handler, and SIGCHLD is read.
    (void)::close(kPlanFd);  // else the end of pid 2 would not end the socket
    const int child_signals = ::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (child_signals < 0) give_up(Step::fork, errno);
    run_steps(order, kInitSteps);
    if (!tell({SetupMessage::Kind::init_ready, Step::none, 0})) ::_exit(1);
    watch(child_signals, script, order.filter().notifies);
}

}  // namespace berth::launcher
