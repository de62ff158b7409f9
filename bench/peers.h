// The other ways into a sandbox that are installed on this machine, each doing as much of
// Berth's job as it can: a root of its own that shows the host's /usr, every namespace.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "bench/bundle.h"
#include "bench/starts.h"

namespace berth::bench {

struct Peer {
    std::string name;
    // Two calls never share a container's name.
    std::function<Command()> command;
};

// Those that start `argv` here; what does not is told on stdout, with the reason.
std::vector<Peer> peers_for(Bundle& bundle, const std::vector<std::string>& argv);

// This process and what it starts no longer see the cgroup trees with which crun and runc
// cannot start anything: v2 beside v1, which crun refuses; and with real-time priority the
// `cpu` tree of v1, in which a new group has no real-time budget, so that no such process
// can be moved into it.
void hide_refusing_cgroups(Precedence precedence);

}  // namespace berth::bench
