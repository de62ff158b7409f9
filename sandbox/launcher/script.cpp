// pid 2 of a sandbox: becomes an ordinary user without any right, waits for its plan
// and executes the script. After its filter is loaded it is as confined as the script.
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
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
#include "sandbox/launcher/inside.h"
#include "sandbox/launcher/kernel.h"
#include "sandbox/launcher/landlock.h"
#include "sandbox/launcher/plan.h"
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

constexpr InsideStep kScriptSteps[] = {
    {Step::session, leave_session},
    {Step::securebits, lock_bits},
    {Step::identity, become_script_user},
    {Step::capabilities, drop_capabilities},
    {Step::rlimits, step_forward},
    {Step::rlimits, set_limits},
    {Step::no_new_privs, forbid_new_privileges},
    {Step::landlock, restrict_files},
};

[[noreturn]] void refuse(Step step, int err) {
    ipc::PlanFailed failed;
    failed.step = step;
    failed.err = err;
    (void)::send(kPlanFd, &failed, sizeof failed, MSG_NOSIGNAL);
    ::_exit(126);
}

// What came with the plan's packet. Whoever sent too few or too many is refused; the
// descriptors that came are closed with the process.
struct Delivery {
    ipc::PlanHeader header;
    int memory = -1;
    int streams[3] = {-1, -1, -1};
};

// The next packet on the plan socket: either a plan, or what the launcher says of the
// release. Both ends of it are trusted, and told apart by their records.
struct Letter {
    char bytes[sizeof(ipc::PlanHeader)] = {};
    std::size_t size = 0;
    int descriptors[4] = {-1, -1, -1, -1};
    bool complete = false;  // with its descriptors

    template <typename Record>
    bool read(Record& record) const {
        static_assert(sizeof record <= sizeof bytes);
        if (size != sizeof record) return false;
        std::memcpy(&record, bytes, sizeof record);
        return true;
    }
};

void receive(Letter& letter) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof letter.descriptors)];
    iovec part{letter.bytes, sizeof letter.bytes};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t n = ::recvmsg(kPlanFd, &message, MSG_CMSG_CLOEXEC);
    if (n == 0) ::_exit(0);  // nobody needs this sandbox
    if (n < 0) refuse(Step::plan, errno);
    letter.size = static_cast<std::size_t>(n);
    const cmsghdr* rights = CMSG_FIRSTHDR(&message);
    if (rights == nullptr || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return;
    letter.complete = rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS &&
                      rights->cmsg_len == CMSG_LEN(sizeof letter.descriptors);
    if (letter.complete)
        std::memcpy(letter.descriptors, CMSG_DATA(rights), sizeof letter.descriptors);
}

// The plan and the release come from two processes, in any order. Nothing is refused
// before both are read: bytes left in the socket would hide the reason from the runner.
Delivery receive_both() {
    Delivery delivery;
    ipc::Attached attached;
    bool has_plan = false;
    bool heard = false;
    while (!has_plan || !heard) {
        Letter letter;
        receive(letter);
        if (letter.read(attached)) {
            heard = true;
            continue;
        }
        if (has_plan || !letter.complete || !letter.read(delivery.header))
            refuse(Step::plan, EINVAL);
        delivery.memory = letter.descriptors[0];
        std::copy(letter.descriptors + 1, letter.descriptors + 4, delivery.streams);
        has_plan = true;
    }
    if (attached.step != Step::none) refuse(attached.step, attached.err);
    return delivery;
}

void* anonymous(std::size_t bytes) {
    void* memory =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) refuse(Step::plan, errno);
    return memory;
}

Plan read_plan(const Delivery& delivery) {
    // Sealed memory cannot change or shrink under the parser.
    constexpr int kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
    const int seals = ::fcntl(delivery.memory, F_GET_SEALS);
    if (seals < 0 || (seals & kSeals) != kSeals) refuse(Step::plan, EPERM);
    struct stat status {};
    if (::fstat(delivery.memory, &status) < 0) refuse(Step::plan, errno);
    const std::size_t count = plan_pointers(delivery.header);
    const auto bytes = static_cast<std::size_t>(status.st_size);
    if (count == 0 || bytes != delivery.header.bytes) refuse(Step::plan, EINVAL);

    void* memory = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, delivery.memory, 0);
    if (memory == MAP_FAILED) refuse(Step::plan, errno);
    auto** pointers = static_cast<char**>(anonymous(count * sizeof(char*)));
    Plan plan;
    if (const int err = parse_plan(delivery.header, {static_cast<char*>(memory), bytes},
                                   {pointers, count}, plan);
        err != 0)
        refuse(Step::plan, err);
    return plan;
}

int write_all(int fd, std::span<const char> content) {
    while (!content.empty()) {
        const ssize_t n = ::write(fd, content.data(), content.size());
        if (n < 0) return errno;
        content = content.subspan(static_cast<std::size_t>(n));
    }
    return 0;
}

int write_file(int work, const File& file) {
    char path[4096];
    const std::size_t length = std::strlen(file.name);
    if (length >= sizeof path) return ENAMETOOLONG;
    for (std::size_t i = 0; i < length; ++i) {
        if (file.name[i] == '/') {
            path[i] = '\0';
            if (::mkdirat(work, path, 0755) < 0 && errno != EEXIST) return errno;
        }
        path[i] = file.name[i];
    }
    path[length] = '\0';
    const Fd to{open_beneath(work, path, O_WRONLY | O_CREAT | O_EXCL, file.mode)};
    if (!to) return errno;
    return write_all(to.get(), file.content);
}

void write_files(std::span<char> files) {
    if (files.empty()) return;
    const Fd work{::open("/work", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!work) refuse(Step::plan_files, errno);
    for (File file; next_file(files, file);)
        if (const int err = write_file(work.get(), file); err != 0) refuse(Step::plan_files, err);
}

}  // namespace

void run_script(const Order& order, int listener_socket) {
    (void)::close(kStatusFd);  // else the end of pid 1 would not end the socket
    if (order.filter().notifies) (void)::close(kListenerSocketFd);  // pid 1's end
    for (const InsideStep& step : kScriptSteps)
        if (const int err = step.run(order); err != 0) give_up(step.step, err);
    if (const int err = load_filter(order, listener_socket); err != 0) give_up(Step::seccomp, err);
    if (!tell({SetupMessage::Kind::script_ready, Step::none, 0})) ::_exit(1);
    (void)::close(kSetupFd);

    const Delivery delivery = receive_both();
    const Plan plan = read_plan(delivery);
    if (const int err = set_run_limits(order, delivery.header.limits); err != 0)
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
    ::execve(plan.argv[0], plan.argv, plan.envp);
    refuse(Step::exec, errno);
}

}  // namespace berth::launcher
