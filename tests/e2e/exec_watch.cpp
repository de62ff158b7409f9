#include "tests/e2e/exec_watch.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdio>

#include "base/pipe.h"

namespace berth::test {
namespace {

constexpr long kOptions =
    PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;

long trace(int request, pid_t pid, long data = 0) {
    return ::ptrace(static_cast<__ptrace_request>(request), pid, nullptr, data);
}

void keep_arguments(pid_t pid, int kept) {
    std::array<char, 64> path{};
    std::snprintf(path.data(), path.size(), "/proc/%d/cmdline", pid);
    const int from = ::open(path.data(), O_RDONLY | O_CLOEXEC);
    std::array<char, 4096> part{};
    for (ssize_t n = 0; (n = ::read(from, part.data(), part.size())) > 0;)
        if (::write(kept, part.data(), static_cast<size_t>(n)) != n) ::_exit(1);
    ::close(from);
    if (::write(kept, "\n\0", 2) != 2) ::_exit(1);
}

// Lets everything go on as if nobody had looked.
void follow(pid_t pid, int status, int kept) {
    const int event = status >> 16;
    const int signo = WSTOPSIG(status);
    if (event == PTRACE_EVENT_EXEC) keep_arguments(pid, kept);
    const bool of_group = event == PTRACE_EVENT_STOP && signo != SIGTRAP;  // SIGSTOP and its like
    if (of_group)
        trace(PTRACE_LISTEN, pid);
    else
        trace(PTRACE_CONT, pid, event == 0 ? signo : 0);
}

// The tracer is a process of its own: it has no other children to wait for.
[[noreturn]] void trace_all(pid_t root, int kept, int ready) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (trace(PTRACE_SEIZE, root, kOptions) < 0) ::_exit(1);
    if (::write(ready, "r", 1) != 1) ::_exit(1);
    for (;;) {
        int status = 0;
        const pid_t pid = ::waitpid(-1, &status, __WALL);
        if (pid < 0 && errno != EINTR) ::_exit(0);  // all have ended
        if (pid > 0 && WIFSTOPPED(status)) follow(pid, status, kept);
    }
}

}  // namespace

ExecWatch::ExecWatch(pid_t root) : kept_{::memfd_create("arguments", MFD_CLOEXEC)} {
    REQUIRE(kept_);
    Pipe ready = make_pipe();
    tracer_ = ::fork();
    REQUIRE(tracer_ >= 0);
    if (tracer_ == 0) trace_all(root, kept_.get(), ready.write.get());
    ready.write.reset();
    char byte = 0;
    REQUIRE(::read(ready.read.get(), &byte, 1) == 1);
}

// Whoever is traced goes on without it.
ExecWatch::~ExecWatch() {
    ::kill(tracer_, SIGKILL);
    ::waitpid(tracer_, nullptr, 0);
}

ExecWatch::Seen ExecWatch::seen() const {
    Seen all;
    std::array<char, 4096> part{};
    for (ssize_t n = 0; (n = ::pread(kept_.get(), part.data(), part.size(),
                                     static_cast<off_t>(all.arguments.size()))) > 0;)
        all.arguments.append(part.data(), static_cast<std::size_t>(n));
    for (auto at = all.arguments.find(std::string{"\n\0", 2}); at != std::string::npos;
         at = all.arguments.find(std::string{"\n\0", 2}, at + 1))
        ++all.programs;
    return all;
}

}  // namespace berth::test
