// Reruns: a run of the past, once more. Asked for like any trigger, but it makes a
// run of its own, which is handed the triggers of the run it repeats.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "model/rerun.h"
#include "model/values.h"
#include "store/db.h"
#include "store/triggers.h"

namespace berth {

// Keeps the rerun until its tenant's turn, under the caps and by the idempotency
// key of any trigger; `trigger` has id, key and created. conflict when the run has not
// ended; not_found when it is not there, or something original that is asked for is not kept.
Result<Trigger> accept_rerun(Db& db, Trigger trigger, const Rerun& wish,
                             const WaitingCaps& caps = {});

// What a waiting trigger, or a run, is a rerun of; nothing: of none.
std::optional<Rerun> rerun_of(Db& db, const TriggerId& trigger);
std::optional<Rerun> rerun_of(Db& db, RunId run);

}  // namespace berth
