#include "daemon/recovery.h"

#include "base/log.h"
#include "daemon/run_end.h"
#include "store/runs.h"

namespace berth {
namespace {

// True when the run waits again.
Result<bool> recover(Db& db, const Run& run, Time now) {
    switch (run.state) {
        case RunState::queued: return true;
        case RunState::preparing: {
            auto moved = move_run(db, run.id, run.attempt, RunState::queued,
                                  "berthd was started again before the run was handed over", now);
            if (!moved) return pass_on(moved);
            return true;
        }
        case RunState::starting:
        case RunState::running: {
            auto view = write_end(db, run, Lost{"berthd ended while it ran"}, {}, now);
            if (!view) return pass_on(view);
            return !is_final(view->run.state);
        }
        case RunState::succeeded:
        case RunState::failed_integration:
        case RunState::failed_refresh:
        case RunState::failed_timeout:
        case RunState::failed_metadata:
        case RunState::failed_platform:
        case RunState::cancelled: break;
    }
    return fail(FailureKind::conflict, "run '{}' is {} and needs nothing", run.id.str(),
                to_string(run.state));
}

}  // namespace

Recovered recover_runs(Db& db, Time now) {
    Recovered recovered;
    for (const Run& run : live_runs(db)) {
        auto waits = recover(db, run, now);
        if (!waits)
            log_error("cannot recover a run",
                      {{"run", run.id.str()}, {"reason", waits.error().message}});
        else
            ++(*waits ? recovered.waiting_again : recovered.failed);
    }
    return recovered;
}

}  // namespace berth
