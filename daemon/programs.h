// berth-oauth and berth-call on their way into the sandbox: a release like any other, made
// of the programs that lie beside berthd, or in ../lib/berth. Content-addressed, so that every
// start finds that of the one before, and an upgrade makes a new one. The one before it stays
// for a way back; what is older goes.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"

namespace berth {

// Where they may lie.
std::vector<std::filesystem::path> program_folders();

// Its content hash. Of each program the first that is found in `from`; not_found when there
// is none of any. Throws SystemError when it cannot read or write. Thread: work.
Result<std::string> store_programs(const std::vector<std::filesystem::path>& from,
                                   const std::filesystem::path& releases_dir);

}  // namespace berth
