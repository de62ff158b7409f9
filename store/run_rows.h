// A row of `runs` as a value; for the files of the store that read runs.
#pragma once

#include <string>
#include <string_view>

#include "model/values.h"
#include "store/db.h"

namespace berth {

// `select` with all that read_run() reads, up to `from runs`.
extern const std::string_view kSelectRun;
Run read_run(const Row& row);
// The host that has it (leases.h); empty: none.
const std::string& owner_of(const Row& run);

}  // namespace berth
