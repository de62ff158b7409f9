// Where secrets might have been left: all files below a folder, and the memory of a process.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "tests/e2e/finder.h"

namespace berth::test {

struct Scan {
    std::size_t things = 0;  // files, or regions
    std::size_t hits = 0;
    std::uint64_t bytes = 0;
    std::string where;
};

Scan scan_files(Finder& finder, const std::filesystem::path& folder);

enum class Until { end, first_hit };
// All that a process can read of itself.
Scan scan_memory(Finder& finder, pid_t pid, Until until = Until::end);

}  // namespace berth::test
