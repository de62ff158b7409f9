// The N-th access to the disk fails, for every N until the operation gets through
// without meeting it: as once and for good, as each way a disk can fail. The real
// Store, its threads included, is what it happens to.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/faults/disk.h"
#include "tests/faults/operations.h"

namespace berth::test {

struct NthReport {
    std::uint64_t faults = 0;    // each at another N, kind or operation
    std::uint64_t refused = 0;   // the operation said that it could not
    std::uint64_t survived = 0;  // it was done in spite of the fault
    std::uint64_t kept = 0;      // refused, but on the disk afterwards: allowed, nobody was told
    std::uint64_t deepest = 0;   // the largest N
    std::vector<std::string> wrong;
};

// Stores, prepared once, that faults are tried on.
class NthFault {
public:
    explicit NthFault(std::uint64_t seed);
    ~NthFault();

    // One operation on a store that has work for it.
    void operation(const Operation& operation, NthReport& report);

    // Store::open on ...
    enum class Start {
        empty_disk,
        old_schema,        // of the first migration
        after_power_cut,   // with a write-ahead log to be read
        after_orderly_end  // without one
    };
    void start(Start from, NthReport& report);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

std::string describe(const Fault& fault);

}  // namespace berth::test
