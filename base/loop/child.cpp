#include "base/loop/child.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>

#include "base/error.h"
#include "base/pipe.h"

namespace berth {
namespace {

// First out of the way, then to their numbers: ours may lie where another one shall
// go, and dup2 of a descriptor onto itself leaves it close-on-exec.
// `moved` has room for as many.
const char* pass_descriptors(const std::vector<std::pair<int, int>>& fds, std::vector<int>& moved,
                             int above) {
    for (std::size_t i = 0; i < fds.size(); ++i)
        if ((moved[i] = ::fcntl(fds[i].first, F_DUPFD_CLOEXEC, above)) < 0)
            return "moving a descriptor";
    for (std::size_t i = 0; i < fds.size(); ++i)
        if (::dup2(moved[i], fds[i].second) < 0) return "passing a descriptor";
    return nullptr;
}

// All that the child does between fork and exec; only async-signal-safe calls,
// since other threads of the parent may have held a lock at the fork.
// Returns the step that failed; errno says why.
const char* become(const ChildOptions& options, int program, char* const* argv, char* const* env,
                   pid_t parent, std::vector<int>& moved, int above) {
    if (options.die_with_parent) {
        if (::prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) return "setting the parent-death signal";
        if (::getppid() != parent) ::_exit(0);  // it died before the line above
    }
    if (const char* step = pass_descriptors(options.fds, moved, above)) return step;
    if (options.drop_capabilities)
        for (int cap = 0; ::prctl(PR_CAPBSET_READ, cap) >= 0; ++cap)
            if (::prctl(PR_CAPBSET_DROP, cap) < 0 && errno != EPERM)
                return "dropping a capability from the bounding set";
    if (options.gid) {
        // EPERM is for a parent that is not root and keeps its own ids.
        if (::setgroups(options.groups.size(), options.groups.data()) < 0)
            return "setting the groups";
        if (::setresgid(*options.gid, *options.gid, *options.gid) < 0) return "setting the group";
    }
    if (options.uid && ::setresuid(*options.uid, *options.uid, *options.uid) < 0)
        return "setting the user";
    if (options.drop_capabilities) {
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        __user_cap_data_struct none[2]{};
        if (::syscall(SYS_capset, &header, none) < 0) return "dropping the capabilities";
        if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return "forbidding new privileges";
    }
    if (options.die_with_parent && ::prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)  // setresuid cleared it
        return "setting the parent-death signal";
    ::signal(SIGPIPE, SIG_DFL);  // we ignore it, and what is ignored stays so across exec
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execveat(program, "", argv, env, AT_EMPTY_PATH);
    return "executing the program";
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (const auto& text : texts)
        out.push_back(const_cast<char*>(text.c_str()));  // execve's type; it does not write
    out.push_back(nullptr);
    return out;
}

// The first number that no descriptor of the child's will have.
int above_all(const std::vector<std::pair<int, int>>& fds) {
    int above = 3;
    for (const auto& [ours, theirs] : fds)
        above = std::max(above, theirs + 1);
    return above;
}

struct ExecFailure {
    const char* step;  // the same address space layout before exec: the pointer is good
    int err;
};

}  // namespace

Child::Child(Loop& loop, const ChildOptions& options, std::function<void(int)> on_exit)
    : on_exit_{std::move(on_exit)} {
    const auto argv = pointers(options.argv);
    const auto env = pointers(options.env);
    // Opened by us: the child's user may not be allowed to walk to it.
    const Fd program{check(::open(options.argv.at(0).c_str(), O_PATH | O_CLOEXEC),
                           "starting '{}': opening the program", options.argv[0])};
    const int above = above_all(options.fds);
    std::vector<int> moved(options.fds.size());
    const Fd program_high{
        check(::fcntl(program.get(), F_DUPFD_CLOEXEC, above), "moving a descriptor")};
    Pipe report = make_pipe();
    // Neither descriptor may be one that dup2 in the child overwrites.
    Fd report_high{
        check(::fcntl(report.write.get(), F_DUPFD_CLOEXEC, above), "moving a descriptor")};
    report.write.reset();
    const pid_t parent = ::getpid();
    pid_ = check(::fork(), "forking for '{}'", options.argv.at(0));
    if (pid_ == 0) {
        const ExecFailure failure{
            become(options, program_high.get(), argv.data(), env.data(), parent, moved, above),
            errno};
        (void)!::write(report_high.get(), &failure, sizeof failure);
        ::_exit(127);
    }
    report_high.reset();
    pidfd_ = Fd{static_cast<int>(
        check(::syscall(SYS_pidfd_open, pid_, 0), "opening the pidfd of '{}'", options.argv[0]))};

    ExecFailure failure{};
    ssize_t n = 0;
    do {
        n = ::read(report.read.get(), &failure, sizeof failure);
    } while (n < 0 && errno == EINTR);
    if (n == static_cast<ssize_t>(sizeof failure)) {
        ::waitpid(pid_, nullptr, 0);
        ended_ = true;
        throw SystemError{failure.err,
                          fmt::format("starting '{}': {}", options.argv[0], failure.step)};
    }
    poll_.emplace(loop, pidfd_.get(), [this](int) { reap(); });
    poll_->want(Poll::readable);
}

Child::~Child() {
    if (ended_ || pid_ < 0) return;
    signal(SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

void Child::signal(int signo) noexcept {
    if (!ended_) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), signo, nullptr, 0);
}

void Child::reap() {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) != pid_) return;
    ended_ = true;
    poll_->want(0);
    // The callback may destroy this.
    const auto on_exit = std::move(on_exit_);
    on_exit(status);
}

}  // namespace berth
