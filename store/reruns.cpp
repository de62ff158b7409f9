#include "store/reruns.h"

#include "store/given.h"
#include "store/runs.h"
#include "store/sql.h"

namespace berth {
namespace {

constexpr std::string_view kSelect =
    "select origin_id, triggers_of, configs_from, configs, state_from, state, release_from,"
    " keeps_state from reruns";

Rerun read_rerun(const Row& row) {
    Columns c{row};
    Rerun rerun;
    rerun.origin = c.id<RunId>();
    rerun.triggers_of = c.id<RunId>();
    rerun.configs_from = c.word(parse_given_from);
    rerun.configs = c.text();
    rerun.state_from = c.word(parse_given_from);
    rerun.state = c.text();
    rerun.release_from = c.word(parse_given_from);
    rerun.keeps_state = c.flag();
    return rerun;
}

std::optional<Rerun> read_first(const std::optional<Row>& row) {
    if (!row) return {};
    return read_rerun(*row);
}

Result<Run> run_to_repeat(Db& db, const Rerun& wish) {
    auto origin = get_run(db, wish.origin);
    if (!origin) return origin;
    if (!is_final(origin->state))
        return fail(FailureKind::conflict,
                    "run '{}' is {} and can be run again when it has ended; 'berth run cancel {}' "
                    "ends it",
                    origin->id.value, to_string(origin->state), origin->id.value);
    const bool original =
        wish.configs_from == GivenFrom::original || wish.state_from == GivenFrom::original;
    if (original && !get_given(db, origin->id))
        return fail(FailureKind::not_found,
                    "it is not kept what run '{}' was given: it was never begun, or by an older "
                    "Berth; ask for current configs and state",
                    origin->id.value);
    return origin;
}

}  // namespace

Result<Trigger> accept_rerun(Db& db, Trigger trigger, const Rerun& wish, const WaitingCaps& caps) {
    auto origin = run_to_repeat(db, wish);
    if (!origin) return pass_on(origin);
    trigger.tenant_id = origin->tenant_id;
    trigger.mode = origin->mode;
    auto accepted = accept_trigger(db, trigger, caps);
    // By its key it was there before, and so was what it asks for.
    if (!accepted || accepted->id != trigger.id) return accepted;

    const auto before = rerun_of(db, origin->id);
    db.exec("update triggers set rerun = 1 where id = $1", {accepted->id});
    db.exec(
        "insert into reruns (trigger_id, tenant_id, origin_id, triggers_of, configs_from, configs,"
        " state_from, state, release_from, keeps_state)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        {accepted->id, origin->tenant_id, origin->id, before ? before->triggers_of : origin->id,
         to_string(wish.configs_from), wish.configs, to_string(wish.state_from), wish.state,
         to_string(wish.release_from), wish.keeps_state});
    return accepted;
}

std::optional<Rerun> rerun_of(Db& db, const TriggerId& trigger) {
    return read_first(db.one(fmt::format("{} where trigger_id = $1", kSelect), {trigger}));
}

std::optional<Rerun> rerun_of(Db& db, RunId run) {
    return read_first(db.one(
        fmt::format("{} where trigger_id in (select id from triggers where run_id = $1)", kSelect),
        {run}));
}

}  // namespace berth
