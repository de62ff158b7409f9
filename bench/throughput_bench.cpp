// Runs per second that can be kept up with so many in flight, and what one costs in
// processor time: Berth's runner and launcher with and without the pool, other sandboxes,
// and bare posix_spawn. All take turns in rounds; the medians are printed.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "bench/live_runs.h"
#include "bench/peers.h"

using namespace berth;
using bench::Sustained;

namespace {

constexpr const char* kBare = "bare posix_spawn";
constexpr const char* kPooled = "berth, pool";

struct Options {
    int n = 200;
    int rounds = 5;
    std::vector<int> in_flight{1, 2, 4, 8};
    std::string only;
    std::uint64_t seed = 0;
    std::string json;
    bool check = false;
};

struct Case {
    std::string name;
    std::function<Sustained(int in_flight, int count)> sustain;
};

// By case, then by how many in flight.
using Figures = std::map<std::string, std::map<int, std::vector<Sustained>>>;

std::vector<Case> cases_of(const std::filesystem::path& folder, bench::Bundle& bundle,
                           const std::string& only) {
    const auto program = folder / "first_byte";
    const auto launcher = (folder / "berth-launcher").string();
    const bench::Command bare{{program.string()}};
    const auto live = [=](bench::Found found) {
        return [=](int in_flight, int count) {
            return bench::sustain_live_runs(launcher, program, found, in_flight, count);
        };
    };
    std::vector<Case> cases{{kBare,
                             [bare](int in_flight, int count) {
                                 return bench::sustain_commands([&] { return bare; }, in_flight,
                                                                count);
                             }},
                            {kPooled, live(bench::Found::complete)},
                            {"berth, pool, new requests", live(bench::Found::parked)},
                            {"berth, no pool", live(bench::Found::none)}};
    for (const auto& peer : bench::peers_for(bundle, {"/app/program"}))
        if (peer.name.starts_with("bubblewrap") || peer.name.starts_with("crun"))
            cases.push_back({peer.name, [peer](int in_flight, int count) {
                                 return bench::sustain_commands(peer.command, in_flight, count);
                             }});
    if (!only.empty())
        std::erase_if(cases, [&](const Case& one) {
            return one.name != kBare && one.name.find(only) == std::string::npos;
        });
    return cases;
}

struct Turn {
    const Case* which;
    int in_flight;
};

Figures measure(const std::vector<Case>& cases, const Options& options, std::mt19937_64& random) {
    std::vector<Turn> turns;
    for (const Case& one : cases)
        for (const int in_flight : options.in_flight)
            turns.push_back({&one, in_flight});
    Figures figures;
    for (int round = 0; round < options.rounds; ++round) {
        std::ranges::shuffle(turns, random);
        for (const Turn& turn : turns) {
            bench::wait_for_quiet();
            figures[turn.which->name][turn.in_flight].push_back(
                turn.which->sustain(turn.in_flight, options.n));
        }
    }
    return figures;
}

double median(const std::vector<Sustained>& all, double Sustained::*what) {
    std::vector<double> values;
    for (const Sustained& one : all)
        values.push_back(one.*what);
    std::ranges::sort(values);
    return values[values.size() / 2];
}

double best(const Figures& figures, const std::string& name) {
    double most = 0;
    const auto found = figures.find(name);
    if (found == figures.end()) return 0;
    for (const auto& [in_flight, all] : found->second)
        most = std::max(most, median(all, &Sustained::per_second));
    return most;
}

void print_table(const char* title, const std::vector<Case>& cases, const Figures& figures,
                 const std::vector<int>& in_flight, double Sustained::*what) {
    fmt::print("\n{:<34}", title);
    for (const int n : in_flight)
        fmt::print(" {:>8}", n);
    fmt::print("\n");
    for (const Case& one : cases) {
        fmt::print("{:<34}", one.name);
        for (const int n : in_flight)
            fmt::print(" {:>8.{}f}", median(figures.at(one.name).at(n), what),
                       what == &Sustained::per_second ? 0 : 2);
        fmt::print("\n");
    }
}

// True when all are met. `figures` may lack some.
bool print_goals(const Figures& figures, nlohmann::json& result) {
    constexpr struct {
        const char* reference;
        double least;
    } kGoals[] = {{"bubblewrap", 2}, {"crun, userns, seccomp", 3.5}};
    bool all = true;
    fmt::print("\n{:<48} {:>9} {:>9}\n", "goals, at the best concurrency of each", "at least",
               "measured");
    for (const auto& goal : kGoals) {
        const double reference = best(figures, goal.reference);
        if (reference == 0 || best(figures, kPooled) == 0) continue;
        const double ratio = best(figures, kPooled) / reference;
        const auto text = fmt::format("berth, pool / {}", goal.reference);
        fmt::print("{:<48} {:>9.2f} {:>9.2f}  {}\n", text, goal.least, ratio,
                   ratio >= goal.least ? "met" : "MISSED");
        result["goals"].push_back({{"goal", text}, {"at_least", goal.least}, {"measured", ratio}});
        all = all && ratio >= goal.least;
    }
    return all;
}

bool run(const Options& options) {
    const auto seed = bench::seed_of(options.seed);
    std::mt19937_64 random{seed};
    if (!bench::go_first()) fmt::print("not allowed to go before others\n");
    bench::hide_refusing_cgroups(bench::Precedence::nice);
    const auto folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    bench::Bundle bundle{folder / "first_byte"};
    const auto cases = cases_of(folder, bundle, options.only);
    const Figures figures = measure(cases, options, random);

    print_table("runs per second, in flight:", cases, figures, options.in_flight,
                &Sustained::per_second);
    print_table("processor ms per run, in flight:", cases, figures, options.in_flight,
                &Sustained::cpu_ms_per_run);
    nlohmann::json result{{"seed", seed}, {"n", options.n}, {"rounds", options.rounds}};
    for (const auto& [name, by_number] : figures)
        for (const auto& [in_flight, all] : by_number)
            result["cases"][name][std::to_string(in_flight)] = {
                {"per_second", median(all, &Sustained::per_second)},
                {"cpu_ms_per_run", median(all, &Sustained::cpu_ms_per_run)}};
    const bool met = print_goals(figures, result);
    if (!options.json.empty()) std::ofstream{options.json} << result.dump(2) << '\n';
    return met || !options.check;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app{"How many runs per second this machine keeps up."};
    app.add_option("--n", options.n, "runs of each measurement")->check(CLI::PositiveNumber);
    app.add_option("--rounds", options.rounds, "measurements of each")->check(CLI::PositiveNumber);
    app.add_option("--in-flight", options.in_flight, "how many at once: 1,2,4,8")->delimiter(',');
    app.add_option("--only", options.only, "cases with this in their name, and the bare one");
    app.add_option("--seed", options.seed, "of the order; else BERTH_SEED, else a fresh one");
    app.add_option("--json", options.json, "write the figures here too");
    app.add_flag("--check", options.check, "fail when a goal is missed");
    CLI11_PARSE(app, argc, argv);
    try {
        return run(options) ? 0 : 1;
    } catch (const std::exception& failure) {
        fmt::print(stderr, "throughput_bench: {}\n", failure.what());
        return 2;
    }
}
