// One trigger through the API of real daemons to the first byte of its script, and as many
// as can be kept up with. Everything is durable: trigger, run, log and end.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bench/daemons.h"
#include "bench/sustained.h"

namespace berth::bench {

// From the moment before the request is sent.
struct OneRun {
    Steady::duration accepted{};    // the answer, after its commit
    Steady::duration first_byte{};  // the script's main
    Steady::duration ended{};       // its end, as the record says
    // Between the states of the record, in its order: `queued`, `preparing`, ...
    std::vector<std::pair<std::string, Steady::duration>> states{};
};

class EndToEnd {
public:
    // So many tenants of one integration, whose release is a program that prints when it
    // began. max_runs is `in_flight`; without one all settings are as they come.
    explicit EndToEnd(int tenants, std::optional<int> in_flight = {});

    OneRun run_once();
    // Of the trigger's run: when its script began, once that has succeeded. Nothing: it has
    // failed, or was not there at the deadline.
    std::optional<Steady::time_point> first_byte(const std::string& trigger,
                                                 Steady::time_point deadline);
    // Each client sends a trigger and waits until its run has ended, again and again.
    Sustained sustain(int clients, int count);
    // A trigger of each of `count` tenants waits; how fast they go when they may.
    Sustained work_off(int count);

    Daemons& daemons() { return daemons_; }
    const std::vector<std::int64_t>& tenants() const { return tenants_; }
    Steady::duration started_in() const { return started_in_; }
    std::map<std::string, double> resident_mib() const { return daemons_.resident_mib(); }
    // Processor time of a run by program, over all that were sustained or worked off.
    std::map<std::string, double> cpu_ms_per_run() const;

private:
    using Cpu = std::map<std::string, double>;
    Sustained sustained(int count, Steady::duration took, const Cpu& before);
    void run_of_client(std::int64_t tenant, int count) const;

    Daemons daemons_;
    Steady::duration started_in_{};
    std::int64_t integration_ = 0;
    std::vector<std::int64_t> tenants_;
    Cpu cpu_ms_;
    int runs_ = 0;
    std::map<std::int64_t, Steady::time_point> first_bytes_;  // of runs that were asked for
    Client client_{daemons_.socket()};
};

// The same without Berth: what it cannot be faster than.
// 4 KiB written and synced, then one posix_spawn.
class BareStarts {
public:
    explicit BareStarts(std::vector<std::string> argv);
    OneRun run_once() const;

private:
    TempDir folder_{"bare-bench"};
    Fd file_;
    std::string line_file_;
    Command command_;
};
// A loop that spawns and keeps each run in SQLite (WAL, synchronous=FULL): one row, written
// when it is wanted, when it begins and when it ends, and one commit for each turn.
Sustained sustain_bare(const Command& command, int in_flight, int count);

}  // namespace berth::bench
