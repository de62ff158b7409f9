// Every operation and every start, with a fault at every access to the disk.
#include "tests/faults/nth.h"

#include <catch2/catch.hpp>
#include <iostream>

#include "tests/support/seed.h"

using namespace berth;
using namespace berth::test;

namespace {

void check(const NthReport& report, const std::string& what) {
    std::cout << what << ": " << report.faults << " faults, the deepest at access "
              << report.deepest << "; " << report.refused << " refusals (" << report.kept
              << " of them found on the disk afterwards), " << report.survived << " successes\n";
    for (const std::string& wrong : report.wrong)
        FAIL_CHECK(wrong);
}

}  // namespace

TEST_CASE("a fault at any access never makes a success without a commit", "[faults]") {
    NthFault world{seeded_random("N-th fault")()};
    NthReport writes, reads;
    for (const Operation& operation : operations())
        world.operation(operation, operation.effect == Effect::writes ? writes : reads);
    check(writes, "writes");
    check(reads, "reads");
    CHECK(writes.faults > 2'000);
    CHECK(reads.faults > 200);
}

TEST_CASE("a fault at any access of a start leaves a store that starts the next time", "[faults]") {
    NthFault world{seeded_random("N-th fault at a start")()};
    for (const auto& [start, name] :
         {std::pair{NthFault::Start::empty_disk, "an empty disk"},
          std::pair{NthFault::Start::old_schema, "an old schema"},
          std::pair{NthFault::Start::after_power_cut, "after a power cut"},
          std::pair{NthFault::Start::after_orderly_end, "after an orderly end"}}) {
        NthReport report;
        world.start(start, report);
        check(report, name);
        CHECK(report.faults > 10);
        CHECK(report.refused > 0);
    }
}
