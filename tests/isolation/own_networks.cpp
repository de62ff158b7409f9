#include "tests/isolation/own_networks.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "base/fd.h"
#include "base/text.h"

namespace berth {
namespace {

namespace fs = std::filesystem;

// A socket says which namespace it belongs to, also when no process is there any more.
void add_of_socket(int pidfd, int number, Networks& found) {
    const Fd socket{static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd, number, 0))};
    if (!socket) return;
    const Fd network{::ioctl(socket.get(), SIOCGSKNS)};
    struct stat status {};
    if (network && ::fstat(network.get(), &status) == 0) found.insert(status.st_ino);
}

}  // namespace

Networks networks_of(const std::vector<pid_t>& processes) {
    Networks found;
    for (const pid_t pid : processes) {
        const fs::path proc = fs::path{"/proc"} / std::to_string(pid);
        struct stat status {};
        if (::stat((proc / "ns" / "net").c_str(), &status) == 0) found.insert(status.st_ino);
        const Fd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
        std::error_code gone;  // it may end meanwhile
        for (const auto& entry : fs::directory_iterator{proc / "fd", gone}) {
            const auto target = fs::read_symlink(entry.path(), gone).string();
            const auto number = to_number<int>(entry.path().filename().string());
            if (pidfd && number && target.starts_with("socket:"))
                add_of_socket(pidfd.get(), *number, found);
        }
    }
    return found;
}

}  // namespace berth
