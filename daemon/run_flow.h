// Sees each run from `preparing` to its final state: gathers what it needs,
// hands it to the runner, stores what it prints and how it ended.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "base/loop/timer.h"
#include "base/loop/worker.h"
#include "daemon/lease_keeper.h"
#include "daemon/log_hub.h"
#include "daemon/recovery.h"
#include "daemon/run_start.h"
#include "daemon/runner_link.h"
#include "daemon/tokens.h"
#include "scheduler/ports.h"
#include "store/audit.h"
#include "store/logs.h"
#include "store/runs.h"
#include "store/store.h"

namespace berth {

// Thread: loop.
class RunFlow final : public Launcher, public LeaseKeeper::Writer {
public:
    struct Parts {
        Loop& loop;
        const Clock& clock;
        Store& store;
        LogStore& logs;
        LogHub& hub;
        RunnerLink& runner;
        Worker& work;
        RunSettings settings;
        FreshTokens* tokens = nullptr;  // without, no run has any that end
        // A runner that was away for so long has lost its runs.
        std::chrono::milliseconds runner_away = std::chrono::seconds{30};
    };
    // `ended`: the run is final, or waits again with another attempt.
    RunFlow(Parts parts, std::function<void(RunId)> ended);
    ~RunFlow() override;

    // `preparing`, or `starting` when start_at_once() has prepared it already.
    void launch(const Run& run) override;
    // For RunQueue: prepares runs in the transaction that begins them.
    std::function<void(Db&, Run&, Time)> start_at_once();
    // One that an earlier berthd handed over: whether it lives the runner will say.
    void expect(const HandedOver& before);

    // What the runner says.
    void live_runs(const std::vector<ipc::RunName>& runs);
    void started(const ipc::Started& message);
    void output(ipc::Output message);
    void connection(ipc::Connection message);
    void ended(const ipc::Ended& message);
    // Its runs are waited for.
    void runner_gone();

    // Ends a run, wherever it is: conflict when it has ended already.
    void cancel(const By& by, RunId run, Done<RunView> done);

    // The log of a run is written only while its lease is known to be ours; one that
    // another host has taken over is killed here, and nothing more is written of it.
    std::vector<RunId> held_runs() const override;
    void leased(SteadyTime when, const std::vector<RunId>& lost) override;

    // The daemon is being stopped: nothing more is handed over, it waits again.
    void close();
    // What is still running now is lost.
    void stop_all();

    std::size_t live() const { return live_.size(); }
    // Of these, the ones that cannot be left to the runner as they are.
    std::size_t unsettled() const;

    // Since this process began, for /metrics.
    struct Counts {
        std::uint64_t started_warm = 0;
        std::uint64_t started_cold = 0;
        std::map<RunState, std::uint64_t> ended;  // by final state
        std::uint64_t output_bytes = 0;
        std::uint64_t connections = 0;
        std::uint64_t refused_connections = 0;
    };
    const Counts& counts() const { return counts_; }

private:
    enum class Stage;
    struct Live;
    using LivePtr = std::shared_ptr<Live>;

    LivePtr find(std::int64_t run_id, int attempt) const;
    LivePtr hold(const Run& run);
    void proceed(const LivePtr& live);
    void prepare(const LivePtr& live);
    void tokens_ready(const LivePtr& live, TokensReady ready);
    void prepare_now(const LivePtr& live);
    void make(RunMaterial material);
    void hand_over(const LivePtr& live, PreparedStart prepared);
    void send(const LivePtr& live, const ipc::Start& start);
    void give_back(const LivePtr& live);
    void not_prepared(const LivePtr& live, const Failure& why);
    void end_when_it_may(const LivePtr& live, const By& by);
    void cancel_waiting(const By& by, RunId run, Done<RunView> done);
    void flush(const LivePtr& live);
    void keep_connections(const LivePtr& live);
    void confirm(const LivePtr& live);
    void all_lost(const std::string& why);
    void finish(const LivePtr& live, const Outcome& outcome, const RunEnd& end);
    void store_end(const LivePtr& live);
    void let_go(const LivePtr& live, const RunView& view);
    void throttle();

    Parts parts_;
    std::function<void(RunId)> ended_;
    std::map<RunId, LivePtr> live_;
    // What was prepared in a transaction whose answer is on its way to launch().
    using Prepared = Guarded<std::map<RunId, PreparedStart>>;
    std::shared_ptr<Prepared> prepared_ = std::make_shared<Prepared>();
    Counts counts_;
    std::size_t unstored_bytes_ = 0;  // of output that the log store has not confirmed
    bool throttled_ = false;
    bool closed_ = false;
    SteadyTime leased_until_ = SteadyTime::max();  // until somebody keeps leases
    Timer away_;                                   // while the runner is not there
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace berth
