// Power cuts by the hundred thousand; BERTH_CUTS says how many, BERTH_SEED plays one
// sequence again.
#include "tests/faults/cuts.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <iostream>

#include "tests/faults/operations.h"
#include "tests/support/seed.h"

using namespace berth;
using namespace berth::test;

namespace {

std::uint64_t cuts_wanted(std::uint64_t usual) {
    const char* given = std::getenv("BERTH_CUTS");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : usual;
}

CutReport cut(const char* what, std::uint64_t cuts, bool synchronous_normal) {
    const auto began = std::chrono::steady_clock::now();
    const CutReport report = cut_power({seeded_random(what)(), cuts, synchronous_normal});
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    std::cout << report.cuts << " power cuts in " << took.count() << " s: " << report.in_flight
              << " during a commit (" << report.in_flight_kept
              << " of these commits were there afterwards), " << report.in_recovery
              << " while the store was being opened, " << report.restarts << " to go on from; "
              << report.operations << " operations in " << report.commits
              << " acknowledged commits; " << report.cuts_with_loss
              << " cuts lost an acknowledged commit, " << report.triggers_lost
              << " acknowledged triggers were lost; rarest: ";
    const auto rarest = std::ranges::min_element(report.answered) - report.answered.begin();
    std::cout << operations()[static_cast<std::size_t>(rarest)].name << ", "
              << report.answered[static_cast<std::size_t>(rarest)] << " times\n";
    return report;
}

}  // namespace

TEST_CASE("no power cut loses or doubles what was acknowledged", "[faults]") {
    const CutReport report = cut("power cuts", cuts_wanted(100'000), false);
    for (const std::string& wrong : report.wrong)
        FAIL_CHECK(wrong);
    CHECK(report.cuts_with_loss == 0);
    CHECK(report.triggers_lost == 0);
    // Each kind of cut and each operation has come up.
    if (report.cuts < 100'000) return;
    CHECK(report.in_flight > report.cuts / 20);
    CHECK(report.in_flight_kept > report.cuts / 200);
    CHECK(report.in_recovery > report.cuts / 200);
    for (std::size_t i = 0; i < operations().size(); ++i) {
        INFO(operations()[i].name);
        CHECK(report.answered[i] >= 5);  // the rarest come up some 27 times
    }
}

TEST_CASE("the same power cuts find out synchronous=NORMAL", "[faults]") {
    const CutReport report = cut("power cuts, synchronous=NORMAL", 3'000, true);
    CHECK(report.cuts_with_loss >= report.cuts / 100);
    CHECK(report.triggers_lost > 0);
}
