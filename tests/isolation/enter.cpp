#include "tests/isolation/enter.h"

#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "base/error.h"
#include "base/pipe.h"

namespace berth::isolation {
namespace {

constexpr int kAllButUser =
    CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

// Says which step failed by its exit status.
[[noreturn]] void enter(int pidfd, char* const* argv) {
    if (::setns(pidfd, kAllButUser) < 0) ::_exit(121);
    if (::setns(pidfd, CLONE_NEWUSER) < 0) ::_exit(122);
    const pid_t pid = ::fork();  // only a child is in the pid namespace
    if (pid != 0) {
        int status = 0;
        ::waitpid(pid, &status, 0);
        ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 123);
    }
    if (::setresgid(0, 0, 0) < 0 || ::setresuid(0, 0, 0) < 0) ::_exit(124);
    char* const environment[] = {nullptr};
    ::execve(argv[0], argv, environment);
    ::_exit(125);
}

}  // namespace

std::string run_inside_as_root(pid_t pid, const std::vector<std::string>& argv) {
    const Fd pidfd{
        check(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)), "opening process {}", pid)};
    Pipe out = make_pipe();
    std::vector<char*> words;
    for (const auto& word : argv)
        words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    const pid_t child = check(::fork(), "forking");
    if (child == 0) {
        ::dup2(out.write.get(), 1);
        enter(pidfd.get(), words.data());
    }
    out.write.reset();
    std::string text;
    std::array<char, 4096> part;
    for (ssize_t n; (n = ::read(out.read.get(), part.data(), part.size())) > 0;)
        text.append(part.data(), static_cast<std::size_t>(n));
    int status = 0;
    ::waitpid(child, &status, 0);
    if (status != 0) text += "\nstatus " + std::to_string(WEXITSTATUS(status));
    return text;
}

}  // namespace berth::isolation
