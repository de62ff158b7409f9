// What the two processes of a sandbox share with the launcher they are forked from.
// From the clone on nothing allocates, throws or logs; a failure is a step and an
// errno value, and ends the sandbox.
#pragma once

#include <sys/types.h>

#include <span>

#include "sandbox/ipc/launcher_protocol.h"
#include "sandbox/launcher/allowed.h"
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
    int priority = 0;  // nice value of this program, and of what runs
    std::uint32_t protections = 0;
    Allowed allowed;  // by the administrator, on the command line
    EgressPorts egress_ports;
    std::span<char> command_line;  // where it lies in memory; it names folders of the host
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

    // The plain filter, or the one with the calls that were granted.
    const Filter& filter() const;
    // Nothing: it was not granted.
    const WritableFolder* writable() const;
};

// Where those ends are after the other descriptors were closed.
inline constexpr int kPlanFd = 3;
inline constexpr int kStatusFd = 4;
inline constexpr int kSetupFd = 5;
inline constexpr int kResolverFd = 6;  // only with the host's network, and only for a while
inline constexpr int kWritableFd = 7;  // only where that is granted, and until Landlock knows it

// Between the launcher and the sandbox's processes, until both are ready; then pid 1
// keeps its end, which closes when the launcher ends, until a run has the sandbox.
struct SetupMessage {
    enum class Kind : std::uint32_t {
        listeners,  // with descriptors: see network.h
        want_maps,  // with its mount namespace
        maps_written,
        init_ready,
        script_ready,
        failed,
        taken,  // launcher → pid 1, before it closes the socket: a run has it
    };
    Kind kind{};
    ipc::Step step{};
    std::int32_t err = 0;
};
bool tell(const SetupMessage& message) noexcept;
bool tell_with(const SetupMessage& message, int descriptor) noexcept;
[[noreturn]] void give_up(ipc::Step step, int err) noexcept;

// Sandboxes to be parked are built behind everything that runs; both processes come
// back before they say that they are ready.
int step_back(const Order& order) noexcept;
int step_forward(const Order& order) noexcept;

// A row of the tables that build a sandbox: the table is the order.
struct InsideStep {
    ipc::Step step;
    int (*run)(const Order&);  // 0, or an errno value
};

// pid 1: builds the sandbox around itself, forks pid 2, then reaps and reports.
[[noreturn]] void run_init(const Order& order);

// pid 2: gives up every right, waits for its plan and becomes the script. Its filter's
// listener goes to pid 1 by `listener_socket`; -1: the filter has none.
[[noreturn]] void run_script(const Order& order, int listener_socket);

}  // namespace berth::launcher
