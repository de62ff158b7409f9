// Memory that is in no process: what is written and never read, in as many pipes, sockets or
// files without a name as there may be.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/sandbox/probe.h"

namespace probe {
namespace {

// As much as goes in.
std::size_t fill(int fd) {
    static const char block[65536] = {};
    (void)::fcntl(fd, F_SETFL, O_NONBLOCK);
    std::size_t total = 0;
    for (ssize_t n; (n = ::write(fd, block, sizeof block)) > 0;)
        total += static_cast<std::size_t>(n);
    return total;
}

// One more buffer: what was put into it; negative when there is no more.
using Make = long (*)();

long fill_pipe() {
    int ends[2];
    if (::pipe(ends) < 0) return -1;
    (void)::fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);  // as large as it gets
    return static_cast<long>(fill(ends[1]));
}

long fill_unix_sockets() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0) return -1;
    return static_cast<long>(fill(ends[0]) + fill(ends[1]));
}

long fill_connection() {
    static sockaddr_in address{};
    static socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    static const int listener = [any] {
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
        if (::bind(fd, any, size) < 0 || ::listen(fd, 16) < 0) return -1;
        return ::getsockname(fd, any, &size) < 0 ? -1 : fd;
    }();
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || ::connect(fd, any, size) < 0) return -1;
    if (::accept(listener, nullptr, nullptr) < 0) return -1;
    return static_cast<long>(fill(fd));
}

long fill_memfd() {
    const int fd = ::memfd_create("probe", MFD_CLOEXEC);
    return fd < 0 ? -1 : static_cast<long>(fill(fd));
}

void fill_all(Make make) {
    (void)::signal(SIGXFSZ, SIG_IGN);
    int count = 0;
    std::size_t total = 0;
    for (long bytes; (bytes = make()) >= 0; ++count)
        total += static_cast<std::size_t>(bytes);
    std::printf("%d %zu %s\n", count, total, ::strerrorname_np(errno));
}

}  // namespace

std::optional<int> fill_buffers(const Words& words) {
    const std::string act = words[0];
    if (act == "fill-pipes") return fill_all(fill_pipe), 0;
    if (act == "fill-unix-sockets") return fill_all(fill_unix_sockets), 0;
    if (act == "fill-connections") return fill_all(fill_connection), 0;
    if (act == "fill-memfds") return fill_all(fill_memfd), 0;
    return {};
}

}  // namespace probe
