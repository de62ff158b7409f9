// The plan of a run, read where it lies in memory: pid 2 allocates nothing for it.
// The runner is trusted, its bytes are checked all the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "sandbox/ipc/launcher_protocol.h"

namespace berth::launcher {

inline constexpr std::uint64_t kMaxPlanBytes = std::uint64_t{256} << 20;

// Entries that may be added behind the environment's last one, where it lies.
inline constexpr std::size_t kSpareEnvironment = 3;

struct Plan {
    char** argv = nullptr;  // both end with a null pointer
    char** envp = nullptr;  // kSpareEnvironment more pointers are behind it
    const char* folder = nullptr;
    std::span<char> files;  // for next_file()
};

// One file to write below /work. `name` is a plain relative path: no empty, '.' or
// '..' component.
struct File {
    const char* name = nullptr;
    std::uint32_t mode = 0;
    std::span<const char> content;
};

// How many pointers parse_plan() needs room for; 0 when the header makes no sense.
std::size_t plan_pointers(const ipc::PlanHeader& header);

// 0, or an errno value: EINVAL for anything that is not exactly one plan. `packet` is
// the header that came with the memory, `memory` must begin with the same one.
int parse_plan(const ipc::PlanHeader& packet, std::span<char> memory, std::span<char*> pointers,
               Plan& plan);

// Takes the next file off the front of `files`; false at the end, or at bytes that are
// no file (then `files` is not empty).
bool next_file(std::span<char>& files, File& file);

}  // namespace berth::launcher
