#include "daemon/recovery.h"

#include "base/log.h"
#include "daemon/run_end.h"
#include "store/cancels.h"
#include "store/leases.h"
#include "store/run_connections.h"
#include "store/runs.h"

namespace berth {
namespace {

// Nothing of it has run: it waits again, or it ends if somebody wants that.
void not_handed_over(Db& db, const Run& run, const char* why, Time now) {
    const auto cancel_by = cancel_requested(db, run.id);
    if (run.state == RunState::queued && !cancel_by) return;
    const auto moved = cancel_by ? move_run(db, run.id, run.attempt, RunState::cancelled,
                                            "cancelled by " + *cancel_by, now)
                                 : move_run(db, run.id, run.attempt, RunState::queued, why, now);
    if (!moved)
        log_error("cannot recover a run",
                  {{"run", run.id.str()}, {"reason", moved.error().message}});
}

bool was_handed_over(const Run& run) {
    return run.state == RunState::starting || run.state == RunState::running;
}

}  // namespace

Recovered recover_runs(Db& db, Time now) {
    renew_leases(db);
    Recovered recovered;
    for (const Run& run : own_live_runs(db)) {
        if (was_handed_over(run)) {
            recovered.handed_over.push_back({run, count_run_connections(db, run.id, run.attempt),
                                             cancel_requested(db, run.id)});
            continue;
        }
        ++recovered.waiting_again;
        not_handed_over(db, run, "berthd was started again before the run was handed over", now);
    }
    return recovered;
}

int recover_lapsed_runs(Db& db, Time now) {
    int recovered = 0;
    for (const RunId id : take_lapsed_leases(db)) {
        const auto run = get_run(db, id);
        if (!run) continue;
        ++recovered;
        const char* why = "the host that had it has not renewed its lease";
        if (!was_handed_over(*run)) {
            not_handed_over(db, *run, why, now);
            continue;
        }
        const auto ended = write_end(db, *run, Lost{why}, {}, now);
        if (!ended)
            log_error("cannot end a run that another host has lost",
                      {{"run", id.str()}, {"reason", ended.error().message}});
    }
    return recovered;
}

}  // namespace berth
