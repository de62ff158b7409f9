// One simulation: hours of a host's life in a second, under everything that can go
// wrong, from one seed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace berth::sim {

struct Simulated {
    std::vector<std::string> wrongs;
    std::uint64_t hash = 0;  // of the log of events
    std::uint64_t events = 0;
    std::map<std::string, std::uint64_t> met;
};

Simulated simulate(std::uint64_t seed, bool tells = false);

}  // namespace berth::sim
