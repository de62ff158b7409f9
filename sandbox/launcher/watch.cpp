#include "sandbox/launcher/watch.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "sandbox/ipc/launcher_protocol.h"
#include "sandbox/launcher/inside.h"
#include "sandbox/launcher/refusals.h"

namespace berth::launcher {
namespace {

std::int64_t microseconds(const timeval& time) {
    return std::int64_t{time.tv_sec} * 1'000'000 + time.tv_usec;
}

enum class Reaped { all, some, script };

// A few at a time: many processes that fork and end can make orphans as fast as they
// are reaped, and the one who asks for the end must be heard meanwhile.
Reaped reap(pid_t script, ipc::EndReport& report) {
    constexpr int kAtOnce = 16;
    int status = 0;
    rusage usage{};
    for (int i = 0; i < kAtOnce; ++i) {
        const pid_t pid = ::wait4(-1, &status, WNOHANG, &usage);
        if (pid <= 0) return Reaped::all;
        if (pid != script) continue;
        report.wait_status = status;
        report.user_us = microseconds(usage.ru_utime);
        report.system_us = microseconds(usage.ru_stime);
        report.max_rss_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
        return Reaped::script;
    }
    return Reaped::some;
}

// Anything but a signal request, and the end of the socket, ends the sandbox.
void pass_signal_on() {
    ipc::SignalRequest request;
    const ssize_t n = ::recv(kStatusFd, &request, sizeof request, 0);
    const ipc::SignalRequest expected;
    if (n != sizeof request ||
        std::memcmp(&request.header, &expected.header, sizeof expected.header) != 0)
        ::_exit(0);
    (void)::kill(-1, request.signo);  // nobody left to signal is fine
}

// While it is parked it ends with the launcher. One that a run has is not the launcher's
// any more.
void hear_of_run() {
    SetupMessage message;
    const ssize_t n = ::recv(kSetupFd, &message, sizeof message, 0);
    if (n != sizeof message || message.kind != SetupMessage::Kind::taken) ::_exit(0);
    (void)::close(kSetupFd);
}

}  // namespace

void watch(int child_signals, pid_t script, bool notified) {
    Refusals refusals{notified};
    // Also a script that does nothing but make refused calls leaves the other two heard.
    pollfd watched[4] = {
        {kStatusFd, POLLIN, 0}, {child_signals, POLLIN, 0}, {-1, POLLIN, 0}, {kSetupFd, POLLIN, 0}};
    auto reaped = Reaped::all;
    for (;;) {
        watched[2].fd = refusals.fd();
        if (::poll(watched, 4, reaped == Reaped::some ? 0 : -1) < 0) ::_exit(0);
        if (reaped == Reaped::some || watched[1].revents != 0) {
            signalfd_siginfo info;
            (void)!::read(child_signals, &info, sizeof info);  // says only that somebody ended
            ipc::EndReport report;
            reaped = reap(script, report);
            if (reaped == Reaped::script) {
                refusals.write_to(report);
                (void)::send(kStatusFd, &report, sizeof report, MSG_NOSIGNAL);
                ::_exit(0);  // and the kernel kills what the script left behind
            }
        }
        if (watched[0].revents != 0) pass_signal_on();
        if (watched[3].revents != 0) {
            hear_of_run();
            watched[3].fd = -1;
        }
        if (watched[2].revents != 0) refusals.ready(watched[2].revents);
    }
}

}  // namespace berth::launcher
