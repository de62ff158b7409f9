// Runs inside a sandbox as the script: tries one act, named by its arguments, and
// prints what it got: an errno's name, "ok", or what it saw.
#include "tests/sandbox/probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

extern char** environ;

namespace {

using probe::said;

// A grandchild in a session of its own that ignores what can be ignored.
void act_linger() {
    if (::fork() == 0) {
        ::setsid();
        for (int signo = 1; signo < NSIG; ++signo)
            (void)::signal(signo, SIG_IGN);
        if (::fork() != 0) ::_exit(0);
        for (;;)
            ::pause();
    }
    (void)::wait(nullptr);
    std::puts("left");
}

// Until the end of standard input; says "ready" first.
void act_wait(bool ignore_term) {
    if (ignore_term) (void)::signal(SIGTERM, SIG_IGN);
    std::puts("ready");
    std::fflush(stdout);
    char byte;
    while (::read(0, &byte, 1) > 0) {
    }
    std::puts("end of input");
}

void act_connect(int family, const char* address, int port) {
    const int fd = ::socket(family, SOCK_STREAM, 0);
    if (fd < 0) return said(-1);
    if (family == AF_INET) {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(static_cast<std::uint16_t>(port));
        ::inet_pton(AF_INET, address, &to.sin_addr);
        return said(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to));
    }
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(static_cast<std::uint16_t>(port));
    ::inet_pton(AF_INET6, address, &to.sin6_addr);
    said(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to));
}

void act_connect_abstract(const std::string& name) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::memcpy(to.sun_path + 1, name.data(), name.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    said(::connect(fd, reinterpret_cast<sockaddr*>(&to), size));
}

}  // namespace

int main(int argc, char** argv) {
    const probe::Words words{{argv + 1, argv + argc}};
    for (const auto part :
         {probe::act_on_files, probe::make_call, probe::take_resources, probe::fill_buffers})
        if (const auto code = part(words)) return *code;
    const std::string act = words[0];
    if (act == "linger") return act_linger(), 0;
    if (act == "wait") return act_wait(false), 0;
    if (act == "wait-deaf") return act_wait(true), 0;
    if (act == "connect4") return act_connect(AF_INET, argv[2], std::stoi(words[2])), 0;
    if (act == "connect6") return act_connect(AF_INET6, argv[2], std::stoi(words[2])), 0;
    if (act == "connect-abstract") return act_connect_abstract(words[1]), 0;
    if (act == "exit") return std::stoi(words[1]);
    if (act == "euid") return std::printf("%u\n", ::geteuid()), 0;
    if (act == "host-name") {
        char name[64] = {};
        ::gethostname(name, sizeof name - 1);
        return std::puts(name), 0;
    }
    if (act == "kill-self") return ::kill(::getpid(), SIGKILL);
    if (act == "env") {
        for (char** entry = environ; *entry != nullptr; ++entry)
            std::puts(*entry);
        return 0;
    }
    std::puts("the probe knows no such act");
    return 2;
}
