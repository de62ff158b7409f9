// pid 2 of a sandbox: becomes an ordinary user without any right, waits for its plan
// and executes the script. After its filter is loaded it is as confined as the script.
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/fd.h"
#include "sandbox/launcher/capabilities.h"
#include "sandbox/launcher/delivery.h"
#include "sandbox/launcher/inside.h"
#include "sandbox/launcher/kernel.h"
#include "sandbox/launcher/landlock.h"
#include "sandbox/launcher/plain_line.h"
#include "sandbox/launcher/refusals.h"

namespace berth::launcher {
namespace {

using ipc::Step;

constexpr uid_t kScriptUid = 1000;
constexpr std::uint64_t kStackBytes = std::uint64_t{8} << 20;
constexpr std::uint64_t kLockedBytes = std::uint64_t{64} << 10;
constexpr std::uint64_t kPendingSignals = 1024;  // POSIX timers count as pending signals

int leave_session(const Order&) {
    if (::setsid() < 0) return errno;
    // An empty session keyring of its own. A kernel without keys has none to share.
    if (::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr, 0, 0, 0) < 0 && errno != ENOSYS)
        return errno;
    return 0;
}

int lock_bits(const Order&) { return lock_securebits(); }

// The securebits keep the capabilities over this; they go in the next step.
int become_script_user(const Order&) {
    if (::setresgid(kScriptUid, kScriptUid, kScriptUid) < 0) return errno;
    return errno_of(::setresuid(kScriptUid, kScriptUid, kScriptUid));
}

int drop_capabilities(const Order&) { return keep_only(0); }

int limit(decltype(RLIMIT_CORE) what, std::uint64_t value) {
    const rlimit asked{value, value};
    if (::setrlimit(what, &asked) == 0) return 0;
    if (errno != EPERM) return errno;
    rlimit now{};
    if (::getrlimit(what, &now) < 0) return errno;
    const rlim_t both = std::min<rlim_t>(value, now.rlim_max);  // raising it is not our right
    const rlimit wanted{both, both};
    return errno_of(::setrlimit(what, &wanted));
}

struct Limit {
    decltype(RLIMIT_CORE) what;
    std::uint64_t value;
};

int set_all(std::span<const Limit> all) {
    for (const Limit& one : all)
        if (const int err = limit(one.what, one.value); err != 0) return err;
    return 0;
}

// The same for every run.
int set_limits(const Order&) {
    constexpr Limit all[] = {
        {RLIMIT_CORE, 1},  // see settle() in main.cpp
        {RLIMIT_MEMLOCK, kLockedBytes},
        {RLIMIT_MSGQUEUE, 0},
        {RLIMIT_RTPRIO, 0},
        {RLIMIT_NICE, 0},
        {RLIMIT_SIGPENDING, kPendingSignals},
        {RLIMIT_STACK, kStackBytes},
    };
    return set_all(all);
}

// When it is known which run it is.
int set_run_limits(const Order& order, const ipc::SandboxLimits& limits) {
    const bool cgroup = (order.equipment.protections & ipc::protection_cgroup_memory) != 0;
    // One more where a cgroup has the same limit: it comes first, and counts its refusals.
    const bool counted = (order.equipment.protections & ipc::protection_cgroup_pids) != 0;
    const Limit all[] = {
        {RLIMIT_NOFILE, limits.open_files},
        {RLIMIT_NPROC, limits.processes + (counted ? 1 : 0)},
        {RLIMIT_FSIZE, limits.file_bytes},
        // Not RLIMIT_AS: runtimes with a JIT reserve far more than they use.
        {RLIMIT_DATA, cgroup ? RLIM_INFINITY : limits.memory_bytes},
    };
    return set_all(all);
}

int forbid_new_privileges(const Order&) {
    return errno_of(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

int restrict_files(const Order& order) {
    const int data = order.writable() != nullptr ? kWritableFd : -1;
    const int err = restrict_paths(order.equipment.landlock_abi, data);
    if (data >= 0) (void)::close(data);  // from a folder there is a way up
    return err;
}

// Comes last: from here on only what the script may do is possible.
int load_filter(const Order& order, int listener_socket) {
    const Filter& filter = order.filter();
    if (!filter.notifies) return filter.load();
    int listener = -1;
    if (const int err = filter.load_with_listener(listener); err != 0) return err;
    return send_listener(listener_socket, listener);
}

int leave_plan_unread(const Order&) { return look_without_reading(); }

// While there is time: a run that waits for its sandbox touches what it needs.
int touch_its_pages(const Order& order) { return order.request.id == 0 ? touch_pages() : 0; }

constexpr InsideStep kScriptSteps[] = {
    {Step::session, leave_session},
    {Step::securebits, lock_bits},
    {Step::identity, become_script_user},
    {Step::capabilities, drop_capabilities},
    {Step::rlimits, step_forward},
    {Step::rlimits, set_limits},
    {Step::no_new_privs, forbid_new_privileges},
    {Step::landlock, restrict_files},
    {Step::plan, leave_plan_unread},
    {Step::session, touch_its_pages},
};

}  // namespace

void run_script(const Order& order, int listener_socket) {
    (void)::close(kStatusFd);  // else the end of pid 1 would not end the socket
    if (order.filter().notifies) (void)::close(kListenerSocketFd);  // pid 1's end
    for (const InsideStep& step : kScriptSteps)
        if (const int err = step.run(order); err != 0) give_up(step.step, err);
    if (const int err = load_filter(order, listener_socket); err != 0) give_up(Step::seccomp, err);
    if (!tell({SetupMessage::Kind::script_ready, Step::none, 0})) ::_exit(1);
    (void)::close(kSetupFd);

    const Delivery delivery = receive_delivery();
    const Plan& plan = delivery.plan;
    if (const int err = set_run_limits(order, delivery.limits); err != 0)
        refuse(Step::rlimits, err);
    write_files(plan.files);
    for (int fd = 0; fd <= 2; ++fd)
        if (::dup2(delivery.streams[fd], fd) < 0) refuse(Step::standard_streams, errno);
    if (::chdir(plan.folder) < 0) refuse(Step::working_folder, errno);
    if (::close_range(static_cast<unsigned>(kPlanFd), ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        refuse(Step::close_descriptors, errno);

    ::umask(022);
    sigset_t none;
    ::sigemptyset(&none);
    if (::sigprocmask(SIG_SETMASK, &none, nullptr) < 0) refuse(Step::exec, errno);
    accept_delivery();
    execute_plain_line(plan);
    ::execve(plan.argv[0], plan.argv, plan.envp);
    refuse(Step::exec, errno);
}

}  // namespace berth::launcher
