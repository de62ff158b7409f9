#include "daemon/recovery.h"

#include "base/log.h"
#include "store/run_connections.h"
#include "store/runs.h"

namespace berth {

Recovered recover_runs(Db& db, Time now) {
    Recovered recovered;
    for (const Run& run : live_runs(db)) {
        if (run.state == RunState::starting || run.state == RunState::running) {
            recovered.handed_over.push_back({run, count_run_connections(db, run.id, run.attempt)});
            continue;
        }
        ++recovered.waiting_again;
        if (run.state == RunState::queued) continue;
        const auto moved = move_run(db, run.id, run.attempt, RunState::queued,
                                    "berthd was started again before the run was handed over", now);
        if (!moved)
            log_error("cannot recover a run",
                      {{"run", run.id.str()}, {"reason", moved.error().message}});
    }
    return recovered;
}

}  // namespace berth
