// Linked without any shared library, as Go's programs are: a thread, a child and a
// signal, and what it printed.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

namespace {
volatile sig_atomic_t g_signals = 0;
}

int main() {
    struct sigaction action {};
    action.sa_handler = [](int) { g_signals = 1; };
    ::sigaction(SIGUSR1, &action, nullptr);
    ::raise(SIGUSR1);
    int from_thread = 0;
    std::thread{[&from_thread] { from_thread = 1; }}.join();
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(7);
    int status = 0;
    ::waitpid(pid, &status, 0);
    std::printf("signal %d thread %d child %d\n", static_cast<int>(g_signals), from_thread,
                WEXITSTATUS(status));
}
