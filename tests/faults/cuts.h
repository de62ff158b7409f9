// Power cuts: a store that works at random on a Disk. At random moments of its I/O
// what a power cut would leave is put aside, opened and looked at; now and then the
// power really goes and the store goes on from there, also while it recovers. What
// is found must be exactly what was acknowledged; what was being committed may be
// there as a whole, or not at all.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace berth::test {

struct CutReport {
    std::uint64_t cuts = 0;
    std::uint64_t commits = 0;            // acknowledged
    std::uint64_t operations = 0;         // in them
    std::uint64_t in_flight = 0;          // cuts during a commit
    std::uint64_t in_flight_kept = 0;     // of those, whose commit was there afterwards
    std::uint64_t in_recovery = 0;        // cuts while the store was being opened
    std::uint64_t restarts = 0;           // cuts after which the store went on from what was left
    std::uint64_t cuts_with_loss = 0;     // an acknowledged commit was gone
    std::uint64_t triggers_lost = 0;      // acknowledged ones, by the clients' own list
    std::vector<std::string> wrong;       // first few: what else was not as it must be
    std::vector<std::uint64_t> answered;  // per operation: how often it did what it is for
};

struct CutOptions {
    std::uint64_t seed = 0;
    std::uint64_t cuts = 0;
    // The negative control: what SQLite's own default for this would lose.
    bool synchronous_normal = false;
};

CutReport cut_power(const CutOptions& options);

}  // namespace berth::test
