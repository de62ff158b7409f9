// The supervisor survives everything: runs that end well, crash, hang, flood, fork,
// speak to the network, die in setup or are cancelled, in complete, parked and new
// sandboxes, by the real runner, launcher and berth-egress; and afterwards nothing is left
// of any of them. BERTH_RUNS sets their number (`./dev survive` does 10,000).
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <set>
#include <utility>

#include "base/loop/timer.h"
#include "tests/egress/host.h"
#include "tests/isolation/own_networks.h"
#include "tests/isolation/ways.h"
#include "tests/support/needs_sandbox.h"
#include "tests/support/run_loop.h"
#include "tests/support/seed.h"

using namespace berth;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kInFlight = 6;
constexpr unsigned kPool = 2;  // of each class, of which there are two

std::size_t lines_of(const std::string& path) {
    std::ifstream file{path};
    return static_cast<std::size_t>(
        std::count(std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}, '\n'));
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
    std::size_t egress_descriptors = 0;

    bool operator==(const Counts&) const = default;
    // No more than that.
    bool within(const Counts& other) const {
        return processes <= other.processes && mounts <= other.mounts && cgroups <= other.cgroups &&
               networks <= other.networks && launcher_descriptors <= other.launcher_descriptors &&
               runner_descriptors <= other.runner_descriptors &&
               egress_descriptors <= other.egress_descriptors;
    }
};

// All that takes part.
struct Berth {
    Berth() {
        egress.start(programs.loop, programs.runner_uid());
        test::run_until(programs.loop,
                        [this] { return programs.heard.hellos.back().egress_present; });
    }
    ~Berth() { egress.program.reset(); }  // before the loop
    Berth(const Berth&) = delete;
    Berth& operator=(const Berth&) = delete;

    egress_test::Egress egress;
    RealPrograms programs{
        {"--egress-socket", egress.path()}, RealPrograms::HostNetwork::refused, kPool};
    // Of the runs so far.
    std::size_t warm = 0;
    std::size_t cold = 0;
    std::size_t connections = 0;
};

Counts count(const Berth& berth) {
    const RealPrograms& programs = berth.programs;
    std::vector<pid_t> processes = programs.sandbox_pids();
    for (const Child* child :
         {programs.launcher.get(), programs.runner.get(), berth.egress.program.get()})
        processes.push_back(child->pid());
    // The runner's listeners are counted by their networks.
    return {programs.sandbox_processes().size(),
            lines_of("/proc/" + std::to_string(programs.launcher->pid()) + "/mountinfo"),
            cgroups_of(programs.heard.hellos.at(0).first_uid),
            networks_of(processes).size(),
            descriptors_of(programs.launcher->pid()),
            descriptors_of(programs.runner->pid()),
            descriptors_of(berth.egress.program->pid())};
}

std::ostream& operator<<(std::ostream& out, const Counts& c) {
    return out << "processes " << c.processes << ", mounts " << c.mounts << ", cgroups "
               << c.cgroups << ", network namespaces " << c.networks << ", descriptors "
               << c.launcher_descriptors << " + " << c.runner_descriptors << " + "
               << c.egress_descriptors;
}

// Runs them, a few at once and many by turns, and checks each end.
void run_many(Berth& berth, std::mt19937_64& random, std::int64_t first, std::size_t runs) {
    RealPrograms& programs = berth.programs;
    Heard& heard = programs.heard;
    std::map<std::int64_t, const Way*> live;
    std::set<std::int64_t> cancelled;
    std::int64_t next = first;
    const auto end = first + static_cast<std::int64_t>(runs);
    while (next < end || !live.empty()) {
        // Two at once find sandboxes complete; many, none left at all.
        const std::size_t at_once = next / 20 % 2 == 0 ? 2 : kInFlight;
        while (next < end && live.size() < at_once) {
            const Way& way = any_way(random);
            programs.berthd->send(way.start(programs, next));
            live[next++] = &way;
        }
        test::run_until(programs.loop, [&] {
            for (const auto& started : heard.started) {
                ++(started.warm ? berth.warm : berth.cold);
                const auto at = live.find(started.run_id);
                if (at != live.end() && at->second->cancelled &&
                    cancelled.insert(started.run_id).second)
                    programs.berthd->send(ipc::Cancel{started.run_id, 1});
            }
            heard.started.clear();
            return !heard.ended.empty() || !heard.closed.empty();
        });
        REQUIRE(heard.closed.empty());
        for (const auto& [run, ended] : heard.ended) {
            const Way& way = *live.at(run);
            if (!way.as_expected(ended))
                FAIL("run " << run << ", which " << way.name << ": kind "
                            << static_cast<int>(ended.kind) << ", number " << ended.number
                            << ", text '" << ended.text << "'");
            live.erase(run);
            programs.berthd->send(ipc::Settled{{run, 1}});  // else the runner keeps its end
        }
        // So that this test's own memory stays flat too.
        heard.ended.clear();
        heard.outputs.clear();
        berth.connections += heard.connections.size();
        heard.connections.clear();
        if (heard.pools.size() > 1) heard.pools.erase(heard.pools.begin(), heard.pools.end() - 1);
    }
}

// Looks again and again, while the loop turns, until `wanted` or a deadline.
bool eventually(Berth& berth, const std::function<bool()>& wanted,
                std::chrono::seconds patience = std::chrono::seconds{180}) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!wanted()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        bool turned = false;
        Timer next{berth.programs.loop, [&turned] { turned = true; }};
        next.start(std::chrono::milliseconds{20});
        test::run_until(berth.programs.loop, [&turned] { return turned; });
    }
    return true;
}

// What there is when nothing runs: the programs' own, and what is parked or complete.
Counts settled(Berth& berth, std::int64_t run) {
    RealPrograms& programs = berth.programs;
    constexpr std::size_t kWaiting = 2 * kPool + 1;
    Counts counts;
    const auto nothing_more = [&] {
        const Counts now = count(berth);
        const ipc::Pool pool =
            programs.heard.pools.empty() ? ipc::Pool{} : programs.heard.pools.back();
        return std::exchange(counts, now) == now && pool.parked == 2 * kPool &&
               pool.complete == 1 && now.processes == 2 * kWaiting;
    };
    // One is completed for a run like this; once more where that could not be.
    for (int tries = 0; tries < 5; ++tries) {
        (void)programs.run(programs.script(run + tries, "exit 0"));
        programs.heard.ended.clear();
        programs.berthd->send(ipc::Settled{{run + tries, 1}});
        if (eventually(berth, nothing_more, std::chrono::seconds{60})) return counts;
    }
    FAIL("the pool does not fill up again: " << counts);
    return counts;
}

struct Memory {
    std::size_t launcher_kib;
    std::size_t runner_kib;
    std::size_t egress_kib;
};

Memory memory(const Berth& berth) {
    return {resident_kib(berth.programs.launcher->pid()),
            resident_kib(berth.programs.runner->pid()), resident_kib(berth.egress.program->pid())};
}

std::ostream& operator<<(std::ostream& out, const Memory& m) {
    return out << "memory " << m.launcher_kib << " + " << m.runner_kib << " + " << m.egress_kib
               << " KiB";
}

}  // namespace

TEST_CASE("whatever runs do, nothing of them is left and memory stays flat", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    const char* given = std::getenv("BERTH_RUNS");
    const std::size_t runs = given != nullptr ? std::stoul(given) : 300;
    auto random = test::seeded_random("survival");
    Berth berth;
    // Allocators and pools fill up first.
    const std::size_t warm_up = std::min<std::size_t>(runs / 3 + 20, 500);
    run_many(berth, random, 1, warm_up);
    const Counts before = settled(berth, 50'000);
    const Memory memory_before = memory(berth);
    std::cout << "before " << runs << " runs: " << before << ", " << memory_before << std::endl;

    const auto begun = std::chrono::steady_clock::now();
    constexpr std::size_t kStep = 1'000;
    for (std::size_t done = 0; done < runs; done += kStep) {
        const std::size_t step = std::min(kStep, runs - done);
        run_many(berth, random, 100'000 + static_cast<std::int64_t>(done), step);
        const Memory now = memory(berth);
        std::cout << "after " << done + step << ": " << now << std::endl;
        CHECK(now.launcher_kib < memory_before.launcher_kib + 1024);
        CHECK(now.runner_kib < memory_before.runner_kib + 8192);  // sanitized, it keeps some
        CHECK(now.egress_kib < memory_before.egress_kib + 8192);
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;

    // Slots are emptied shortly after the end of their run was reported.
    Counts after = settled(berth, 60'000);
    (void)eventually(berth, [&] { return (after = count(berth)).within(before); });
    const auto& pool = berth.programs.heard.pools.back();
    std::cout << "after " << runs << " runs: " << after << "; " << berth.cold << " cold, "
              << berth.warm << " warm, of those about " << pool.complete_hits << " complete; "
              << berth.connections << " connections; " << static_cast<double>(runs) / took.count()
              << " runs/s\n";
    CHECK(after.processes <= before.processes);
    CHECK(after.mounts <= before.mounts);
    CHECK(after.cgroups <= before.cgroups);
    // The programs' own, and one for each sandbox that waits, with its two processes.
    CHECK(before.networks == 1 + before.processes / 2);
    CHECK(after.networks <= before.networks);
    CHECK(after.launcher_descriptors <= before.launcher_descriptors);
    CHECK(after.runner_descriptors <= before.runner_descriptors);
    CHECK(after.egress_descriptors <= before.egress_descriptors);
    // All three ways into a sandbox, and the network.
    CHECK(berth.cold > 0);
    CHECK(berth.warm > 0);
    CHECK(pool.complete_hits > 0);
    CHECK(berth.connections > 0);

    // Nor is anything left of the programs when they end.
    const std::uint32_t first_uid = berth.programs.heard.hellos.at(0).first_uid;
    INFO("the first uid is " << first_uid);
    berth.programs.berthd.reset();
    CHECK(eventually(berth, [&] { return berth.programs.sandbox_processes().empty(); }));
    CHECK(eventually(berth, [&] { return cgroups_of(first_uid) == 0; }));
}
