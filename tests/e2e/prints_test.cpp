// Twenty runs print while the daemons are killed: what is stored of each is what it printed,
// but for one read of at most 64 KiB where its runner died; and a prefix when all died.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <iostream>

#include "base/text.h"
#include "tests/e2e/counting.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;
using std::chrono::system_clock;

namespace {

constexpr int kRuns = 20;
constexpr std::size_t kRead = 64 * 1024;

// Starts a run of a tenant of its own for each.
std::vector<Script> start_all(Daemon& daemon, const std::string& script) {
    const auto made = daemon.install("prints", {{"PANDIUM.yaml", manifest(script)}},
                                     {{"wall_time_seconds", 86'400}});
    std::vector<Script> scripts{start_script(daemon, made.tenant)};
    while (scripts.size() < kRuns) {
        const std::int64_t tenant = daemon.must("POST", "/v2/tenants",
                                                {{"name", fmt::format("t-{}", scripts.size())},
                                                 {"integration_id", made.integration}})["id"];
        scripts.push_back(start_script(daemon, tenant));
    }
    return scripts;
}

std::string settings() {
    return fmt::format("max_runs = {}\nslots = {}\npool_size = 0\n", kRuns, kRuns + 4);
}

// As counting_script() prints it.
std::string printed(int lines) {
    std::string text;
    for (int i = 1; i <= lines; ++i)
        text += fmt::format("line {} {}\n", i, std::string(88, '.'));
    return text;
}

struct Gap {
    std::size_t at, bytes;
};
// Where `stored` leaves something of `all` out; fails the test when it has something else.
std::vector<Gap> gaps_in(const std::string& all, const std::string& stored) {
    std::vector<Gap> gaps;
    std::size_t at = 0;  // in `all`
    for (std::size_t seen = 0; seen < stored.size();) {
        const auto same =
            std::mismatch(stored.begin() + static_cast<std::ptrdiff_t>(seen), stored.end(),
                          all.begin() + static_cast<std::ptrdiff_t>(at), all.end());
        const auto length = static_cast<std::size_t>(same.first - stored.begin()) - seen;
        seen += length;
        at += length;
        if (seen == stored.size()) break;
        // Two lines are unlike any others, by their numbers.
        const auto next = all.find(stored.substr(seen, 250), at);
        INFO("after byte " << at << ": " << stored.substr(seen, 250));
        REQUIRE(next != all.npos);
        gaps.push_back({at, next - at});
        at = next;
    }
    if (at < all.size()) gaps.push_back({at, all.size() - at});
    return gaps;
}

}  // namespace

TEST_CASE("twenty runs that print lose at most one read each when their runner is killed",
          "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon{settings()};
    const auto scripts = start_all(daemon, counting_script(20, "0.1"));
    int kills_of_runner = 0;
    for (const auto& victims : std::vector<std::vector<std::string>>{
             {"berth-runner"}, {"berthd"}, {"berth-runner", "berthd"}}) {
        for (const Script& script : scripts)
            wait_for_more(daemon, script.run);
        end_daemons(daemon, victims, SIGKILL);
        daemon.wait_ready();
        kills_of_runner += victims.front() == "berth-runner" ? 1 : 0;
    }
    for (const Script& script : scripts)
        wait_for_more(daemon, script.run);
    let_go(daemon);

    // The control: what is missing is found.
    const auto whole = printed(1'000);
    const auto cut = gaps_in(whole, std::string{whole}.erase(12'345, 6'789));
    REQUIRE(cut.size() == 1);
    CHECK(cut[0].bytes == 6'789);

    std::size_t bytes = 0, lost = 0, largest = 0, gaps = 0;
    for (const Script& script : scripts) {
        const json run = daemon.wait_run(script.trigger);
        INFO(run.dump());
        REQUIRE(run["state"] == "succeeded");
        CHECK(run["attempt"] == 1);
        const auto all = printed(json::parse(run["std_out"].get<std::string>())["lines"]);
        const auto found = gaps_in(all, daemon.run_log(script.run, "stderr"));
        CHECK(found.size() <= static_cast<std::size_t>(kills_of_runner));
        for (const Gap& gap : found) {
            INFO("gap of " << gap.bytes << " bytes at " << gap.at << " of " << all.size());
            CHECK(gap.bytes <= kRead);
            lost += gap.bytes;
            largest = std::max(largest, gap.bytes);
        }
        bytes += all.size();
        gaps += found.size();
    }
    std::cout << fmt::format(
        "{} runs printed {:.1f} MB over {} kills of their runner and 2 of berthd: {} gaps, {} "
        "bytes "
        "lost, {} at most at once\n",
        scripts.size(), static_cast<double>(bytes) / 1e6, kills_of_runner, gaps, lost, largest);
    CHECK(daemon.nothing_sandboxed());
}

TEST_CASE("when everything is killed what is stored of twenty runs is what they printed until then",
          "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    constexpr double kBytesPerSecond = 20 * 40;  // of each run, at most
    Daemon daemon{settings()};
    const auto scripts = start_all(
        daemon, "i=0; while :; do i=$((i+1)); echo line $i $EPOCHREALTIME >&2; sleep 0.05; done");
    for (const Script& script : scripts)
        wait_for_more(daemon, script.run);
    const std::chrono::duration<double> killed = system_clock::now().time_since_epoch();
    daemon.stop(SIGKILL);
    CHECK(daemon.nothing_sandboxed());
    daemon.start();

    double longest = 0;
    for (const Script& script : scripts) {
        const json run = daemon.wait_run(script.trigger);
        INFO(run.dump());
        CHECK(run["reason"] == "lost: berth-runner no longer has it");
        int number = 0;
        double last = 0;
        for (const std::string& line : lines_of(daemon, script.run)) {
            const auto words = split(line, ' ');
            INFO(line);
            REQUIRE(words.size() == 3);
            REQUIRE(words[1] == std::to_string(++number));
            last = std::stod(words[2]);
        }
        REQUIRE(number > 5);
        const double missing = killed.count() - last;
        CHECK(missing * kBytesPerSecond <= static_cast<double>(kRead));
        longest = std::max(longest, missing);
    }
    std::cout << fmt::format("of {} runs at most the last {:.3f} s are missing\n", scripts.size(),
                             longest);
}
