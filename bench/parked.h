// What one parked sandbox costs in memory, by the kernel's own accounts.
#pragma once

#include <filesystem>
#include <string>

namespace berth::bench {

// KiB of one sandbox.
struct ParkedMemory {
    double processes = 0;  // what its two processes share with nobody (smaps_rollup)
    double page_tables = 0;
    double stacks = 0;   // of the kernel, 16 KiB a thread
    double slab = 0;     // namespaces, mounts, sockets: by difference, so it needs a quiet machine
    double per_cpu = 0;  // likewise
    double total() const { return processes + page_tables + stacks + slab + per_cpu; }
};

// Medians over `rounds` times `count` sandboxes parked and taken down again.
ParkedMemory measure_parked(const std::string& launcher, const std::filesystem::path& program,
                            unsigned count, int rounds);

}  // namespace berth::bench
