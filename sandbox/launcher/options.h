// The command line of berth-launcher.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "sandbox/launcher/allowed.h"
#include "sandbox/launcher/network.h"

namespace berth::launcher {

struct Options {
    // One of the three: how the runner is reached.
    int runner_fd = -1;            // already connected
    int listen_fd = -1;            // already listening (systemd)
    const char* socket = nullptr;  // a path to listen at
    uid_t runner_uid = 0;          // who may connect; not asked with runner_fd
    const char* releases = nullptr;
    uid_t first_uid = 0;
    unsigned slots = 0;
    EgressPorts egress_ports;
    // Weakenings that may be asked for.
    bool allow_host_network = false;
    Named writable[kMostNamed];
    unsigned writable_count = 0;
    Named syscalls[kMostNamed];
    unsigned syscalls_count = 0;
    const char* cgroups = "auto";         // Cgroups::open()
    std::uint64_t cpu_percent = 0;        // of one core, for each sandbox; 0: no limit
    std::uint64_t io_mib_per_second = 0;  // each way; 0: no limit
    unsigned pool = 0;                    // parked sandboxes of each class
    unsigned pool_age_s = 600;            // the longest that one stays parked
    bool strict = false;                  // the strict profile
    bool remove_groups = false;           // and nothing else: remove_left_groups()
    bool require_cgroup = false;          // no start without limits on memory and processes
};

// Complains on stderr and returns false when the arguments make no sense.
bool parse_options(int argc, char** argv, Options& options);

}  // namespace berth::launcher
