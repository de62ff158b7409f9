// The deletion of a tenant for ever: its keys, secrets, settings and what was sent to it and
// came of it. Its row stays, without a name, for the runs that were made for it: they keep
// their times, states and usage until retention takes them.
#pragma once

#include "base/error.h"
#include "model/ids.h"
#include "store/audit.h"
#include "store/db.h"

namespace berth {

// Twice is fine. not_found when there is no such tenant; conflict while a run of it lives.
// Older copies of the database still have it: the wrapped data key, and what it opens.
Result<void> delete_tenant(Db& db, const By& by, TenantId id);

}  // namespace berth
