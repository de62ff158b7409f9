// Hours of a host's life under everything that can go wrong, many times over; and
// the proof that the simulator would notice: each planted bug is found.
// BERTH_SIM_SECONDS: how long the first case may take.
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>

#include "base/log.h"
#include "tests/sim/plants.h"
#include "tests/sim/simulate.h"
#include "tests/support/seed.h"

using namespace berth;
using namespace berth::sim;
using namespace std::chrono_literals;

namespace {

struct Quiet {
    Quiet() {
        set_log_sink([](LogLevel, std::string_view, const LogFields&) {});
    }
    ~Quiet() {
        set_log_sink({});
        plant("");
    }
};

std::chrono::seconds allowed() {
    const char* given = std::getenv("BERTH_SIM_SECONDS");
    return given != nullptr ? std::chrono::seconds{std::strtoll(given, nullptr, 10)} : 30s;
}

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines)
        text += "\n  " + line;
    return text;
}

}  // namespace

TEST_CASE("nothing is lost, twice, unfair or silent, whatever goes wrong", "[sim]") {
    const Quiet quiet;
    auto random = test::seeded_random("sim");
    const auto end = std::chrono::steady_clock::now() + allowed();
    std::map<std::string, std::uint64_t> met;
    int seeds = 0;
    std::uint64_t events = 0;
    // The first is BERTH_SEED itself, so that a finding is found again at once.
    const char* given = std::getenv("BERTH_SEED");
    std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : random();
    // At least so many, however slow the machine is: fewer do not meet everything below.
    constexpr int kFewest = 20;
    for (; std::chrono::steady_clock::now() < end || seeds < kFewest; ++seeds, ++seed) {
        const Simulated simulated = simulate(seed);
        events += simulated.events;
        for (const auto& [what, times] : simulated.met)
            met[what] += times;
        INFO("BERTH_SEED=" << seed << joined(simulated.wrongs));
        REQUIRE(simulated.wrongs.empty());
    }
    std::cout << seeds << " seeds, " << events << " events\n";
    for (const auto& [what, times] : met)
        std::cout << "  " << times << "  " << what << '\n';

    // A branch that is never taken is not simulated.
    for (const char* what : {"killed before a commit",
                             "killed after a commit",
                             "the power went",
                             "a sync failed",
                             "the store broke and the daemon left",
                             "the disk was full",
                             "the clock went back",
                             "the clock went forward",
                             "a run was lost",
                             "a live run was adopted",
                             "a run waits again after a start",
                             "another host took over what had lapsed",
                             "a run was retried",
                             "triggers bundled",
                             "an end of an older attempt arrived",
                             "an end was written again",
                             "a run was handed over again",
                             "a client heard nothing and asked again",
                             "a trigger was refused",
                             "a pause ended with something to make up",
                             "a running run was cancelled",
                             "a waiting run was cancelled",
                             "a schedule was changed",
                             "a tenant was archived",
                             "a run began and started in one commit",
                             "a tenant came with a backlog"}) {
        INFO(what);
        CHECK(met[what] >= 1);
    }
}

TEST_CASE("a seed gives the same events again", "[sim]") {
    const Quiet quiet;
    auto random = test::seeded_random("sim");
    for (int i = 0; i < 3; ++i) {
        const std::uint64_t seed = random();
        const Simulated once = simulate(seed), again = simulate(seed);
        INFO("seed " << seed);
        CHECK(once.events == again.events);
        CHECK(once.hash == again.hash);
        CHECK(once.hash != simulate(seed + 1).hash);
    }
}

TEST_CASE("every planted bug is found", "[sim]") {
    const Quiet quiet;
    auto random = test::seeded_random("sim");
    constexpr int kSeeds = 200;
    for (const std::string& bug : all_plants()) {
        plant(bug);
        const std::uint64_t first = random();
        int seeds = 0;
        std::vector<std::string> wrongs;
        while (wrongs.empty() && seeds < kSeeds)
            wrongs = simulate(first + static_cast<std::uint64_t>(seeds++)).wrongs;
        INFO(bug << ", seeds from " << first);
        CHECK_FALSE(wrongs.empty());
        if (!wrongs.empty())
            std::cout << bug << ": found after " << seeds << " seeds: " << wrongs.front() << '\n';
    }
}

TEST_CASE("a bug that the product had is found by the seeds that found it", "[sim]") {
    const Quiet quiet;
    constexpr std::uint64_t kFurther = 300;
    for (const auto& [bug, seeds] : rare_plants()) {
        plant(bug);
        std::vector<std::uint64_t> tried = seeds;
        for (std::uint64_t seed = 1; seed <= kFurther; ++seed)
            tried.push_back(seed);
        std::vector<std::string> wrongs;
        std::uint64_t found = 0;
        for (std::size_t i = 0; i < tried.size() && wrongs.empty(); ++i)
            wrongs = simulate(found = tried[i]).wrongs;
        INFO(bug << ": look for another seed: berth_sim --plant " << bug << " --seeds 10000");
        REQUIRE_FALSE(wrongs.empty());
        std::cout << bug << ": found by seed " << found << ": " << wrongs.front() << '\n';
        plant("");
        const auto mended = simulate(found);
        INFO("without it" << joined(mended.wrongs));
        CHECK(mended.wrongs.empty());
    }
}
