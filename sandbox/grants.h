// Each weakening of the sandbox is a type of its own, so that every place that
// hands one out is found by its name. Records carry them as bits (ipc::Grant).
#pragma once

#include <cstdint>
#include <optional>

#include "sandbox/ipc/launcher_protocol.h"

namespace berth {

// The run shares the host's network: it reaches loopback services, the local
// network and the cloud's metadata address.
struct HostNetwork {
    explicit HostNetwork() = default;
};

// What a run is granted beyond the plain sandbox. Nothing unless it was asked for.
struct Grants {
    std::optional<HostNetwork> host_network;

    constexpr std::uint32_t bits() const noexcept {
        return host_network ? std::uint32_t{ipc::grant_host_network} : 0U;
    }
    constexpr ipc::Network network() const noexcept {
        return host_network ? ipc::Network::host : ipc::Network::none;
    }
};

}  // namespace berth
