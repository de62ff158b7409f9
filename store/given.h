// What a run was given besides its release and its triggers: settings, metadata and
// the states of earlier runs. Kept, so that the run can be run again as it was;
// secrets never are. A text that many runs of a tenant were given is kept once.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "model/values.h"
#include "store/db.h"

namespace berth {

struct Given {
    std::string configs = "{}";           // JSON object, as the tenant has it
    std::optional<std::string> metadata;  // JSON object; nothing: its release has none
    // Of these, state, times and std_out only.
    std::optional<Run> last_run;
    std::optional<Run> last_successful_run;
};

// Takes the place of what an earlier attempt of the run was given.
void keep_given(Db& db, const Run& run, const Given& given);
// not_found when the run was never given anything, or before this was kept.
Result<Given> get_given(Db& db, RunId run);
// With the run itself.
void forget_given(Db& db, RunId run);

}  // namespace berth
