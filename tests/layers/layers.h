// Reads a checkout and says where it breaks the rules of its own architecture:
// the arrows between folders, the size and the opening of files, where heavy
// headers and the vault's opening half may appear.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace berth {

// One line for each breach, `file:line: what is wrong`, sorted; empty: none.
std::vector<std::string> breaches(const std::filesystem::path& root);

// How many source files breaches() looks at; 0 would make every check pass.
std::size_t count_sources(const std::filesystem::path& root);

}  // namespace berth
