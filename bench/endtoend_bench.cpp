// From a trigger through the API of real daemons to the first byte of a sandboxed script,
// against one fsync and one posix_spawn; and how many runs a second are kept up with, against
// a loop that spawns and keeps its records in SQLite. All in turns. `--peers` adds others;
// `--load`, `--overload` and `--noisy` measure the same under load, instead.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <random>

#include "bench/endtoend.h"
#include "bench/figures.h"
#include "bench/noise.h"
#include "bench/queue_peers.h"
#include "bench/under_load.h"

using namespace berth;
using bench::Sustained;
using bench::Wanted;

namespace {

constexpr const char* kBerth = "berth";
constexpr const char* kBare = "one fsync, one posix_spawn";
constexpr const char* kBash = "one fsync, one posix_spawn of bash -c";
constexpr const char* kLoop = "bare loop with SQLite FULL";

struct Options {
    int n = 20;
    int rounds = 10;
    std::vector<int> clients{1, 2, 4, 8};
    int sustained = 200;
    int waiting = 400;
    int max_runs = 8;
    std::string peers;
    std::string drivers = "bench/peers";
    bool load = false, overload = false, noisy = false;
    int tenants = 400;
    int seconds = 20;
    std::uint64_t seed = 0;
    std::string json;
    bool check = false;
};

struct Measured {
    bench::Samples accepted, first_byte, ended;
};

bool write_report(const bench::Figures& figures, const Options& options) {
    const bool met = figures.print_goals();
    figures.write(options.json);
    return met || !options.check;
}

// Each round a block of each, in an order of its own; the first two of a block do not count.
class Bench {
public:
    explicit Bench(const Options& options)
        : options_{options},
          random_{bench::seed_of(options.seed)},
          berth_{std::max(options.waiting, *std::ranges::max_element(options.clients)),
                 options.max_runs} {}

    void starts() {
        const bench::BareStarts bare{{program_}}, bash{{"/bin/bash", "-c", program_}};
        std::vector<std::pair<const char*, std::function<bench::OneRun()>>> cases{
            {kBerth, [&] { return berth_.run_once(); }},
            {kBare, [&] { return bare.run_once(); }},
            {kBash, [&] { return bash.run_once(); }}};
        for (int round = 0; round < options_.rounds; ++round) {
            std::ranges::shuffle(cases, random_);
            for (const auto& [name, run] : cases)
                block(name, run);
        }
        print_starts();
    }

    void sustained() {
        std::map<std::string, std::map<int, std::vector<Sustained>>> found;
        const bench::Command command{{program_}};
        for (int round = 0; round < std::max(options_.rounds / 3, 1); ++round) {
            for (const int clients : options_.clients) {
                found[kBerth][clients].push_back(berth_.sustain(clients, options_.sustained));
                found[kLoop][clients].push_back(
                    bench::sustain_bare(command, clients, options_.sustained));
            }
            if (options_.waiting > 0)
                found["berth, worked off"][options_.max_runs].push_back(
                    berth_.work_off(options_.waiting));
        }
        print_sustained(found);
    }

    void peers() {
        if (options_.peers.empty()) return;
        figures_.title("others, asked in their own process (no HTTP), as they are");
        for (const auto& peer :
             bench::queue_peers(std::filesystem::absolute(options_.peers),
                                std::filesystem::absolute(options_.drivers), program_)) {
            const auto found = peer.measure(options_.n * options_.rounds, options_.sustained * 2,
                                            options_.max_runs);
            bench::Samples first_byte;
            for (const double us : found.first_byte_us)
                first_byte.add(std::chrono::duration_cast<bench::Steady::duration>(
                    std::chrono::duration<double, std::micro>{us}));
            fmt::print("{}: durable: {}; isolated: {}\n", peer.name, peer.durable, peer.isolated);
            figures_.add(peer.name + ": first byte", first_byte);
            figures_.add(peer.name + ": runs", found.per_second, "/s");
            if (found.cpu_ms_per_run > 0)
                figures_.add(peer.name + ": processor time", found.cpu_ms_per_run, "ms/run");
        }
    }

    bool report() { return write_report(figures_, options_); }

private:
    void block(const char* name, const std::function<bench::OneRun()>& run) {
        constexpr int kUncounted = 2;
        for (int i = 0; i < options_.n + kUncounted; ++i) {
            bench::wait_for_quiet();
            const bench::OneRun times = run();
            if (i < kUncounted) continue;
            measured_[name].accepted.add(times.accepted);
            measured_[name].first_byte.add(times.first_byte);
            measured_[name].ended.add(times.ended);
            for (const auto& [state, at] : times.states)
                states_[state].add(at);
        }
    }

    void print_starts() {
        figures_.title("one at a time, from before the request (in turns)");
        for (const char* name : {kBerth, kBare, kBash}) {
            const Measured& of = measured_[name];
            figures_.add(fmt::format("{}: accepted", name), of.accepted);
            figures_.add(fmt::format("{}: first byte", name), of.first_byte);
            figures_.add(fmt::format("{}: end on record", name), of.ended);
        }
        for (const char* state : {"queued", "preparing", "starting", "running", "succeeded"})
            figures_.add(fmt::format("berth: {}", state), states_[state]);
        for (const auto& [percentile, limit] : {std::pair{0.5, 1.5}, {0.99, 3.0}})
            for (const char* reference : {kBare, kBash})
                figures_.goal(fmt::format("first byte p{:.0f} / {}", percentile * 100, reference),
                              Wanted::at_most, limit,
                              measured_[kBerth].first_byte.percentile(percentile) /
                                  measured_[reference].first_byte.percentile(percentile));
    }

    static double median(const std::vector<Sustained>& all, double Sustained::*what) {
        std::vector<double> values;
        for (const Sustained& one : all)
            values.push_back(one.*what);
        std::ranges::sort(values);
        return values[values.size() / 2];
    }

    void print_sustained(
        const std::map<std::string, std::map<int, std::vector<Sustained>>>& found) {
        figures_.title("runs a second, all of it durable, by how many at once (in turns)");
        std::map<std::string, double> best, least_cpu;
        for (const auto& [name, by_number] : found)
            for (const auto& [many, all] : by_number) {
                const double runs = median(all, &Sustained::per_second);
                const double cpu = median(all, &Sustained::cpu_ms_per_run);
                figures_.add(fmt::format("{}, {} at once: runs", name, many), runs, "/s");
                figures_.add(fmt::format("{}, {} at once: processor time", name, many), cpu,
                             "ms/run");
                auto& of = best[name.starts_with(kBerth) ? kBerth : name];
                of = std::max(of, runs);
                auto& least = least_cpu.try_emplace(name, cpu).first->second;
                least = std::min(least, cpu);
            }
        figures_.goal("runs a second, best / bare loop's best", Wanted::at_least, 0.4,
                      best[kBerth] / best[kLoop]);
        figures_.goal("processor time of a run / bare loop's", Wanted::at_most, 2,
                      least_cpu[kBerth] / least_cpu[kLoop]);
        figures_.title("the daemons");
        figures_.add("berthd --all, start to ready",
                     std::chrono::duration<double, std::milli>{berth_.started_in()}.count(), "ms");
        for (const auto& [program, ms] : berth_.cpu_ms_per_run())
            figures_.add(program + ", processor time", ms, "ms/run");
        for (const auto& [program, mib] : berth_.resident_mib())
            figures_.add(program + " resident", mib, "MiB");
    }

    const Options options_;
    std::mt19937_64 random_;
    const std::string program_ = (bench::programs() / "first_line").string();
    bench::EndToEnd berth_;
    std::map<std::string, Measured> measured_;
    std::map<std::string, bench::Samples> states_;
    bench::Figures figures_{"endtoend"};
};

bool measure_loads(const Options& options) {
    bench::Figures figures{"endtoend"};
    const std::uint64_t seed = bench::seed_of(options.seed);
    if (options.load || options.overload) {
        bench::UnderLoad load{{.tenants = options.tenants,
                               .time = std::chrono::seconds{options.seconds},
                               .seed = seed},
                              figures};
        if (options.load) load.curve();
        if (options.overload) load.overload();
    }
    if (options.noisy) bench::measure_noise(options.n, options.rounds, seed, figures);
    return write_report(figures, options);
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app{"From the API to a script's first byte, and how many runs a second."};
    app.add_option("--n", options.n, "starts of each block")->check(CLI::PositiveNumber);
    app.add_option("--rounds", options.rounds, "blocks of each")->check(CLI::PositiveNumber);
    app.add_option("--clients", options.clients, "how many at once: 1,2,4,8")
        ->delimiter(',')
        ->check(CLI::Range(1, 64));
    app.add_option("--sustained", options.sustained, "runs of each measurement")
        ->check(CLI::PositiveNumber);
    app.add_option("--waiting", options.waiting, "runs that wait and are worked off; 0: none");
    app.add_option("--max-runs", options.max_runs, "of berthd, and of the others' workers")
        ->check(CLI::Range(1, 64));
    app.add_option("--peers", options.peers, "folder with the others' node_modules");
    app.add_option("--drivers", options.drivers, "folder with what speaks to them");
    app.add_flag("--load", options.load, "latency at shares of the capacity");
    app.add_flag("--overload", options.overload, "at twice and ten times the capacity");
    app.add_flag("--noisy", options.noisy, "beside a tenant that takes all it can");
    app.add_option("--seconds", options.seconds, "of each step of a load")
        ->check(CLI::PositiveNumber);
    app.add_option("--tenants", options.tenants, "that a load is spread over")
        ->check(CLI::PositiveNumber);
    app.add_option("--seed", options.seed, "of the order; else BERTH_SEED, else a fresh one");
    app.add_option("--json", options.json, "write the figures here too");
    app.add_flag("--check", options.check, "fail when a goal is missed");
    CLI11_PARSE(app, argc, argv);
    try {
        if (options.load || options.overload || options.noisy)
            return measure_loads(options) ? 0 : 1;
        if (!bench::go_first()) fmt::print("not allowed to go before others\n");
        Bench bench{options};
        bench.starts();
        bench.sustained();
        bench.peers();
        return bench.report() ? 0 : 1;
    } catch (const std::exception& failure) {
        fmt::print(stderr, "endtoend_bench: {}\n", failure.what());
        return 2;
    }
}
