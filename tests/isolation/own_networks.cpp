#include "tests/isolation/own_networks.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <string>

#include "base/fd.h"
#include "base/text.h"

namespace berth {
namespace {

namespace fs = std::filesystem;

// Calls `look` with a copy of each socket of the process, and says how many descriptors it
// has otherwise.
std::size_t for_each_socket(pid_t process, const std::function<void(const Fd&)>& look) {
    const fs::path proc = fs::path{"/proc"} / std::to_string(process);
    const Fd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, process, 0))};
    std::size_t others = 0;
    std::error_code gone;  // it may end meanwhile
    for (const auto& entry : fs::directory_iterator{proc / "fd", gone}) {
        const auto target = fs::read_symlink(entry.path(), gone).string();
        const auto number = to_number<int>(entry.path().filename().string());
        if (!target.starts_with("socket:")) {
            ++others;
        } else if (pidfd && number) {
            const Fd socket{static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd.get(), *number, 0))};
            if (socket) look(socket);
        }
    }
    return others;
}

bool speaks_ip(const Fd& socket) {
    int domain = 0;
    socklen_t size = sizeof domain;
    (void)::getsockopt(socket.get(), SOL_SOCKET, SO_DOMAIN, &domain, &size);
    return domain == AF_INET || domain == AF_INET6;
}

}  // namespace

// A socket says which namespace it belongs to, also when no process is there any more.
Networks networks_of(const std::vector<pid_t>& processes) {
    Networks found;
    for (const pid_t pid : processes) {
        struct stat status {};
        if (::stat(("/proc/" + std::to_string(pid) + "/ns/net").c_str(), &status) == 0)
            found.insert(status.st_ino);
        (void)for_each_socket(pid, [&found](const Fd& socket) {
            const Fd network{::ioctl(socket.get(), SIOCGSKNS)};
            struct stat of_socket {};
            if (network && ::fstat(network.get(), &of_socket) == 0) found.insert(of_socket.st_ino);
        });
    }
    return found;
}

std::size_t descriptors_of(pid_t process) {
    std::size_t sockets = 0;
    const std::size_t others = for_each_socket(
        process, [&sockets](const Fd& socket) { sockets += speaks_ip(socket) ? 0U : 1U; });
    return others + sockets;
}

}  // namespace berth
