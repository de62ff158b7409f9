// Who wants a run to end. It is on the run's row before anybody is told, so that a
// crash does not forget it: recovery acts on it.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "model/ids.h"
#include "store/audit.h"
#include "store/db.h"

namespace berth {

// The first who asks stays on record. conflict when the run has ended.
Result<void> request_cancel(Db& db, const By& by, RunId run);
// Who asked; nothing: nobody has.
std::optional<std::string> cancel_requested(Db& db, RunId run);

}  // namespace berth
