// How long until a program in a fresh sandbox has written its first byte, and until its
// end is reported: Berth with and without its pool, what else starts sandboxes on this
// machine, and the same program from a bare posix_spawn, which all ratios are to.
//
// The cases take turns in rounds, each round in an order of its own: what the machine
// does to one it does to all. Within a round a case starts a block of programs one after
// the other, the first ones uncounted, since the kernel takes namespaces apart late and
// would charge one for another's.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "bench/echo.h"
#include "bench/parked.h"
#include "bench/peers.h"
#include "bench/sandbox_goals.h"
#include "bench/sandboxed.h"

using namespace berth;
using bench::Measured;
using bench::Times;

namespace {

constexpr int kBlock = 20;
constexpr int kUncounted = 2;
constexpr std::chrono::milliseconds kSettle{40};
constexpr unsigned kPool = 4;
constexpr const char* kEcho = "a byte to a process and back";
constexpr double kParkedGoalKib = 0.6 * 1024;

struct Options {
    int n = 1000;
    std::vector<std::string> programs{"static", "sh", "python3", "node"};
    std::vector<std::string> only;
    std::uint64_t seed = 0;
    std::string json;
    bool check = false;
    bool no_memory = false;
    bool real_time = false;
    bool quiet_only = false;
    int quiet_ms = 20;
};

struct Program {
    std::string name;
    std::vector<std::string> argv;       // in a sandbox
    std::vector<std::string> bare_argv;  // outside
};

struct Case {
    std::string name;
    std::function<Times()> start;
};

std::filesystem::path own_folder() {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

// Interpreters print a line, so that there is a first byte to wait for.
std::vector<Program> programs(const Options& options) {
    const Program all[] = {
        {"static", {"/app/program"}, {(own_folder() / "first_byte").string()}},
        {"sh", {"/bin/sh", "-c", "echo x"}, {}},
        {"python3", {"/usr/bin/python3", "-c", "print(1)"}, {}},
        {"node", {"/usr/bin/node", "-e", "console.log(1)"}, {}},
    };
    std::vector<Program> wanted;
    for (Program program : all) {
        if (std::ranges::find(options.programs, program.name) == options.programs.end()) continue;
        if (program.bare_argv.empty()) program.bare_argv = program.argv;
        if (std::filesystem::exists(program.bare_argv[0]))
            wanted.push_back(std::move(program));
        else
            fmt::print("{} is not installed: left out\n", program.bare_argv[0]);
    }
    return wanted;
}

struct Subjects {
    bench::Launcher& warm;
    bench::Launcher& parked;
    bench::Launcher& cold;
    bench::Bundle& bundle;
    bench::Echo& echo;
};

std::vector<Case> cases_of(const Program& program, Subjects with,
                           const std::vector<std::string>& only) {
    std::vector<Case> cases{
        {bench::kBare, [&] { return bench::run_command({program.bare_argv}); }},
        {kEcho, [with] { return with.echo.there_and_back(); }},
        {bench::kWarm, [&program, with] { return with.warm.run(program.argv); }},
        {bench::kParked, [&program, with] { return with.parked.run(program.argv); }},
        {bench::kCold, [&program, with] { return with.cold.run(program.argv); }},
        {"berth, cold, no network",
         [&program, with] { return with.cold.run(program.argv, ipc::Network::none); }}};
    for (const auto& peer : bench::peers_for(with.bundle, program.argv))
        cases.push_back({peer.name, [peer] { return bench::run_command(peer.command()); }});
    if (!only.empty())
        std::erase_if(cases, [&](const Case& one) {
            return one.name != bench::kBare && one.name != kEcho &&
                   std::ranges::none_of(only, [&](const auto& part) {
                       return one.name.find(part) != std::string::npos;
                   });
        });
    return cases;
}

void measure_block(const Case& one, int count, const Options& options, Measured& into) {
    for (int i = -kUncounted; i < count; ++i) {
        const bool quiet = bench::wait_for_quiet(std::chrono::milliseconds{options.quiet_ms});
        const Times times = one.start();
        if (i < 0) continue;
        into.not_quiet += quiet ? 0 : 1;
        if (!quiet && options.quiet_only) continue;
        into.first_byte.add(times.first_byte);
        into.end.add(times.end);
    }
    std::this_thread::sleep_for(kSettle);
}

bench::Cases measure(std::vector<Case> cases, const Options& options, std::mt19937_64& random) {
    bench::Cases measured;
    for (int done = 0; done < options.n; done += kBlock) {
        std::ranges::shuffle(cases, random);
        for (const Case& one : cases)
            measure_block(one, std::min(kBlock, options.n - done), options, measured[one.name]);
    }
    return measured;
}

void print_table(const std::string& program, const bench::Cases& measured,
                 const std::vector<Case>& order, const Options& options) {
    const Measured& bare = measured.at(bench::kBare);
    bench::print_head(fmt::format("{}: first byte", program), "µs");
    for (const Case& one : order)
        bench::print_line(one.name, measured.at(one.name).first_byte, bare.first_byte);
    bench::print_head(fmt::format("{}: end reported", program), "µs");
    for (const Case& one : order)
        bench::print_line(one.name, measured.at(one.name).end, bare.end);
    int loud = 0, all = 0;
    for (const auto& [name, one] : measured) {
        loud += one.not_quiet;
        all += options.n;
    }
    fmt::print("started beside something else that wanted to run: {} of {}, {}\n", loud, all,
               options.quiet_only ? "not counted" : "counted like the others");
}

nlohmann::json to_json(const bench::Samples& samples, const bench::Samples& bare) {
    nlohmann::json json;
    for (const auto& [name, p] : {std::pair{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}}) {
        json[name] = samples.percentile(p);
        json[std::string{name} + "_to_bare"] = samples.percentile(p) / bare.percentile(p);
    }
    return json;
}

nlohmann::json to_json(const bench::Cases& measured) {
    const Measured& bare = measured.at(bench::kBare);
    nlohmann::json json;
    for (const auto& [name, one] : measured)
        json[name] = {{"n", one.first_byte.size()},
                      {"not_quiet", one.not_quiet},
                      {"first_byte_us", to_json(one.first_byte, bare.first_byte)},
                      {"end_us", to_json(one.end, bare.end)}};
    return json;
}

bench::Goal measure_memory(const std::string& launcher, nlohmann::json& result) {
    constexpr unsigned kCount = 100;
    const auto one = bench::measure_parked(launcher, own_folder() / "first_byte", kCount, 5);
    fmt::print(
        "\nmemory of a parked sandbox (KiB): {:.0f} = processes {:.0f} + page tables {:.0f} "
        "+ stacks {:.0f} + slab {:.0f} + per cpu {:.0f}\n",
        one.total(), one.processes, one.page_tables, one.stacks, one.slab, one.per_cpu);
    result["parked_kib"] = {
        {"total", one.total()}, {"processes", one.processes}, {"page_tables", one.page_tables},
        {"stacks", one.stacks}, {"slab", one.slab},           {"per_cpu", one.per_cpu}};
    return {"parked: KiB each", kParkedGoalKib, one.total()};
}

// Of the launcher's side alone: its own, and that of pid 1, pid 2 and the program. Their
// parts in the kernel and outside are not told: the kernel guesses them from its ticks.
void print_used(const char* name, bench::Launcher& launcher, nlohmann::json& result) {
    if (launcher.started() == 0) return;
    const auto used = launcher.end() / static_cast<std::int64_t>(launcher.started());
    fmt::print("processor time of {}, each: {} µs\n", name, used.count());
    result["processor_us"][name] = used.count();
}

// True when all are met.
bool print_goals(const std::vector<bench::Goal>& goals, nlohmann::json& result) {
    bool all = true;
    fmt::print("\n{:<48} {:>9} {:>9}\n", "goals", "at most", "measured");
    for (const auto& goal : goals) {
        fmt::print("{:<48} {:>9.2f} {:>9.2f}  {}\n", goal.text, goal.limit, goal.measured,
                   goal.met() ? "met" : "MISSED");
        result["goals"].push_back(
            {{"goal", goal.text}, {"at_most", goal.limit}, {"measured", goal.measured}});
        all = all && goal.met();
    }
    return all;
}

bool run(const Options& options) {
    const auto seed = bench::seed_of(options.seed);
    std::mt19937_64 random{seed};
    const auto how = options.real_time ? bench::Precedence::real_time : bench::Precedence::nice;
    if (!bench::go_first(how)) fmt::print("not allowed to go before others\n");
    bench::hide_refusing_cgroups(how);
    const auto launcher = (own_folder() / "berth-launcher").string();
    nlohmann::json result{{"seed", seed}, {"n", options.n}, {"real_time", options.real_time}};
    std::vector<bench::Goal> goals;
    {
        bench::Echo echo;  // first: it is forked, and must not hold the launchers' sockets
        const auto first_byte = own_folder() / "first_byte";
        bench::Launcher warm{launcher, first_byte, bench::Found::complete, kPool};
        bench::Launcher parked{launcher, first_byte, bench::Found::parked, kPool};
        bench::Launcher cold{launcher, first_byte, bench::Found::none, 0};
        bench::Bundle bundle{first_byte};
        for (const Program& program : programs(options)) {
            const auto cases = cases_of(program, {warm, parked, cold, bundle, echo}, options.only);
            const auto measured = measure(cases, options, random);
            print_table(program.name, measured, cases, options);
            result["programs"][program.name] = to_json(measured);
            std::ranges::move(bench::goals_of(program.name, measured), std::back_inserter(goals));
        }
        fmt::print("\n");
        print_used(bench::kWarm, warm, result);
        print_used(bench::kParked, parked, result);
        print_used(bench::kCold, cold, result);
    }
    if (!options.no_memory) goals.push_back(measure_memory(launcher, result));
    const bool met = print_goals(goals, result);
    if (!options.json.empty()) std::ofstream{options.json} << result.dump(2) << '\n';
    return met || !options.check;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app{"Starts programs in sandboxes and without, and compares."};
    app.add_option("--n", options.n, "starts of each")->check(CLI::PositiveNumber);
    app.add_option("--programs", options.programs, "static,sh,python3,node")->delimiter(',');
    app.add_option("--only", options.only, "cases with one of these in their name, and bare")
        ->delimiter(',');
    app.add_option("--seed", options.seed, "of the order; else BERTH_SEED, else a fresh one");
    app.add_option("--quiet", options.quiet_ms, "most milliseconds to wait for a quiet machine");
    app.add_flag("--quiet-only", options.quiet_only, "count only starts on a quiet machine");
    app.add_flag("--real-time", options.real_time, "for a machine that is busy otherwise");
    app.add_option("--json", options.json, "write the figures here too");
    app.add_flag("--check", options.check, "fail when a goal is missed");
    app.add_flag("--no-memory", options.no_memory, "leave out the memory of parked ones");
    CLI11_PARSE(app, argc, argv);
    try {
        return run(options) ? 0 : 1;
    } catch (const std::exception& failure) {
        fmt::print(stderr, "sandbox_bench: {}\n", failure.what());
        return 2;
    }
}
