// The supervisor survives everything: runs that end well, crash, hang, flood, fork,
// die in setup or are cancelled, by the real runner and launcher, and afterwards
// nothing is left of any of them. BERTH_RUNS sets their number (10,000 in full).
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <set>
#include <utility>

#include "base/loop/timer.h"
#include "tests/isolation/own_networks.h"
#include "tests/runner/real_programs.h"
#include "tests/support/needs_sandbox.h"
#include "tests/support/run_loop.h"
#include "tests/support/seed.h"

using namespace berth;
using ipc::EndKind;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kInFlight = 6;

// One way for a run to go, and how it must be reported.
struct Way {
    const char* name;
    std::size_t weight;
    ipc::Start (*start)(const RealPrograms& berth, std::int64_t run);
    bool (*as_expected)(const ipc::Ended& ended);
    bool cancelled = false;
};

bool exited(const ipc::Ended& ended, int code) {
    return ended.kind == EndKind::exited && ended.number == code;
}
bool by_signal(const ipc::Ended& ended, int signo) {
    return ended.kind == EndKind::signalled && ended.number == signo;
}
bool failed(const ipc::Ended& ended) { return ended.kind == EndKind::setup_failed; }

const Way kWays[] = {
    {"ends at once", 30,
     [](const RealPrograms& berth, std::int64_t run) {
         auto start = berth.script(run, "");
         start.argv = {"/bin/true"};
         return start;
     },
     [](const ipc::Ended& e) { return exited(e, 0); }},
    {"fails", 15, [](const RealPrograms& b, std::int64_t run) { return b.script(run, "exit 3"); },
     [](const ipc::Ended& e) { return exited(e, 3); }},
    {"crashes", 15,
     [](const RealPrograms& b, std::int64_t run) { return b.script(run, "kill -SEGV $$"); },
     [](const ipc::Ended& e) { return by_signal(e, SIGSEGV); }},
    {"kills itself", 8,
     [](const RealPrograms& b, std::int64_t run) { return b.script(run, "kill -KILL $$"); },
     [](const ipc::Ended& e) { return by_signal(e, SIGKILL); }},
    {"floods its output", 8,
     [](const RealPrograms& b, std::int64_t run) {
         return b.script(run, "head -c 300000 /dev/zero; echo; echo '{}'");
     },
     [](const ipc::Ended& e) { return exited(e, 0); }},
    {"leaves processes behind", 8,
     [](const RealPrograms& b, std::int64_t run) {
         return b.script(run, "for i in 1 2 3; do (trap '' TERM HUP; setsid sleep 1000) & done");
     },
     [](const ipc::Ended& e) { return exited(e, 0); }},
    {"forks without end", 1,
     [](const RealPrograms& b, std::int64_t run) {
         return b.script(run, "while :; do sleep 1000 & done");
     },
     [](const ipc::Ended& e) { return e.kind == EndKind::exited && e.number != 0; }},
    {"hangs", 1,
     [](const RealPrograms& b, std::int64_t run) {
         auto start = b.script(run, "exec sleep 1000");
         start.wall_time_s = 1;
         return start;
     },
     [](const ipc::Ended& e) { return e.kind == EndKind::timed_out; }},
    {"stops itself", 1,
     [](const RealPrograms& b, std::int64_t run) {
         auto start = b.script(run, "kill -STOP $$");
         start.wall_time_s = 1;
         return start;
     },
     [](const ipc::Ended& e) { return e.kind == EndKind::timed_out; }},
    {"is cancelled", 6,
     [](const RealPrograms& b, std::int64_t run) { return b.script(run, "exec sleep 1000"); },
     [](const ipc::Ended& e) { return e.kind == EndKind::cancelled; }, true},
    {"has no program", 4,
     [](const RealPrograms& b, std::int64_t run) {
         auto start = b.script(run, "");
         start.argv = {"/app/no-such-program"};
         return start;
     },
     failed},
    {"has no release", 4,
     [](const RealPrograms& b, std::int64_t run) {
         auto start = b.script(run, "");
         start.release = "no-such-release";
         return start;
     },
     failed},
};

const Way& any_way(std::mt19937_64& random) {
    std::size_t all = 0;
    for (const Way& way : kWays)
        all += way.weight;
    std::size_t at = test::below(random, all);
    for (const Way& way : kWays) {
        if (at < way.weight) return way;
        at -= way.weight;
    }
    return kWays[0];
}

std::size_t lines_of(const std::string& path) {
    std::ifstream file{path};
    return static_cast<std::size_t>(
        std::count(std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}, '\n'));
}

std::size_t entries_of(const std::string& folder) {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator{folder}, fs::directory_iterator{}));
}

// What the process itself holds, in memory or swapped out: pages of files come and go with
// what the whole machine needs.
std::size_t resident_kib(pid_t pid) {
    std::ifstream status{"/proc/" + std::to_string(pid) + "/status"};
    std::size_t kib = 0;
    for (std::string line; std::getline(status, line);)
        for (const char* name : {"RssAnon:", "VmSwap:"})
            if (line.starts_with(name)) kib += std::stoul(line.substr(std::strlen(name)));
    return kib;
}

// Groups of this launcher's sandboxes, below a folder called after its first uid.
std::size_t cgroups_of(std::uint32_t first_uid) {
    const std::string name = "/berth-" + std::to_string(first_uid) + "/slot-";
    std::size_t count = 0;
    std::error_code gone;  // others come and go meanwhile
    for (fs::recursive_directory_iterator at{"/sys/fs/cgroup", gone}, end; at != end;
         at.increment(gone))
        if (at->is_directory(gone) && at->path().string().find(name) != std::string::npos) ++count;
    return count;
}

// What could be left over, of both programs.
struct Counts {
    std::size_t processes = 0;  // of sandboxes
    std::size_t mounts = 0;     // in the launcher's namespace
    std::size_t cgroups = 0;
    std::size_t networks = 0;  // that one of the programs or a sandbox is in, or has a socket of
    std::size_t launcher_descriptors = 0;
    std::size_t runner_descriptors = 0;

    bool operator==(const Counts&) const = default;
    // No more than that.
    bool within(const Counts& other) const {
        return processes <= other.processes && mounts <= other.mounts && cgroups <= other.cgroups &&
               networks <= other.networks && launcher_descriptors <= other.launcher_descriptors &&
               runner_descriptors <= other.runner_descriptors;
    }
};

std::vector<pid_t> processes_of(const RealPrograms& berth) {
    std::vector<pid_t> all = berth.sandbox_pids();
    all.push_back(berth.launcher->pid());
    all.push_back(berth.runner->pid());
    return all;
}

Counts count(const RealPrograms& berth) {
    const std::string launcher = "/proc/" + std::to_string(berth.launcher->pid());
    const std::string runner = "/proc/" + std::to_string(berth.runner->pid());
    return {berth.sandbox_processes().size(),
            lines_of(launcher + "/mountinfo"),
            cgroups_of(berth.heard.hellos.at(0).first_uid),
            networks_of(processes_of(berth)).size(),
            entries_of(launcher + "/fd"),
            entries_of(runner + "/fd")};
}

std::ostream& operator<<(std::ostream& out, const Counts& c) {
    return out << "processes " << c.processes << ", mounts " << c.mounts << ", cgroups "
               << c.cgroups << ", network namespaces " << c.networks << ", descriptors "
               << c.launcher_descriptors << " + " << c.runner_descriptors;
}

// Runs them, so many at once, and checks each end.
void run_many(RealPrograms& berth, std::mt19937_64& random, std::int64_t first, std::size_t runs) {
    std::map<std::int64_t, const Way*> live;
    std::set<std::int64_t> cancelled;
    std::int64_t next = first;
    const auto end = first + static_cast<std::int64_t>(runs);
    while (next < end || !live.empty()) {
        while (next < end && live.size() < kInFlight) {
            const Way& way = any_way(random);
            berth.berthd->send(way.start(berth, next));
            live[next++] = &way;
        }
        test::run_until(berth.loop, [&] {
            for (const auto& started : berth.heard.started) {
                const auto at = live.find(started.run_id);
                if (at != live.end() && at->second->cancelled &&
                    cancelled.insert(started.run_id).second)
                    berth.berthd->send(ipc::Cancel{started.run_id, 1});
            }
            berth.heard.started.clear();
            return !berth.heard.ended.empty() || !berth.heard.closed.empty();
        });
        REQUIRE(berth.heard.closed.empty());
        for (const auto& [run, ended] : berth.heard.ended) {
            const Way& way = *live.at(run);
            if (!way.as_expected(ended))
                FAIL("run " << run << ", which " << way.name << ": kind "
                            << static_cast<int>(ended.kind) << ", number " << ended.number
                            << ", text '" << ended.text << "'");
            live.erase(run);
        }
        // So that this test's own memory stays flat too.
        berth.heard.ended.clear();
        berth.heard.outputs.clear();
    }
}

// Looks again and again, while the loop turns, until `wanted` or a deadline.
bool eventually(RealPrograms& berth, const std::function<bool()>& wanted) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{180};
    while (!wanted()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        bool turned = false;
        Timer next{berth.loop, [&turned] { turned = true; }};
        next.start(std::chrono::milliseconds{20});
        test::run_until(berth.loop, [&turned] { return turned; });
    }
    return true;
}

struct Memory {
    std::size_t launcher_kib;
    std::size_t runner_kib;
};

Memory memory(const RealPrograms& berth) {
    return {resident_kib(berth.launcher->pid()), resident_kib(berth.runner->pid())};
}

}  // namespace

TEST_CASE("whatever runs do, nothing of them is left and memory stays flat", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    const char* given = std::getenv("BERTH_RUNS");
    const std::size_t runs = given != nullptr ? std::stoul(given) : 300;
    auto random = test::seeded_random("survival");
    RealPrograms berth{{}, RealPrograms::HostNetwork::refused, /*pool=*/4};
    // Allocators and pools fill up first.
    const std::size_t warm_up = std::min<std::size_t>(runs / 3 + 20, 500);
    run_many(berth, random, 1, warm_up);
    // Nothing runs: what is there now belongs to the programs, or is parked.
    Counts before;
    REQUIRE(eventually(berth, [&] {
        const Counts now = count(berth);
        return std::exchange(before, now) == now && now.processes > 0;
    }));
    const Memory memory_before = memory(berth);
    std::cout << "before " << runs << " runs: " << before << ", memory "
              << memory_before.launcher_kib << " + " << memory_before.runner_kib << " KiB\n";

    const auto begun = std::chrono::steady_clock::now();
    run_many(berth, random, 100'000, runs);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;

    // Slots are emptied shortly after the end of their run was reported.
    Counts after;
    (void)eventually(berth, [&] { return (after = count(berth)).within(before); });
    const Memory memory_after = memory(berth);
    std::cout << "after " << runs << " runs: " << after << ", memory " << memory_after.launcher_kib
              << " + " << memory_after.runner_kib << " KiB, "
              << static_cast<double>(runs) / took.count() << " runs/s\n";
    CHECK(after.processes <= before.processes);
    CHECK(after.mounts <= before.mounts);
    CHECK(after.cgroups <= before.cgroups);
    // The programs' own, and one for each parked sandbox with its two processes.
    CHECK(before.networks == 1 + before.processes / 2);
    CHECK(after.networks <= before.networks);
    CHECK(after.launcher_descriptors <= before.launcher_descriptors);
    CHECK(after.runner_descriptors <= before.runner_descriptors);
    CHECK(memory_after.launcher_kib < memory_before.launcher_kib + 1024);
    CHECK(memory_after.runner_kib < memory_before.runner_kib + 8192);  // sanitized, it keeps some

    // Nor is anything left of the programs when they end.
    const std::uint32_t first_uid = berth.heard.hellos.at(0).first_uid;
    INFO("the first uid is " << first_uid);
    berth.berthd.reset();
    CHECK(eventually(berth, [&] { return berth.sandbox_processes().empty(); }));
    CHECK(eventually(berth, [&] { return cgroups_of(first_uid) == 0; }));
}
