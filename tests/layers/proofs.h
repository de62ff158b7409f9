// The pages of proof (docs/proof) name tests; a name that is no test's proves nothing.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace berth {

// What is wrong with the pages below `root`, as "page:line: ...": a test that is named and
// does not exist, a claim without a test or a command.
std::vector<std::string> unproved(const std::filesystem::path& root);

}  // namespace berth
