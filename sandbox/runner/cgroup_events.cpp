#include "sandbox/runner/cgroup_events.h"

#include <fcntl.h>

#include <array>
#include <string_view>

#include "base/fd.h"

namespace berth::runner {

bool ran_out_of_memory(int cgroup_dir) noexcept {
    if (cgroup_dir < 0) return false;
    const Fd events{::openat(cgroup_dir, "memory.events", O_RDONLY | O_CLOEXEC)};
    if (!events) return false;
    std::array<char, 1024> buffer;
    const ssize_t n = ::read(events.get(), buffer.data(), buffer.size());
    if (n <= 0) return false;

    constexpr std::string_view kKey = "oom_kill ";
    std::string_view rest{buffer.data(), static_cast<std::size_t>(n)};
    while (!rest.empty()) {
        const auto line = rest.substr(0, rest.find('\n'));
        if (line.starts_with(kKey)) return line.substr(kKey.size()) != "0";
        rest.remove_prefix(line.size() < rest.size() ? line.size() + 1 : rest.size());
    }
    return false;
}

void kill_all_in(int cgroup_dir) noexcept {
    if (cgroup_dir < 0) return;
    const Fd kill{::openat(cgroup_dir, "cgroup.kill", O_WRONLY | O_CLOEXEC)};
    if (kill) (void)!::write(kill.get(), "1", 1);
}

}  // namespace berth::runner
