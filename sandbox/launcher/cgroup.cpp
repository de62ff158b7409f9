#include "sandbox/launcher/cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace berth::launcher {
namespace {

using ipc::Protection;

// pid 1 and the process that forks pid 2 count too.
constexpr std::uint64_t kOwnProcesses = 2;
constexpr std::uint64_t kCpuPeriodUs = 100'000;

struct Controller {
    const char* name;
    const char* turn_on;
    Protection protection;
};
constexpr Controller kControllers[] = {{"memory", "+memory", ipc::protection_cgroup_memory},
                                       {"pids", "+pids", ipc::protection_cgroup_pids},
                                       {"cpu", "+cpu", ipc::protection_cgroup_cpu}};

int write_file(int folder, const char* name, const char* value) {
    const Fd file{::openat(folder, name, O_WRONLY | O_CLOEXEC)};
    if (!file) return errno;
    const auto size = static_cast<ssize_t>(std::strlen(value));
    const ssize_t written = ::write(file.get(), value, static_cast<std::size_t>(size));
    if (written < 0) return errno;
    return written == size ? 0 : EIO;
}

int write_number(int folder, const char* name, std::uint64_t value) {
    char text[24];
    std::snprintf(text, sizeof text, "%llu", static_cast<unsigned long long>(value));
    return write_file(folder, name, text);
}

// Whether `word` stands in a line of words, as a whole.
bool has_word(const char* line, const char* word) {
    const std::size_t size = std::strlen(word);
    for (const char* at = line; (at = std::strstr(at, word)) != nullptr; at += size) {
        const bool begins = at == line || at[-1] == ' ';
        if (begins && (at[size] == '\0' || at[size] == ' ' || at[size] == '\n')) return true;
    }
    return false;
}

void leaf_name(unsigned slot, char (&name)[24]) {
    std::snprintf(name, sizeof name, "slot-%u", slot);
}

}  // namespace

int write_limits(int leaf, std::uint32_t controllers, const ipc::SandboxLimits& limits) {
    int err = 0;
    const auto step = [&err](int result) {
        if (err == 0) err = result;
    };
    if ((controllers & ipc::protection_cgroup_memory) != 0) {
        step(write_number(leaf, "memory.max", limits.memory_bytes));
        // A kernel without swap accounting has no such file, and nothing to limit.
        if (const int swap = write_number(leaf, "memory.swap.max", 0); swap != ENOENT) step(swap);
        step(write_number(leaf, "memory.oom.group", 1));
    }
    if ((controllers & ipc::protection_cgroup_pids) != 0)
        step(write_number(leaf, "pids.max", limits.processes + kOwnProcesses));
    if ((controllers & ipc::protection_cgroup_cpu) != 0 && limits.cpu_percent != 0) {
        char quota[48];
        std::snprintf(quota, sizeof quota, "%llu %llu",
                      static_cast<unsigned long long>(limits.cpu_percent * kCpuPeriodUs / 100),
                      static_cast<unsigned long long>(kCpuPeriodUs));
        step(write_file(leaf, "cpu.max", quota));
    }
    return err;
}

int Cgroups::open(const char* root) {
    root_.reset(::open(root, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root_) return errno;
    const Fd file{::openat(root_.get(), "cgroup.controllers", O_RDONLY | O_CLOEXEC)};
    if (!file) return errno;
    char available[256];
    const ssize_t size = ::read(file.get(), available, sizeof available - 1);
    if (size < 0) return errno;
    available[size] = '\0';
    controllers_ = ipc::protection_cgroup_v2;
    for (const Controller& controller : kControllers) {
        if (!has_word(available, controller.name)) continue;
        if (const int err = write_file(root_.get(), "cgroup.subtree_control", controller.turn_on);
            err != 0)
            return err;
        controllers_ |= controller.protection;
    }
    return 0;
}

Fd Cgroups::make_leaf(unsigned slot, const ipc::SandboxLimits& limits) const {
    if ((errno = remove_leaf(slot)) != 0) return {};
    char name[24];
    leaf_name(slot, name);
    if (::mkdirat(root_.get(), name, 0755) < 0) return {};
    Fd leaf{::openat(root_.get(), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!leaf) return {};
    const int err = write_limits(leaf.get(), controllers_, limits);
    if (err == 0) return leaf;
    (void)remove_leaf(slot);
    errno = err;
    return {};
}

int Cgroups::remove_leaf(unsigned slot) const {
    char name[24];
    leaf_name(slot, name);
    if (::unlinkat(root_.get(), name, AT_REMOVEDIR) == 0 || errno == ENOENT) return 0;
    if (errno != EBUSY) return errno;
    const Fd leaf{::openat(root_.get(), name, O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!leaf) return errno;
    // Left by a launcher that died. What is killed ends soon; until then the slot is refused.
    if (const int err = write_file(leaf.get(), "cgroup.kill", "1"); err != 0) return err;
    return ::unlinkat(root_.get(), name, AT_REMOVEDIR) == 0 ? 0 : errno;
}

}  // namespace berth::launcher
