// Each weakening of the sandbox is a type of its own, so that every place that
// hands one out is found by its name. Records carry them as bits (ipc::Grant). A
// name is one on the launcher's command line, which only the administrator writes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "sandbox/ipc/launcher_protocol.h"

namespace berth {

// The run shares the host's network: it reaches loopback services, the local
// network and the cloud's metadata address.
struct HostNetwork {
    explicit HostNetwork() = default;
};

// The run writes to a folder of the host, seen at /data: what it leaves there stays,
// and every run with this grant sees it.
struct WritablePath {
    explicit WritablePath(std::string folder) : name{std::move(folder)} {}
    std::string name;
};

// The run may make system calls that others may not: more of the kernel is in reach.
struct ExtraSyscalls {
    explicit ExtraSyscalls(std::string set) : name{std::move(set)} {}
    std::string name;
};

// What a run is granted beyond the plain sandbox. Nothing unless it was asked for.
struct Grants {
    std::optional<HostNetwork> host_network;
    std::optional<WritablePath> writable_path;
    std::optional<ExtraSyscalls> extra_syscalls;

    std::uint32_t bits() const noexcept {
        return (host_network ? std::uint32_t{ipc::grant_host_network} : 0U) |
               (writable_path ? std::uint32_t{ipc::grant_writable_path} : 0U) |
               (extra_syscalls ? std::uint32_t{ipc::grant_extra_syscalls} : 0U);
    }
};

}  // namespace berth
