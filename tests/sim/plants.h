// Bugs that the simulator must find. They exist in the simulator's build only:
// plants.cmake puts them into copies of the product's sources, each behind a
// switch, and fails when the text it changes is no longer there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace berth::sim {

bool planted(std::string_view bug);
void plant(std::string bug);  // empty: none
const std::vector<std::string>& all_plants();

}  // namespace berth::sim
