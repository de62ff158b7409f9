#include "bench/process_use.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

namespace berth::bench {
namespace {

namespace fs = std::filesystem;

std::string field_of(const fs::path& status, const std::string& name) {
    std::ifstream file{status};
    for (std::string line; std::getline(file, line);)
        if (line.starts_with(name + ":")) return std::string{trim(line.substr(name.size() + 1))};
    return {};
}

}  // namespace

pid_t peer_of(const fs::path& socket) {
    const Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = socket.string();
    std::copy(path.begin(), path.end(), address.sun_path);
    check(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address),
          "connecting to '{}'", path);
    ucred peer{};
    socklen_t size = sizeof peer;
    check(::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size), "asking who listens");
    return peer.pid;
}

Uses uses_of(pid_t supervisor) {
    Uses uses;
    for (const auto& entry : fs::directory_iterator{"/proc"}) {
        const auto pid = to_number<pid_t>(entry.path().filename().string());
        if (!pid) continue;
        const auto status = entry.path() / "status";
        const auto name = field_of(status, "Name");
        if (to_number<pid_t>(field_of(status, "PPid")) != supervisor || !name.starts_with("berth"))
            continue;
        Use use;
        const auto kib = [&](const char* line) {
            const auto text = field_of(entry.path() / "smaps_rollup", line);
            return to_number<double>(text.substr(0, text.find(' '))).value_or(0);
        };
        use.resident_kib = kib("Rss");
        use.proportional_kib = kib("Pss");
        use.own_kib = kib("Anonymous");
        std::error_code gone;
        for (fs::directory_iterator it{entry.path() / "fd", gone}, end; it != end;
             it.increment(gone))
            ++use.descriptors;
        uses[name] = use;
    }
    return uses;
}

}  // namespace berth::bench
