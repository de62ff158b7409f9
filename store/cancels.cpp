#include "store/cancels.h"

#include "store/runs.h"

namespace berth {

Result<void> request_cancel(Db& db, const By& by, RunId id) {
    auto run = get_run(db, id);
    if (!run) return pass_on(run);
    if (is_final(run->state))
        return fail(FailureKind::conflict, "run '{}' has ended already: {}", id.value,
                    to_string(run->state));
    db.exec("update runs set cancel_by = $2 where id = $1 and cancel_by is null", {id, by.actor});
    return {};
}

std::optional<std::string> cancel_requested(Db& db, RunId id) {
    const auto row = db.one("select cancel_by from runs where id = $1", {id});
    if (!row || row->is_null(0)) return {};
    return row->text(0);
}

}  // namespace berth
