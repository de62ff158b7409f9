// Bugs that the simulator must find. They exist in the simulator's build only:
// plants.cmake puts them into copies of the product's sources, each behind a
// switch, and fails when the text it changes is no longer there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth::sim {

bool planted(std::string_view bug);
void plant(std::string bug);  // empty: none
const std::vector<std::string>& all_plants();

// Bugs that were found in the product itself, by one seed in thousands. What the seeds do
// follows from the product's code: should they not meet the bug any more, others do.
struct RarePlant {
    std::string bug;
    std::vector<std::uint64_t> seeds;
};
const std::vector<RarePlant>& rare_plants();

}  // namespace berth::sim
