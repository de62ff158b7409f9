#include "store/totals.h"

#include "store/sql.h"

namespace berth {

std::vector<std::pair<RunState, std::int64_t>> count_live_runs(Db& db) {
    return read_rows(
        db.query("select state, count(*) from runs where completed is null group by state"
                 " order by state"),
        [](const Row& row) {
            Columns c{row};
            const RunState state = c.word(parse_run_state);
            return std::pair{state, c.integer()};
        });
}

std::int64_t count_waiting_triggers(Db& db) {
    return db.one("select coalesce(sum(triggers), 0) from waiting", {})->integer(0);
}

}  // namespace berth
