// Leases, as two hosts have them, and wishes for the end of a run.
#include "store/cancels.h"
#include "store/leases.h"
#include "store/runs.h"
#include "tests/faults/operations.h"

namespace berth::test {
namespace {

using enum Effect;

RunId some_run(Db& db, Dice& dice) { return {dice.any(db, "runs")}; }

}  // namespace

AsHost::AsHost(Db& db, Dice& dice) : db_{db}, before_{db.holder()}, clock_{dice.now} {
    db.write_as({dice.one_in(8) ? "theirs" : "ours", "clock", &clock_});
}

AsHost::~AsHost() { db_.write_as(before_); }

std::vector<Operation> lease_operations() {
    return {
        {"renew_leases", writes, 3,
         [](Db& db, Dice& dice) {
             const AsHost as{db, dice};
             return answer(renew_leases(db));
         }},
        {"take_lapsed_leases", writes, 3,
         [](Db& db, Dice& dice) {
             const AsHost as{db, dice};
             return answer(take_lapsed_leases(db));
         }},
        {"may_write", reads, 1,
         [](Db& db, Dice& dice) {
             const AsHost as{db, dice};
             return answer(may_write(db, some_run(db, dice)));
         }},
        {"own_live_runs", reads, 1,
         [](Db& db, Dice& dice) {
             const AsHost as{db, dice};
             return answer(own_live_runs(db));
         }},
        {"request_cancel", writes, 2,
         [](Db& db, Dice& dice) {
             return answer(request_cancel(db, dice.by(), some_run(db, dice)));
         }},
        {"cancel_requested", reads, 1,
         [](Db& db, Dice& dice) { return answer(cancel_requested(db, some_run(db, dice))); }},
    };
}

}  // namespace berth::test
