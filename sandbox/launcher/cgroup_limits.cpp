// The limits of a run as the files of its cgroup, for both versions.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "sandbox/launcher/cgroup.h"
#include "sandbox/launcher/cgroup_files.h"

namespace berth::launcher {
namespace {

// pid 1, which has its own user but counts in the group.
constexpr std::uint64_t kOwnProcesses = 1;
constexpr std::uint64_t kCpuPeriodUs = 100'000;

// The first failure of several writes.
class Writes {
public:
    explicit Writes(int folder) : folder_{folder} {}
    void text(const char* name, const char* value) { note(write_file(folder_, name, value)); }
    void number(const char* name, std::uint64_t value) { note(write_number(folder_, name, value)); }
    // For what a kernel may be built without.
    void number_if_there(const char* name, std::uint64_t value) {
        if (const int err = write_number(folder_, name, value); err != ENOENT) note(err);
    }
    void note(int err) {
        if (err_ == 0) err_ = err;
    }
    int result() const { return err_; }

private:
    int folder_;
    int err_ = 0;
};

std::uint64_t cpu_quota(const ipc::SandboxLimits& limits) {
    return limits.cpu_percent * kCpuPeriodUs / 100;
}

}  // namespace

int write_limits(int leaf, std::uint32_t controllers, const ipc::SandboxLimits& limits) {
    Writes to{leaf};
    if ((controllers & ipc::protection_cgroup_memory) != 0) {
        to.number("memory.max", limits.memory_bytes);
        to.number_if_there("memory.swap.max", 0);
        to.number("memory.oom.group", 1);
    }
    if ((controllers & ipc::protection_cgroup_pids) != 0)
        to.number("pids.max", limits.processes + kOwnProcesses);
    if ((controllers & ipc::protection_cgroup_cpu) != 0 && limits.cpu_percent != 0) {
        char quota[48];
        std::snprintf(quota, sizeof quota, "%llu %llu",
                      static_cast<unsigned long long>(cpu_quota(limits)),
                      static_cast<unsigned long long>(kCpuPeriodUs));
        to.text("cpu.max", quota);
    }
    return to.result();
}

int write_io_limit(int leaf, const char* disk, std::uint64_t bytes_per_second) {
    const auto each = static_cast<unsigned long long>(bytes_per_second);
    char line[96];
    std::snprintf(line, sizeof line, "%s rbps=%llu wbps=%llu", disk, each, each);
    return write_file(leaf, "io.max", line);
}

int disk_of(const char* path, char (&disk)[24]) {
    struct stat status {};
    if (::stat(path, &status) < 0) return errno;
    char name[64];
    // A partition's folder lies in that of its disk.
    std::snprintf(name, sizeof name, "/sys/dev/block/%u:%u/partition", major(status.st_dev),
                  minor(status.st_dev));
    const bool part = ::access(name, F_OK) == 0;
    std::snprintf(name, sizeof name, "/sys/dev/block/%u:%u/%sdev", major(status.st_dev),
                  minor(status.st_dev), part ? "../" : "");
    const Fd file{::open(name, O_RDONLY | O_CLOEXEC)};
    if (!file) return ENODEV;
    const ssize_t size = ::read(file.get(), disk, sizeof disk - 1);
    if (size <= 1) return ENODEV;
    disk[size - 1] = '\0';  // over the line's end
    return 0;
}

int write_limits_v1(int leaf, std::uint32_t controllers, const ipc::SandboxLimits& limits) {
    Writes to{leaf};
    if ((controllers & ipc::protection_cgroup_memory) != 0) {
        // Memory alone may never be above memory with swap. So when both grow the second
        // write makes room for the first one, which is then repeated.
        const int first = write_number(leaf, "memory.limit_in_bytes", limits.memory_bytes);
        to.number_if_there("memory.memsw.limit_in_bytes", limits.memory_bytes);
        if (first != 0) to.number("memory.limit_in_bytes", limits.memory_bytes);
        to.number_if_there("memory.kmem.tcp.limit_in_bytes", limits.memory_bytes);
    }
    if ((controllers & ipc::protection_cgroup_pids) != 0)
        to.number("pids.max", limits.processes + kOwnProcesses);
    if ((controllers & ipc::protection_cgroup_cpu) != 0 && limits.cpu_percent != 0) {
        to.number("cpu.cfs_period_us", kCpuPeriodUs);
        to.number("cpu.cfs_quota_us", cpu_quota(limits));
    }
    return to.result();
}

}  // namespace berth::launcher
