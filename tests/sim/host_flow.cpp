// A run between its start and its end, as daemon/run_flow sees it, without runner and output.
#include "daemon/run_end.h"
#include "store/runs.h"
#include "tests/sim/host_daemon.h"

namespace berth::sim {

using namespace std::chrono_literals;

void Host::Flow::later(microseconds delay, std::function<void()> what) {
    host_.world_.after(delay, [&host = host_, number = daemon_.number, what = std::move(what)] {
        if (host.daemon_ && host.daemon_->number == number && !host.dead_) what();
    });
}

void Host::Flow::launch(const Run& run) {
    live_[run.id] = run;
    if (run.state == RunState::starting) return host_.execute(run);
    later(host_.world_.between(200us, 20ms), [this, run] { hand_over(run); });
}

void Host::Flow::expect(const Run& run) {
    live_[run.id] = run;
    const auto found = host_.processes_.find(run.id);
    if (found == host_.processes_.end() || found->second.run.attempt != run.attempt) {
        host_.world_.sometimes("a run was lost");
        ending_.insert(run.id);
        return end(run, Lost{"berth-runner no longer has it"}, host_.clock_.now());
    }
    host_.world_.sometimes("a live run was adopted");
    if (found->second.ended) host_.end(run.id, run.attempt, Outcome{found->second.outcome});
}

void Host::Flow::hand_over(const Run& run) {
    daemon_.store.write(
        [run, now = host_.clock_.now()](Db& db) {
            return move_run(db, run.id, run.attempt, RunState::starting, "", now);
        },
        [this, run](Result<Run> moved) {
            if (moved) {
                live_[run.id] = *moved;
                return host_.execute(*moved);
            }
            if (heals(moved.error())) {
                host_.world_.sometimes("a run was handed over again");
                return later(kStoreRetry, [this, run] { hand_over(run); });
            }
            live_.erase(run.id);  // somebody has cancelled it
            daemon_.engine.ended(run.id);
        });
    // The process tells that it runs; the store may not hear of it.
}

void Host::Flow::exited(RunId id, int attempt, const Outcome& outcome) {
    if (!daemon_.recovered) return;  // it speaks to the runner only then
    const auto found = live_.find(id);
    if (found == live_.end() || found->second.attempt != attempt) {
        // What the store itself says to a voice from the past.
        host_.world_.sometimes("an end of an older attempt arrived");
        Run stale;
        stale.id = id;
        stale.attempt = attempt;
        daemon_.store.write(
            [stale, outcome, now = host_.clock_.now()](Db& db) -> Result<RunView> {
                auto run = get_run(db, stale.id);
                if (!run) return pass_on(run);
                run->attempt = stale.attempt;
                return write_end(db, *run, outcome, {}, now);
            },
            [](Result<RunView>) {});
        return;
    }
    if (ending_.insert(id).second) end(found->second, outcome, host_.clock_.now());
}

void Host::Flow::end(const Run& run, const Outcome& outcome, Time at) {
    daemon_.store.write(
        [run, outcome, at](Db& db) -> Result<RunView> {
            auto now = get_run(db, run.id);
            if (!now) return pass_on(now);
            if (is_final(now->state) || now->attempt != run.attempt) return view_run(db, run.id);
            return write_end(db, *now, outcome, {}, at);
        },
        [this, run, outcome, at](Result<RunView> view) {
            if (!view) {
                host_.world_.sometimes("an end was written again");
                return later(kStoreRetry, [this, run, outcome, at] { end(run, outcome, at); });
            }
            if (view->run.state == RunState::queued) host_.world_.sometimes("a run was retried");
            live_.erase(run.id);
            ending_.erase(run.id);
            daemon_.engine.ended(run.id);
        });
}

void Host::Flow::cancel(RunId id) {
    if (live_.contains(id)) {
        if (host_.processes_.contains(id)) {
            host_.world_.sometimes("a running run was cancelled");
            host_.end(id, live_[id].attempt, Cancelled{});
        }
        return;
    }
    host_.world_.sometimes("a waiting run was cancelled");
    daemon_.store.write(
        [id, now = host_.clock_.now()](Db& db) -> Result<Run> {
            auto run = get_run(db, id);
            if (!run) return run;
            if (run->state == RunState::starting)
                return fail(FailureKind::conflict, "run '{}' is on its way to its process",
                            id.str());
            return move_run(db, id, run->attempt, RunState::cancelled, "", now);
        },
        [this, id](Result<Run>) {
            if (!live_.contains(id)) daemon_.engine.ended(id);
        });
}

}  // namespace berth::sim
