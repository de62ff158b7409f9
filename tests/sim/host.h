// One host: a daemon that lives, dies and is started again over the same disk,
// and the processes of its runs, which die with it. The daemon's engines, queue,
// ledger, recovery and ends are the product's own.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "daemon/lease_keeper.h"
#include "daemon/recovery.h"
#include "daemon/run_queue.h"
#include "daemon/schedule_book.h"
#include "scheduler/engine.h"
#include "scheduler/schedules.h"
#include "tests/sim/sim_store.h"
#include "tests/sim/truth.h"

namespace berth::sim {

// How likely what goes wrong; 0: never. One in so many commits.
struct Weather {
    std::uint64_t dies = 0;
    std::uint64_t power = 0;
    std::uint64_t io_error = 0;
    microseconds full_until{0};  // of steady time
};

class Host {
public:
    Host(World& world, test::FaultyVfs& vfs, Truth& truth, const Rules& rules);
    ~Host();

    // Makes the world's rows on an empty disk.
    void set_up(const std::function<void(Db&)>& rows);
    void start();
    std::uint64_t life() const { return starts_; }  // another number after each start
    Weather weather;

    // As the API would; nothing happens while the daemon is down, and nobody is
    // answered when it dies.
    void sync(TenantId tenant, RunMode mode, std::string key);
    void change(std::function<void(Db&, Time)> what);
    void cancel_one();
    // The daemon's own view when all is over.
    void look_at_the_end();
    // To be called after each event: a dead daemon is buried, and started again later.
    void bury_the_dead();
    void kill() { dead_ = daemon_ != nullptr; }

private:
    struct Daemon;
    struct Process {
        Run run;
        Outcome outcome;
        bool ended = false;  // and nobody has heard of it yet
    };
    class Flow;

    std::unique_ptr<SqliteDb> open();
    CommitFault next_fault();
    RunQueue::GoOn begin_further();
    void rival_looks();
    void kill_what_is_not(const std::vector<HandedOver>& ours);
    void execute(const Run& run);
    void end(RunId run, int attempt, const Outcome& outcome);

    World& world_;
    test::FaultyVfs& vfs_;
    Truth& truth_;
    const Rules& rules_;
    SimClock clock_;
    std::unique_ptr<Daemon> daemon_;
    bool dead_ = false;
    bool power_lost_ = false;
    microseconds full_seen_{-3'600'000'000};  // when a commit last met a full disk
    std::uint64_t starts_ = 0;
    std::map<RunId, Process> processes_;
};

}  // namespace berth::sim
