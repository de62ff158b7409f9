// One tenant's starts while another one takes all it can (reliability.md T11).
#pragma once

#include <cstdint>

#include "bench/figures.h"

namespace berth::bench {

// Blocks of so many starts, quiet and beside each kind of noise, in turns of an order that
// the seed makes. All of berthd's settings are as they come.
void measure_noise(int starts, int rounds, std::uint64_t seed, Figures& figures);

}  // namespace berth::bench
