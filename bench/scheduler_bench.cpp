// The scheduler with 10^2, 10^4 and 10^6 schedules and waiting triggers, in the real store:
// memory, lateness, what a pick costs, starts, intake and fairness. The goals are those of
// the design; why they are measured so is in docs/decisions/024-benches.md.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "base/log.h"
#include "bench/daemon_cases.h"
#include "bench/figures.h"
#include "bench/schedule_cases.h"

using namespace berth;
using bench::Wanted;

namespace {

struct Options {
    std::vector<std::int64_t> sizes{100, 10'000, 1'000'000};
    std::vector<std::string> only;
    int firings = 200;
    int window = 4;
    std::int64_t burst = 10'000;
    int rounds = 200;
    int clients = 64;
    int intake = 2'000;
    int intake_rounds = 5;
    int others = 99;
    std::int64_t many = 100'000;
    std::uint64_t seed = 0;
    std::string json;
    bool check = false;

    bool wants(const char* part) const {
        return only.empty() || std::ranges::find(only, part) != only.end();
    }
};

void schedules(const Options& options, bench::Figures& figures) {
    figures.title("schedules");
    double base_mib = 0;
    for (const std::int64_t size : options.sizes) {
        const auto found =
            bench::measure_schedules({.schedules = size,
                                      .firings = std::min<std::int64_t>(options.firings, size / 2),
                                      .window = std::chrono::seconds{options.window},
                                      .burst = std::min(options.burst, size)});
        const auto name = [&](const char* what) {
            return fmt::format("{} schedules: {}", size, what);
        };
        if (base_mib == 0) base_mib = found.resident_mib;
        const double each = (found.resident_mib - base_mib) * 1048576.0 / static_cast<double>(size);
        figures.add(name("resident, store and engine"), found.resident_mib, "MiB");
        if (size != options.sizes.front())
            figures.add(name("resident for each"), std::max(each, 0.0), "bytes");
        figures.add(name("on disk for each"), found.disk_bytes, "bytes");
        figures.add(name("store opened"), found.open_ms, "ms");
        figures.add(name("from open to armed"), found.armed_ms, "ms");
        figures.add(name("due to durable"), found.late);
        if (found.burst_seconds > 0) {
            figures.add(name("burst, last durable after"), found.burst_seconds, "s");
            figures.add(name("burst, processor time for each"), found.look_cpu_us, "µs");
            if (size >= options.burst)
                figures.goal(name("burst, last durable, s"), Wanted::at_most, 0.5,
                             found.burst_seconds);
        }
        if (size != options.sizes.back()) continue;
        figures.goal(name("resident for each, bytes"), Wanted::at_most, 150, std::max(each, 0.001));
        figures.goal(name("late p99, ms"), Wanted::at_most, 100, found.late.percentile(0.99) / 1e3);
        figures.goal(name("start, s"), Wanted::at_most, 3, (found.open_ms + found.armed_ms) / 1e3);
    }
}

void picks(const Options& options, bench::Figures& figures) {
    figures.title("one run picked and begun, of so many tenants that wait (in turns)");
    const auto found = bench::measure_picks(options.sizes, options.rounds, options.seed);
    for (const auto& [waiting, pick] : found) {
        const auto name = [&, of = waiting](const char* what) {
            return fmt::format("{} waiting: {}", of, what);
        };
        figures.add(name("pick, durable"), pick.took);
        figures.add(name("pick, processor time"), pick.cpu);
        figures.add(name("store opened"), pick.open_ms, "ms");
        figures.add(name("recovered, and the first run begun"), pick.first_ms, "ms");
        figures.add(name("resident"), pick.resident_mib, "MiB");
    }
    const auto& few = found.begin()->second;
    const auto& many = found.rbegin()->second;
    if (found.size() > 1)
        for (const double p : {0.5, 0.99})
            figures.goal(fmt::format("pick of {} / of {}, processor time p{:.0f}",
                                     found.rbegin()->first, found.begin()->first, p * 100),
                         Wanted::at_most, 2, many.cpu.percentile(p) / few.cpu.percentile(p));
}

void fairness(const Options& options, bench::Figures& figures) {
    figures.title("fairness");
    const auto found = bench::measure_fairness(options.others, options.many);
    figures.add("triggers of the one that were waiting", static_cast<double>(found.waiting), "");
    figures.add("others that have begun", found.others_begun, "");
    figures.add("picks until then", found.picks, "");
    figures.goal(fmt::format("{} others have begun after picks", found.others_begun),
                 Wanted::at_most, options.others + 1, found.picks);
    figures.goal("others that have begun", Wanted::at_least, options.others, found.others_begun);
}

void intake(const Options& options, bench::Figures& figures) {
    figures.title("triggers accepted through the socket of berthd, durable (in turns)");
    const auto found =
        bench::measure_intake(options.clients, options.intake_rounds, options.intake);
    const auto many = fmt::format("{} clients", options.clients);
    figures.add(many, found.many, "/s");
    figures.add(many + ", request to answer", found.many_waits);
    figures.add("1 client", found.one, "/s");
    figures.add("1 client, request to answer", found.one_waits);
    figures.add("the store alone, one commit each", found.store, "/s");
    figures.add("4 KiB and fdatasync", found.reference, "/s");
    figures.goal(many + " / one commit at a time", Wanted::at_least, 8, found.many / found.store);
}

void starts(const Options& options, bench::Figures& figures) {
    figures.title("berthd --all started with as many tenants, schedules and waiting triggers");
    for (const std::int64_t size : options.sizes) {
        const auto found = bench::measure_start(size);
        const auto name = [&](const char* what) { return fmt::format("{}: {}", size, what); };
        figures.add(name("ready"), found.ready_ms, "ms");
        figures.add(name("first run has ended"), found.first_run_ms, "ms");
        for (const auto& [program, mib] : found.resident_mib)
            figures.add(fmt::format("{}: {} resident", size, program), mib, "MiB");
        if (size == options.sizes.back())
            figures.goal(name("waiting, start to ready, s"), Wanted::at_most, 3,
                         found.ready_ms / 1e3);
    }
}

bool run(Options options) {
    std::ranges::sort(options.sizes);
    options.seed = bench::seed_of(options.seed);
    if (!bench::go_first()) fmt::print("not allowed to go before others\n");
    bench::Figures figures{"scheduler"};
    if (options.wants("schedules")) schedules(options, figures);
    if (options.wants("picks")) picks(options, figures);
    if (options.wants("fairness")) fairness(options, figures);
    if (options.wants("intake")) intake(options, figures);
    if (options.wants("start")) starts(options, figures);
    const bool met = figures.print_goals();
    figures.write(options.json);
    return met || !options.check;
}

}  // namespace

int main(int argc, char** argv) {
    set_log_sink([](LogLevel, std::string_view, const LogFields&) {});
    Options options;
    CLI::App app{"What the scheduler costs with few and with very many schedules."};
    app.add_option("--sizes", options.sizes, "how many schedules and waiting triggers")
        ->delimiter(',')
        ->check(CLI::Range(20, 5'000'000));
    app.add_option("--only", options.only, "schedules, picks, fairness, intake, start")
        ->delimiter(',')
        ->check(CLI::IsMember({"schedules", "picks", "fairness", "intake", "start"}));
    app.add_option("--firings", options.firings, "to measure lateness with");
    app.add_option("--window", options.window, "seconds they are spread over");
    app.add_option("--burst", options.burst, "schedules due in one instant");
    app.add_option("--rounds", options.rounds, "picks of each size");
    app.add_option("--clients", options.clients, "that send triggers")->check(CLI::Range(1, 200));
    app.add_option("--intake", options.intake, "triggers of all clients in a round");
    app.add_option("--intake-rounds", options.intake_rounds, "rounds of them");
    app.add_option("--others", options.others, "tenants beside the one with much");
    app.add_option("--many", options.many, "triggers of that one")->check(CLI::Range(1, 100'000));
    app.add_option("--seed", options.seed, "of the order; else BERTH_SEED, else a fresh one");
    app.add_option("--json", options.json, "write the figures here too");
    app.add_flag("--check", options.check, "fail when a goal is missed");
    CLI11_PARSE(app, argc, argv);
    try {
        return run(options) ? 0 : 1;
    } catch (const std::exception& failure) {
        fmt::print(stderr, "scheduler_bench: {}\n", failure.what());
        return 2;
    }
}
