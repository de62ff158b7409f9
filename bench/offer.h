// Triggers offered to berthd for a while, faster than it may take them, and what it said to
// each. Offered at a rate they come when they come, whatever becomes of those before: how
// late an answer is counts from the moment it was wanted, so overload cannot hide.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "bench/bench.h"

namespace berth::bench {

struct Offer {
    std::vector<std::string> requests;  // taken in turn
    int connections = 0;                // at once, at most
    // By chance, so many on average; 0: each connection sends its next request when its last
    // was answered. Who is refused comes again when he was told to.
    double per_second = 0;
    Steady::duration time{};
    std::uint64_t seed = 0;
};

struct Accepted {
    Steady::time_point wanted;
    std::string trigger;
};

struct Offered {
    std::vector<Accepted> accepted;
    Samples answers;         // to those that were accepted, from when they were wanted
    Samples refusals;        // likewise
    std::int64_t asked = 0;  // how often an answer was wanted
    std::int64_t refused = 0;
    std::int64_t without_when = 0;  // of these, told neither 429 nor 503, or not when to come again
    std::int64_t turned_away = 0;   // connections that were closed without an answer
    std::int64_t not_answered = 0;  // long after the end
    Steady::duration took{};
};

Offered offer(const std::filesystem::path& socket, const Offer& what);

}  // namespace berth::bench
