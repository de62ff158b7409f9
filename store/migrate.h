// Brings a database up to the schema of this program.
#pragma once

#include <span>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "store/db.h"

namespace berth {

struct Migration {
    int number;
    std::string_view name;
    std::string_view sql;
};
// migrations/NNN_name.sql in order, put into the program when it was built.
std::span<const Migration> migrations();

// Runs what is missing, each in a transaction of its own. `what` names the
// database in messages. conflict: a newer program wrote it; invalid: it is a
// database, but not ours, or somebody planted a trigger or a view in it.
Result<void> migrate(Db& db, std::string_view what, Time now,
                     std::span<const Migration> steps = migrations());

}  // namespace berth
