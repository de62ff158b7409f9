// The series of upgrades: berthd and berth-runner are started again, again and again, below
// live runs that print. BERTH_UPGRADES and BERTH_UPGRADE_RUNS make it longer.
#include <fmt/format.h>
#include <signal.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <iostream>

#include "base/text.h"
#include "tests/e2e/counting.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;

namespace {

constexpr int kBytesPerSecond = 1'000'000;  // of all runs together
constexpr int kLineBytes = 100;
constexpr int kBlocksPerSecond = 4;

int number_from(const char* variable, int otherwise) {
    const char* text = std::getenv(variable);
    return text == nullptr ? otherwise : to_number<int>(text).value();
}

double metric(Daemon& daemon, const std::string& series) {
    for (const std::string& line : split(daemon.request("GET", "/metrics").body, '\n'))
        if (line.starts_with(series + " ")) return std::stod(line.substr(series.size() + 1));
    return -1;
}

}  // namespace

TEST_CASE("upgrades below live runs kill none, run none twice and lose no byte", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const int upgrades = number_from("BERTH_UPGRADES", 5);
    const int runs = number_from("BERTH_UPGRADE_RUNS", 10);
    Daemon daemon{fmt::format("max_runs = {}\nslots = {}\npool_size = 0\n", runs, runs + 4)};
    const int lines = kBytesPerSecond / kLineBytes / kBlocksPerSecond / runs;
    const auto made = daemon.install(
        "upgraded",
        {{"PANDIUM.yaml",
          manifest(counting_script(lines, fmt::format("{}", 1.0 / kBlocksPerSecond)))}},
        {{"wall_time_seconds", 86'400}});
    std::vector<std::int64_t> tenants{made.tenant};
    while (tenants.size() < static_cast<std::size_t>(runs))
        tenants.push_back(daemon.must("POST", "/v2/tenants",
                                      {{"name", fmt::format("tenant-{}", tenants.size())},
                                       {"integration_id", made.integration}})["id"]);
    std::vector<Script> scripts;
    for (const auto tenant : tenants)
        scripts.push_back(start_script(daemon, tenant));

    const auto begun = std::chrono::steady_clock::now();
    auto longest = 0ms;
    for (int times = 0; times < upgrades; ++times) {
        const auto from = std::chrono::steady_clock::now();
        end_daemons(daemon, {"berthd", "berth-runner"}, SIGTERM);
        daemon.wait_ready();
        longest = std::max(longest, std::chrono::duration_cast<std::chrono::milliseconds>(
                                        std::chrono::steady_clock::now() - from));
        // This berthd has heard from them.
        REQUIRE(eventually(
            [&] { return metric(daemon, "berth_run_output_bytes_total") > kBytesPerSecond / 4; }));
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    const json live = daemon.must("GET", "/v2/runs?state=running&limit=500");
    CHECK(live.size() == scripts.size());
    let_go(daemon);
    for (const Script& script : scripts)
        check_whole(daemon, script);
    std::uint64_t printed = 0;
    for (const Script& script : scripts)
        printed += daemon.run_log(script.run, "stderr").size();
    std::cout << fmt::format(
        "{} upgrades below {} runs in {:.1f} s: {:.1f} MB printed and kept, {:.2f} MB/s; berthd "
        "was back after {} ms at most\n",
        upgrades, runs, took.count(), static_cast<double>(printed) / 1e6,
        static_cast<double>(printed) / 1e6 / took.count(), longest.count());
    CHECK(daemon.must("GET", "/v2/runs?limit=500").size() == scripts.size());
    CHECK(daemon.nothing_sandboxed());
}
