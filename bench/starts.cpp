#include "bench/starts.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/pipe.h"

namespace berth::bench {
namespace {

constexpr int kPatienceMs = 30'000;  // for hangs only

}  // namespace

void await_readable(int fd, const char* what) {
    pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
    if (check(::poll(&waiting, 1, kPatienceMs), "polling") == 0)
        throw std::runtime_error{fmt::format("the benchmark waited too long for {}", what)};
}

void await_byte(const Fd& pipe) {
    char byte;
    await_readable(pipe.get(), "the first byte");
    if (check(::read(pipe.get(), &byte, 1), "reading") != 1)
        throw std::runtime_error{"the program ended without its first byte"};
}

pid_t spawn(const Command& command, const Fd& from, int to) {
    std::vector<char*> pointers;
    for (const auto& argument : command.argv)
        pointers.push_back(const_cast<char*>(argument.c_str()));
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, from.get(), to);
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, command.errors.c_str(),
                                       O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (!command.given_file.empty())
        ::posix_spawn_file_actions_addopen(&actions, kGivenFile, command.given_file.c_str(),
                                           O_RDONLY, 0);
    // As in the sandboxes. What the caller has set may cost the program much (Node reads
    // further certificates).
    char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
    char home[] = "HOME=/tmp";
    char* const environment[] = {path, home, nullptr};
    pid_t pid = -1;
    const int err =
        ::posix_spawn(&pid, pointers[0], &actions, nullptr, pointers.data(), environment);
    ::posix_spawn_file_actions_destroy(&actions);
    if (err != 0) throw SystemError{err, fmt::format("starting '{}'", pointers[0])};
    return pid;
}

Times run_command(const Command& command) {
    const auto begin = Steady::now();
    Pipe out = make_pipe();
    const pid_t pid = spawn(command, out.write, STDOUT_FILENO);
    out.write.reset();
    await_byte(out.read);
    Times times{.first_byte = Steady::now() - begin};
    int status = 0;
    check(::waitpid(pid, &status, 0), "waiting for '{}'", command.argv[0]);
    times.end = Steady::now() - begin;
    if (status != 0) throw std::runtime_error{fmt::format("'{}' failed", command.argv[0])};
    return times;
}

}  // namespace berth::bench
