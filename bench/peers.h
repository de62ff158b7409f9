// The other ways into a sandbox that are installed on this machine, each doing as much of
// Berth's job as it can: a root of its own that shows the host's /usr, every namespace.
#pragma once

#include <functional>
#include <string>
#include <vector>

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

// This process and what it starts no longer see a cgroup v2 tree that hangs beside v1:
// crun refuses to work with both.
void hide_second_cgroup_tree();

}  // namespace berth::bench
