// Triggers and runs.
#include <array>

#include "store/given.h"
#include "store/reruns.h"
#include "store/retention.h"
#include "store/run_connections.h"
#include "store/runs.h"
#include "store/shares.h"
#include "store/tenants.h"
#include "store/totals.h"
#include "store/triggers.h"
#include "tests/faults/operations.h"

namespace berth::test {
namespace {

using enum Effect;

TenantId some_tenant(Db& db, Dice& dice) { return {dice.any(db, "tenants")}; }
RunId some_run(Db& db, Dice& dice) { return {dice.any(db, "runs")}; }

Result<std::string> accept_one(Db& db, Dice& dice) {
    constexpr std::array kSources{TriggerSource::api, TriggerSource::cron, TriggerSource::manual,
                                  TriggerSource::webhook};
    Trigger trigger;
    trigger.id = {dice.hex(32)};
    trigger.tenant_id = some_tenant(db, dice);
    trigger.source = kSources[dice.below(kSources.size())];
    trigger.mode = dice.one_in(5) ? RunMode::init : RunMode::normal;
    if (dice.one_in(3)) trigger.idempotency_key = fmt::format("key-{}", dice.below(40));
    if (dice.one_in(3)) trigger.body = std::string(dice.below(9000), 'b');
    trigger.created = dice.now;
    return answer(accept_trigger(db, trigger));
}

Result<std::string> begin_one(Db& db, Dice& dice) {
    const auto ready = next_turns(db, 5);
    if (ready.empty()) return fail(FailureKind::not_found, "nobody waits");
    const TenantId tenant = ready[dice.below(ready.size())].tenant;
    const auto release = db.one(
        "select releases.id from releases join tenants using (integration_id)"
        " where tenants.id = $1 limit 1",
        {tenant});
    if (!release) return fail(FailureKind::not_found, "there is nothing to run");
    std::vector<TriggerId> bundle;
    const std::size_t most = 1 + dice.below(4);
    for (const Trigger& trigger : list_waiting_triggers(db, tenant, 4))
        if (bundle.size() < most) bundle.push_back(trigger.id);
    return answer(
        begin_run(db, tenant, ReleaseId{release->integer(0)}, RunMode::normal, bundle, dice.now));
}

Result<std::string> move_one(Db& db, Dice& dice) {
    const auto live = live_runs(db);
    if (live.empty()) return fail(FailureKind::not_found, "nothing is live");
    const Run& run = live[dice.below(live.size())];
    std::vector<RunState> next;
    for (int state = 0; state <= static_cast<int>(RunState::cancelled); ++state)
        if (may_become(run.state, static_cast<RunState>(state)))
            next.push_back(static_cast<RunState>(state));
    const AsHost as{db, dice};
    RunEnd end;
    end.std_out = dice.hex(dice.below(3000));
    end.usage = Usage{};
    // Now and then for an attempt that is over.
    const int attempt = run.attempt - (dice.one_in(8) ? 1 : 0);
    return answer(
        move_run(db, run.id, attempt, next[dice.below(next.size())], "test", dice.now, end));
}

// All but the newest runs are past it, by the dice's clock.
RetentionCut some_cut(const Dice& dice) {
    return {dice.now - std::chrono::seconds{60}, dice.now - std::chrono::seconds{30}, {}};
}

std::vector<ExpiredRun> some_expired(Db& db, Dice& dice) {
    AgeCursor cursor;
    return runs_past_age(db, some_cut(dice), cursor, 1 + static_cast<std::int64_t>(dice.below(9)));
}

}  // namespace

std::vector<Operation> run_operations() {
    return {
        {"runs_past_age", reads, 1,
         [](Db& db, Dice& dice) { return answer(some_expired(db, dice)); }},
        {"runs_past_quota", reads, 1,
         [](Db& db, Dice&) {
             TenantId cursor;
             RetentionPolicy policy;
             policy.runs_of_tenant = 3;
             return answer(runs_past_quota(db, policy, cursor, 20));
         }},
        {"remove_runs", writes, 2,
         [](Db& db, Dice& dice) {
             return answer(remove_runs(db, some_expired(db, dice)).removed);
         }},
        {"forget_idempotency_keys", writes, 1,
         [](Db& db, Dice& dice) { return answer(forget_idempotency_keys(db, some_cut(dice), 5)); }},
        {"give_pages_back", writes, 2,
         [](Db& db, Dice& dice) {
             return answer(give_pages_back(db, 1 + static_cast<std::int64_t>(dice.below(40)), 2));
         }},
        {"accept_trigger", writes, 24, accept_one},
        {"get_trigger", reads, 1,
         [](Db& db, Dice& dice) {
             const auto row = db.one("select id from triggers where seq = $1",
                                     {dice.any(db, "triggers", "seq")});
             return answer(get_trigger(db, {row ? row->text(0) : ""}));
         }},
        {"list_waiting_triggers", reads, 1,
         [](Db& db, Dice& dice) {
             return answer(list_waiting_triggers(db, some_tenant(db, dice), 20));
         }},
        {"bundle_candidates", reads, 1,
         [](Db& db, Dice& dice) {
             return answer(bundle_candidates(db, some_tenant(db, dice), 10));
         }},
        {"triggers_of_run", reads, 1,
         [](Db& db, Dice& dice) { return answer(triggers_of_run(db, some_run(db, dice))); }},
        {"tenants_ready", reads, 1, [](Db& db, Dice&) { return answer(tenants_ready(db, 50)); }},
        {"waiting_since", reads, 1,
         [](Db& db, Dice& dice) {
             return answer(waiting_since(db, some_tenant(db, dice)).has_value());
         }},
        {"put_off", writes, 1,
         [](Db& db, Dice& dice) {
             put_off(db, some_run(db, dice), dice.now, dice.now + std::chrono::seconds{5});
             return Result<std::string>{"done"};
         }},
        {"queued_runs", reads, 1,
         [](Db& db, Dice& dice) { return answer(queued_runs(db, dice.now, 20)); }},
        {"next_retry", reads, 1,
         [](Db& db, Dice& dice) { return answer(next_retry(db, dice.now).has_value()); }},
        {"count_live_runs", reads, 1, [](Db& db, Dice&) { return answer(count_live_runs(db)); }},
        {"count_waiting_triggers", reads, 1,
         [](Db& db, Dice&) { return answer(count_waiting_triggers(db)); }},
        {"begin_run", writes, 12, begin_one},
        {"move_run", writes, 30, move_one},
        {"get_run", reads, 1,
         [](Db& db, Dice& dice) { return answer(get_run(db, some_run(db, dice))); }},
        {"live_runs", reads, 1, [](Db& db, Dice&) { return answer(live_runs(db)); }},
        {"live_run_of", reads, 1,
         [](Db& db, Dice& dice) { return answer(live_run_of(db, some_tenant(db, dice))); }},
        {"list_runs", reads, 1,
         [](Db& db, Dice& dice) {
             RunFilter filter;
             if (dice.one_in(2)) filter.tenant_id = some_tenant(db, dice);
             return answer(list_runs(db, filter, {}));
         }},
        {"list_run_events", reads, 1,
         [](Db& db, Dice& dice) { return answer(list_run_events(db, some_run(db, dice))); }},
        {"last_run", reads, 1,
         [](Db& db, Dice& dice) { return answer(last_run(db, some_tenant(db, dice))); }},
        {"last_successful_run", reads, 1,
         [](Db& db, Dice& dice) { return answer(last_successful_run(db, some_tenant(db, dice))); }},
        {"add_run_connections", writes, 4,
         [](Db& db, Dice& dice) -> Result<std::string> {
             const auto run = get_run(db, some_run(db, dice));
             if (!run) return tl::unexpected<Failure>{run.error()};
             std::vector<RunConnection> made(1 + dice.below(3));
             for (RunConnection& connection : made) {
                 connection.run_id = run->id;
                 connection.attempt = run->attempt;
                 connection.time = dice.now;
                 connection.name = "api.example.com";
             }
             const AsHost as{db, dice};
             return answer(add_run_connections(db, run->id, run->attempt, made));
         }},
        {"list_run_connections", reads, 1,
         [](Db& db, Dice& dice) {
             return answer(list_run_connections(db, some_run(db, dice), {}));
         }},
        {"count_run_connections", reads, 1,
         [](Db& db, Dice& dice) {
             return answer(count_run_connections(db, some_run(db, dice), 1));
         }},
        {"accept_rerun", writes, 3,
         [](Db& db, Dice& dice) {
             Trigger trigger;
             trigger.id = {dice.hex(32)};
             trigger.source = TriggerSource::manual;
             trigger.created = dice.now;
             Rerun wish;
             wish.origin = some_run(db, dice);
             if (dice.one_in(2)) wish.configs_from = wish.state_from = GivenFrom::current;
             return answer(accept_rerun(db, trigger, wish));
         }},
        {"rerun_of", reads, 1,
         [](Db& db, Dice& dice) { return answer(rerun_of(db, some_run(db, dice)).has_value()); }},
        {"keep_given", writes, 6,
         [](Db& db, Dice& dice) -> Result<std::string> {
             const auto run = get_run(db, some_run(db, dice));
             if (!run) return tl::unexpected<Failure>{run.error()};
             Given given;
             given.configs = fmt::format("{{\"n\":{}}}", dice.below(3));
             given.last_run = last_run(db, run->tenant_id, run->id);
             keep_given(db, *run, given);
             return std::string{"done"};
         }},
        {"get_given", reads, 1,
         [](Db& db, Dice& dice) -> Result<std::string> {
             auto given = get_given(db, some_run(db, dice));
             if (!given) return pass_on(given);
             return given->configs;
         }},
        {"forget_given", writes, 1,
         [](Db& db, Dice& dice) {
             forget_given(db, some_run(db, dice));
             return Result<std::string>{"done"};
         }},
        {"count_runs", reads, 1, [](Db& db, Dice&) { return answer(count_runs(db)); }},
    };
}

}  // namespace berth::test
