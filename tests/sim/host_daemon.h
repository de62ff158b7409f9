// What lives and dies with the simulated daemon: the product's engines over the host's
// store, and what takes the place of runner and output. For host.cpp and host_flow.cpp.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "tests/sim/host.h"

namespace berth::sim {

inline constexpr std::chrono::milliseconds kStoreRetry{500};

inline bool heals(const Failure& why) {
    return why.kind == FailureKind::unavailable || why.kind == FailureKind::busy;
}

// Sees runs through, as daemon/run_flow does, without runner and output.
class Host::Flow final : public Launcher {
public:
    Flow(Host& host, Daemon& daemon) : host_{host}, daemon_{daemon} {}
    void launch(const Run& run) override;
    // One that an earlier daemon handed over.
    void expect(const Run& run);
    void exited(RunId run, int attempt, const Outcome& outcome);
    void cancel(RunId run);

private:
    void hand_over(const Run& run);
    void end(const Run& run, const Outcome& outcome, Time at);
    void later(microseconds delay, std::function<void()> what);

    Host& host_;
    Daemon& daemon_;
    std::map<RunId, Run> live_;
    std::set<RunId> ending_;  // what is said of these later does not count
};

struct Host::Daemon {
    Daemon(Host& host, std::unique_ptr<SqliteDb> db)
        : store{host.world_, host.vfs_, std::move(db),
                SimStore::Hooks{[&host] { return host.next_fault(); },
                                [&host](Db& now) { host.truth_.look(now); },
                                [&host] { host.dead_ = true; }}},
          alarms{host.world_},
          flow{host, *this},
          queue{store, host.clock_, 0, host.begin_further()},
          engine{alarms, queue, flow, host.rules_.max_runs},
          book{store, host.clock_},
          schedules{alarms, host.clock_, book, [this] { engine.kick(); }},
          leases{alarms, host.clock_, store, [this] { engine.kick(); }} {}

    std::uint64_t number = 0;
    bool recovered = false;
    SimStore store;
    SimAlarms alarms;
    Flow flow;
    RunQueue queue;
    Engine engine;
    ScheduleBook book;
    ScheduleEngine schedules;
    LeaseKeeper leases;
};

}  // namespace berth::sim
