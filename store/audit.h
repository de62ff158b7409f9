// The audit trail: one row per change and per use of a secret, written in the
// transaction of the change itself, each row chained to the one before by
// SHA-256. SQL is written in this folder only, and every function here that
// changes an audited row demands a By and writes its audit row itself; that is
// why a caller cannot forget it. Triggers and the states of runs are records of
// their own (run_events) and are not repeated here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "model/audit.h"
#include "store/db.h"

namespace berth {

// Who changes something, and when.
struct By {
    std::string actor;  // `uid 0`, `run 17`, `berthd`
    Time now{};
};

// For changes that have no function of their own here (a sign-in, a cancel).
void audit(Db& db, const By& by, std::string_view action, std::string_view object,
           std::string_view detail = {});

// Newest first, below `before_seq` when that is not 0.
std::vector<AuditRow> list_audit(Db& db, std::int64_t before_seq, std::int64_t limit);

AuditHead audit_head(Db& db);

// Reads the chain a stretch at a time, so that who else reads need not wait for all of it.
class AuditWalk {
public:
    // `published`: a head from before, which the chain must still have.
    explicit AuditWalk(std::optional<AuditHead> published = {});

    // Reads the next `rows`; true when those were the last. `conflict` naming the first row
    // that was changed, removed or put elsewhere. Rows may be added between two steps.
    Result<bool> step(Db& db, std::int64_t rows = 1000);
    AuditHead head() const;  // of what was read

private:
    Result<void> meet_published() const;

    std::optional<AuditHead> published_;
    std::int64_t seq_ = 0;
    std::string hash_;  // 32 bytes
};
// The whole walk.
Result<AuditHead> verify_audit(Db& db, std::optional<AuditHead> published = {});

}  // namespace berth
