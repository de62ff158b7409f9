// Files: the host's own, the shared ones that must stay as they are, and those by
// which a kernel is told what to do.
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/isolation/acts.h"

namespace berth::acts {
namespace {

// A line such as `ffffffff81000000 T _text`; zeros when addresses are hidden.
int read_kernel_addresses(const Host&) {
    if (const int err = can_open("/proc/kallsyms", O_RDONLY); err != 0) return err;
    std::ifstream symbols{"/proc/kallsyms"};
    for (std::string line; std::getline(symbols, line);)
        if (std::strtoull(line.c_str(), nullptr, 16) != 0) return 0;
    return EPERM;
}

// Wherever a cgroup file system is mounted: the file that moves processes.
int move_between_cgroups(const Host&) {
    std::ifstream mounts{"/proc/self/mountinfo"};
    for (std::string line; std::getline(mounts, line);) {
        if (line.find(" - cgroup") == std::string::npos) continue;
        std::istringstream words{line};
        std::string point;
        for (int i = 0; i < 5; ++i)
            words >> point;
        return can_open(point + "/cgroup.procs", O_WRONLY);
    }
    return ENOENT;
}

constexpr Act kActs[] = {
    {"files", "read the host's password hashes",
     [](const Host&) { return can_open("/etc/shadow", O_RDONLY); }},
    {"files", "look into Berth's own folders",
     [](const Host& host) { return can_open(host.state, O_RDONLY | O_DIRECTORY); }},
    {"files", "overwrite a program of the runtime",
     [](const Host&) { return can_open("/usr/bin/env", O_WRONLY); }},
    {"files", "overwrite a file of the release",
     [](const Host& host) { return can_open(host.release + "/data", O_WRONLY); }},
    {"files", "add a file to the release",
     [](const Host& host) { return can_open(host.release + "/more", O_WRONLY | O_CREAT); }},
    {"kernel files", "set the host's core pattern",
     [](const Host&) { return can_open("/proc/sys/kernel/core_pattern", O_WRONLY); }},
    {"kernel files", "empty the host's caches",
     [](const Host&) { return can_open("/proc/sys/vm/drop_caches", O_WRONLY); }},
    {"kernel files", "read the kernel's addresses", read_kernel_addresses},
    {"kernel files", "announce devices through /sys",
     [](const Host&) { return can_open("/sys/bus/platform/uevent", O_WRONLY); }},
    {"kernel files", "move to another cgroup", move_between_cgroups},
    {"kernel files", "open the program of pid 1",
     [](const Host&) { return can_open("/proc/1/exe", O_RDONLY); }},
};

}  // namespace

std::span<const Act> file_acts() { return kActs; }

}  // namespace berth::acts
