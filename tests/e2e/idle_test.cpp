// The daemons when there is nothing to do: started and stopped again and again they leave
// nothing behind, and idle they sleep. BERTH_STARTS says how often, ./dev starts a thousand
// times.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <thread>

#include "base/text.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

const std::vector<std::string> kPrograms{"berthd", "berth-runner", "berth-launcher",
                                         "berth-egress"};

std::int64_t line_of(const fs::path& status, const std::string& name) {
    std::ifstream file{status};
    for (std::string line; std::getline(file, line);)
        if (line.starts_with(name + ":")) {
            std::string_view text = berth::trim(std::string_view{line}.substr(name.size() + 1));
            return berth::to_number<std::int64_t>(text.substr(0, text.find(' '))).value_or(0);
        }
    return 0;
}

// How often all threads of a process went to sleep of their own accord: each is a wake-up.
std::int64_t sleeps(pid_t pid) {
    std::int64_t count = 0;
    for (const auto& thread : fs::directory_iterator{fmt::format("/proc/{}/task", pid)})
        count += line_of(thread.path() / "status", "voluntary_ctxt_switches");
    return count;
}

std::map<std::string, std::int64_t> sleeps_of_all(const Daemon& daemon) {
    std::map<std::string, std::int64_t> counts;
    for (const auto& program : kPrograms)
        counts[program] = sleeps(daemon.pid_of(program));
    return counts;
}

std::string mounts() { return berth::read_file("/proc/self/mountinfo", 16 << 20).value(); }

}  // namespace

TEST_CASE("starting and stopping again and again leaves nothing behind", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const char* given = std::getenv("BERTH_STARTS");
    const int times = given == nullptr ? 5 : berth::to_number<int>(given).value();
    const berth::TempDir root{"berth-starts"};
    Daemon daemon{root.path(), "max_runs = 2\nslots = 8\npool_size = 2\n"};
    std::vector<std::chrono::milliseconds> to_start, to_stop;
    const auto since = [](auto begin) {
        return std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::steady_clock::now() - begin);
    };
    for (int i = 0; i < times; ++i) {
        INFO("start " << i);
        auto begin = std::chrono::steady_clock::now();
        daemon.start();
        to_start.push_back(since(begin));
        begin = std::chrono::steady_clock::now();
        const int status = daemon.stop(SIGTERM);
        to_stop.push_back(since(begin));
        REQUIRE(WIFEXITED(status));
        REQUIRE(WEXITSTATUS(status) == 0);
        REQUIRE(daemon.nothing_sandboxed());
        REQUIRE(mounts().find(root.path().string()) == std::string::npos);
        for (const auto& entry : fs::directory_iterator{root.path() / "run"}) {
            INFO("left: " << entry.path());
            REQUIRE_FALSE(entry.is_socket());
        }
    }
    std::ranges::sort(to_start);
    std::ranges::sort(to_stop);
    std::cout << fmt::format(
        "{} starts and stops: ready after {} ms (median), {} ms (longest); stopped after {} ms, "
        "{} ms\n",
        times, to_start[to_start.size() / 2].count(), to_start.back().count(),
        to_stop[to_stop.size() / 2].count(), to_stop.back().count());
}

TEST_CASE("idle daemons wake up less than ten times a second", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install("idles", {{"PANDIUM.yaml", manifest("echo ok")}});
    REQUIRE(daemon.run(made.tenant)["state"] == "succeeded");
    // A stretch in which all was quiet is enough: the pool fills up behind a run, and what is
    // swept after a start comes once.
    constexpr auto kStretch = 10s;
    std::map<std::string, std::int64_t> counts;
    double seconds = 0;
    const bool quiet = eventually([&] {
        const auto before = sleeps_of_all(daemon);
        const auto begin = std::chrono::steady_clock::now();
        std::this_thread::sleep_for(kStretch);  // what is measured is that nothing happens
        counts = sleeps_of_all(daemon);
        seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        for (auto& [program, count] : counts)
            count -= before.at(program);
        return std::ranges::all_of(counts, [&](const auto& entry) {
            return static_cast<double>(entry.second) < 10 * seconds;
        });
    });
    for (const auto& [program, count] : counts)
        std::cout << fmt::format("{} woke up {:.1f} times a second\n", program,
                                 static_cast<double>(count) / seconds);
    CHECK(quiet);
}
