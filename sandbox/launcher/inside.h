// What the two processes of a sandbox share with the launcher they are forked from.
// From the clone on nothing allocates, throws or logs; a failure is a step and an
// errno value, and ends the sandbox.
#pragma once

#include <sys/types.h>

#include "sandbox/ipc/launcher_protocol.h"
#include "sandbox/launcher/cgroup.h"
#include "sandbox/launcher/filter.h"
#include "sandbox/launcher/template_root.h"

namespace berth::launcher {

// The TCP ports on which scripts with network egress reach the world.
inline constexpr unsigned kMostEgressPorts = 16;
struct EgressPorts {
    // SSH and SFTP, the web, mail submission and reading, the usual databases.
    std::uint16_t port[kMostEgressPorts] = {22, 80, 443, 465, 587, 993, 1433, 3306, 5432, 8443};
    unsigned count = 10;
};

// Made once at the launcher's start; the same for every sandbox.
struct Equipment {
    HostFiles host;
    Filter script_filter;
    Filter init_filter;
    int landlock_abi = 0;
    std::uint32_t protections = 0;
    std::uint32_t allowed_grants = 0;  // by the administrator, on the command line
    EgressPorts egress_ports;
};

// One sandbox being built.
struct Order {
    const ipc::BuildRequest& request;
    const Equipment& equipment;
    const Cgroups& cgroups;
    unsigned slot = 0;
    uid_t uid = 0;  // of pid 1 on the host; the script has the next one
    int plan = -1;  // the sandbox's ends of the three sockets
    int status = -1;
    int setup = -1;
};

// Where those ends are after the other descriptors were closed.
inline constexpr int kPlanFd = 3;
inline constexpr int kStatusFd = 4;
inline constexpr int kSetupFd = 5;
inline constexpr int kResolverFd = 6;  // only with the host's network, and only for a while

// Between the launcher and the sandbox's processes, until both are ready.
struct SetupMessage {
    enum class Kind : std::uint32_t {
        listeners,  // with descriptors: see network.h
        want_maps,
        maps_written,
        init_ready,
        script_ready,
        failed
    };
    Kind kind{};
    ipc::Step step{};
    std::int32_t err = 0;
};
bool tell(const SetupMessage& message) noexcept;
[[noreturn]] void give_up(ipc::Step step, int err) noexcept;

// A row of the tables that build a sandbox: the table is the order.
struct InsideStep {
    ipc::Step step;
    int (*run)(const Order&);  // 0, or an errno value
};

// pid 1: builds the sandbox around itself, forks pid 2, then reaps and reports.
[[noreturn]] void run_init(const Order& order);

// pid 2: gives up every right, waits for its plan and becomes the script.
[[noreturn]] void run_script(const Order& order);

}  // namespace berth::launcher
