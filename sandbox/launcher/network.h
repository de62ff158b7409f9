// The network of a sandbox: only `lo`, or with network egress also the listeners
// that berth-egress serves. They are opened inside, by pid 1 while it has the rights,
// and handed out: a socket belongs to the network namespace that it was made in.
#pragma once

#include <cstdint>

#include "base/fd.h"
#include "sandbox/launcher/inside.h"

namespace berth::launcher {

// Besides the egress ports: DNS by UDP and by TCP, and the CONNECT proxy.
inline constexpr unsigned kMostListeners = kMostEgressPorts + 3;

// What the launcher gets of them.
struct Listeners {
    Fd fds[kMostListeners];
    unsigned count = 0;
};

// Reads `22,80,443`; false when it is no list of ports, or too long, or names one twice
// or one of our own (53, 3128).
bool parse_egress_ports(const char* text, EgressPorts& ports);

// A row of pid 1's table.
int set_up_network(const Order& order);

// Launcher: the next message on the setup socket, and the listeners when it brings
// them. As recv(2): 0 at the end, -1 with errno.
long receive_setup(int setup, SetupMessage& message, Listeners& listeners);

}  // namespace berth::launcher
