// Other programs that run something when asked to, as they are: each says what it
// promises, since a figure without that compares nothing.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "bench/bench.h"

namespace berth::bench {

struct PeerFigures {
    std::vector<double> first_byte_us;  // from the call that queues it
    double per_second = 0;
    double cpu_ms_per_run = 0;  // its database's included
};

struct QueuePeer {
    std::string name;
    std::string durable;
    std::string isolated;
    std::function<PeerFigures(int starts, int sustained, int in_flight)> measure;
};

// Those that can be started here. `modules` has their node_modules; `drivers` the programs
// that speak to them (bench/peers); `program` prints when it began.
std::vector<QueuePeer> queue_peers(const std::filesystem::path& modules,
                                   const std::filesystem::path& drivers,
                                   const std::filesystem::path& program);

}  // namespace berth::bench
