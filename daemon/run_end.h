// How a run's end is judged and written: pure judgement, and one transaction.
#pragma once

#include <string>

#include "base/clock.h"
#include "model/forms.h"
#include "model/run_state.h"
#include "sandbox/ipc/messages.h"
#include "store/db.h"
#include "store/runs.h"

namespace berth {

Outcome outcome_of(const ipc::Ended& ended);

// What a successful run's last stdout line means besides being its state.
struct Printed {
    std::string metadata_patch;   // not empty: merged into the tenant's metadata
    std::string dynamic_configs;  // not empty: an init run's options
};
// `exited 0` of a release with metadata_schema becomes MetadataInvalid when what
// it printed does not fit (pandium-contract.md 4.1). Pure.
Outcome judge(const Outcome& outcome, RunMode mode, const std::string& std_out,
              const std::string& metadata_schema, Printed& printed);

// What people read of an end: describe(), and for a run that failed by itself which
// system calls it was refused.
std::string reason_of(const Outcome& outcome, const std::vector<std::string>& refused_syscalls);

// Writes the end of an attempt and what follows from it, in the caller's
// transaction: the final state, metadata, options; or, for a lost run whose
// integration wants it, the next attempt. Thread: store.
Result<RunView> write_end(Db& db, const Run& run, const Outcome& outcome, RunEnd end, Time now);

Result<RunView> view_run(Db& db, RunId id);

}  // namespace berth
