// The audit trail: one row per change and per use of a secret, written in the
// transaction of the change itself, each row chained to the one before by
// SHA-256. SQL is written in this folder only, and every function here that
// changes an audited row demands a By and writes its audit row itself; that is
// why a caller cannot forget it. Triggers and the states of runs are records of
// their own (run_events) and are not repeated here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "store/db.h"

namespace berth {

// Who changes something, and when.
struct By {
    std::string actor;  // `uid 0`, `run 17`, `berthd`
    Time now{};
};

struct AuditRow {
    std::int64_t seq = 0;
    Time time{};
    std::string actor;
    std::string action;  // `tenant.create`, `secret.use` ...
    std::string object;  // `tenant 7`
    std::string detail;  // names and numbers, never values of secrets
};

// For changes that have no function of their own here (a sign-in, a cancel).
void audit(Db& db, const By& by, std::string_view action, std::string_view object,
           std::string_view detail = {});

// Newest first, below `before_seq` when that is not 0.
std::vector<AuditRow> list_audit(Db& db, std::int64_t before_seq, std::int64_t limit);

struct AuditHead {
    std::int64_t seq = 0;  // how many rows there are
    std::string hash;      // of the last one, hex
};
// Reads the whole chain. `conflict` naming the first row that was changed,
// removed or put elsewhere.
Result<AuditHead> verify_audit(Db& db);

}  // namespace berth
