#include "sandbox/runner/cgroup_events.h"

#include <fcntl.h>

#include <array>
#include <charconv>
#include <string_view>

#include "base/fd.h"

namespace berth::runner {
namespace {

// A group that is at its limit may be a large page short of it.
constexpr std::uint64_t kNearlyBytes = std::uint64_t{2} << 20;

// One small file of the group; empty when it is not there.
class File {
public:
    File(int folder, const char* name) noexcept {
        const Fd file{::openat(folder, name, O_RDONLY | O_CLOEXEC)};
        if (!file) return;
        const ssize_t n = ::read(file.get(), bytes_.data(), bytes_.size());
        if (n > 0) text_ = {bytes_.data(), static_cast<std::size_t>(n)};
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    // The number after `key`, where that stands at the beginning of a word; of all such
    // together (io.stat has one for each device).
    std::uint64_t sum(std::string_view key) const noexcept {
        std::uint64_t total = 0;
        for (std::size_t at = 0; (at = text_.find(key, at)) != std::string_view::npos;
             at += key.size()) {
            const bool begins = at == 0 || text_[at - 1] == ' ' || text_[at - 1] == '\n';
            if (begins) total += number(text_.substr(at + key.size()));
        }
        return total;
    }
    std::uint64_t number() const noexcept { return number(text_); }
    bool has(std::string_view text) const noexcept {
        return text_.find(text) != std::string_view::npos;
    }

private:
    static std::uint64_t number(std::string_view text) noexcept {
        std::uint64_t value = 0;
        (void)std::from_chars(text.data(), text.data() + text.size(), value);
        return value;
    }
    std::array<char, 4096> bytes_;
    std::string_view text_;
};

}  // namespace

CgroupCounters read_counters(int cgroup_dir) noexcept {
    CgroupCounters c;
    if (cgroup_dir < 0) return c;
    if (const File control{cgroup_dir, "memory.oom_control"}; control.has("oom_kill ")) {  // v1
        c.oom_kills = control.sum("oom_kill ");
        c.memory_peak_bytes = File{cgroup_dir, "memory.max_usage_in_bytes"}.number();
        // Not by memory.failcnt, which newer kernels no longer count.
        const std::uint64_t limit = File{cgroup_dir, "memory.limit_in_bytes"}.number();
        c.limit_hits = c.memory_peak_bytes + kNearlyBytes >= limit ? 1 : 0;
        return c;
    }
    const File events{cgroup_dir, "memory.events"};
    c.oom_kills = events.sum("oom_kill ");
    c.limit_hits = events.sum("oom ");
    c.forks_refused = File{cgroup_dir, "pids.events"}.sum("max ");
    c.memory_peak_bytes = File{cgroup_dir, "memory.peak"}.number();
    const File io{cgroup_dir, "io.stat"};
    c.io_read_bytes = io.sum("rbytes=");
    c.io_write_bytes = io.sum("wbytes=");
    const File cpu{cgroup_dir, "cpu.stat"};
    c.user_us = static_cast<std::int64_t>(cpu.sum("user_usec "));
    c.system_us = static_cast<std::int64_t>(cpu.sum("system_usec "));
    c.known_empty = File{cgroup_dir, "cgroup.events"}.has("populated 0");
    return c;
}

void kill_all_in(int cgroup_dir) noexcept {
    if (cgroup_dir < 0) return;
    const Fd kill{::openat(cgroup_dir, "cgroup.kill", O_WRONLY | O_CLOEXEC)};
    if (kill) (void)!::write(kill.get(), "1", 1);
}

}  // namespace berth::runner
