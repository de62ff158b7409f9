// What is old goes, a slice at a time; what the next run is told of stays; the file
// shrinks.
#include "store/retention.h"

#include <fmt/format.h>

#include "store/audit.h"
#include "store/db_sqlite.h"
#include "store/runs.h"
#include "store/triggers.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;

namespace {

constexpr RetentionPolicy kPolicy;

// A run of `tenant` that was triggered, began and ended at `when`.
Run ended_run(Db& db, TenantId tenant, Time when, RunState state = RunState::succeeded,
              std::size_t body_bytes = 0) {
    Trigger trigger = trigger_for(tenant);
    trigger.created = when;
    trigger.body.assign(body_bytes, 'b');
    must(accept_trigger(db, trigger));
    Run run = must(begin_run(db, tenant, ReleaseId{1}, RunMode::normal, {trigger.id}, when));
    for (const RunState next : {RunState::preparing, RunState::starting, RunState::running, state})
        run = must(move_run(db, run.id, 1, next, "", when));
    return run;
}

// All that age lets go, as the daemon does it.
void remove_old(Db& db, const RetentionPolicy& policy, Time now) {
    AgeCursor cursor;
    for (;;) {
        auto runs = runs_past_age(db, retention_cut(policy, now), cursor, 50);
        if (runs.empty()) return;
        while (!runs.empty())
            runs.erase(runs.begin(),
                       runs.begin() + static_cast<std::ptrdiff_t>(remove_runs(db, runs).done));
    }
}

std::vector<std::int64_t> run_ids(Db& db) {
    std::vector<std::int64_t> ids;
    for (const Row& row : db.query("select id from runs order by id"))
        ids.push_back(row.integer(0));
    return ids;
}

}  // namespace

TEST_CASE("runs go with all their rows when they are old, and not a day before", "[store]") {
    TestDb db = make_db();
    const Tenant acme = add_world(db);
    ended_run(db, acme.id, kNow - 31 * 24h);
    const Run young = ended_run(db, acme.id, kNow - 29 * 24h);
    const auto rows_of_audit = count(db, "audit");

    remove_old(db, kPolicy, kNow);

    CHECK(run_ids(db) == std::vector{young.id.value});
    CHECK(count(db, "triggers") == 1);
    CHECK(db.db->query("select 1 from run_events where run_id <> $1", {young.id}).empty());
    CHECK(db.db->query("pragma foreign_key_check").empty());
    CHECK(count(db, "audit") == rows_of_audit);
    CHECK(verify_audit(db));
}

TEST_CASE("what the next run is told of is never too old", "[store]") {
    TestDb db = make_db();
    const Tenant acme = add_world(db);
    ended_run(db, acme.id, kNow - 400 * 24h);
    const Run succeeded = ended_run(db, acme.id, kNow - 300 * 24h);
    ended_run(db, acme.id, kNow - 200 * 24h, RunState::failed_integration);
    const Run last = ended_run(db, acme.id, kNow - 100 * 24h, RunState::failed_integration);

    remove_old(db, kPolicy, kNow);

    CHECK(run_ids(db) == std::vector{succeeded.id.value, last.id.value});
    CHECK(last_successful_run(db, acme.id)->id == succeeded.id);
    CHECK(last_run(db, acme.id)->id == last.id);
}

TEST_CASE("what waits or runs is kept, however old", "[store]") {
    TestDb db = make_db();
    const Tenant acme = add_world(db);
    Trigger taken = trigger_for(acme.id);
    Trigger waiting = trigger_for(acme.id);
    taken.created = waiting.created = kNow - 500 * 24h;
    must(accept_trigger(db, taken));
    must(accept_trigger(db, waiting));
    must(begin_run(db, acme.id, ReleaseId{1}, RunMode::normal, {taken.id}, kNow - 500 * 24h));

    remove_old(db, kPolicy, kNow);
    CHECK(count(db, "runs") == 1);
    CHECK(count(db, "triggers") == 2);
    // Also when a list that was made before names it.
    const auto left = remove_runs(db, {{RunId{1}, kNow, kNow}});
    CHECK(left.done == 1);
    CHECK(left.removed == 0);
    CHECK(count(db, "runs") == 1);
}

TEST_CASE("a tenant keeps its newest runs up to its quota of runs and of log bytes", "[store]") {
    TestDb db = make_db();
    const Tenant acme = add_world(db);
    const Tenant other = add_tenant(db, acme.integration_id, "other");
    std::vector<std::int64_t> runs;
    for (int i = 0; i < 6; ++i)
        runs.push_back(ended_run(db, acme.id, kNow - 1h).id.value);
    const Run quiet = ended_run(db, other.id, kNow - 1h);
    db.db->exec("update runs set log_bytes = 100");

    RetentionPolicy policy;
    SECTION("of runs") { policy.runs_of_tenant = 4; }
    SECTION("of log bytes") { policy.log_bytes_of_tenant = 400; }
    TenantId cursor;
    while (const auto past = runs_past_quota(db, policy, cursor, 10))
        for (const ExpiredRun& run : *past)
            CHECK(remove_runs(db, {run}).removed == 1);
    CHECK(run_ids(db) == std::vector{runs[2], runs[3], runs[4], runs[5], quiet.id.value});
}

TEST_CASE("an idempotency key is forgotten after a week, and then it is a new trigger", "[store]") {
    TestDb db = make_db();
    const Tenant acme = add_world(db);
    Trigger first = trigger_for(acme.id);
    first.idempotency_key = "k";
    first.created = kNow;
    must(accept_trigger(db, first));
    Trigger again = trigger_for(acme.id);
    again.idempotency_key = "k";

    CHECK(forget_idempotency_keys(db, retention_cut(kPolicy, kNow + 6 * 24h), 10) == 0);
    CHECK(must(accept_trigger(db, again)).id == first.id);
    CHECK(forget_idempotency_keys(db, retention_cut(kPolicy, kNow + 8 * 24h), 10) == 1);
    CHECK(must(accept_trigger(db, again)).id == again.id);
}

TEST_CASE("a slice deletes no more than a turn's worth", "[store]") {
    TestDb db = make_db();
    const Tenant acme = add_world(db);
    std::vector<ExpiredRun> old;
    for (int i = 0; i < 12; ++i) {
        const Run run = ended_run(db, acme.id, kNow - 50 * 24h, RunState::succeeded, 900'000);
        old.push_back({run.id, run.created, *run.completed});
    }
    CHECK(remove_runs(db, old).done == 5);  // 4 MiB, and the one that got there
    CHECK(count(db, "runs") == 7);
}

TEST_CASE("a run with large payloads goes in several slices, and is whole until the last",
          "[store]") {
    TestDb db = make_db();
    const Tenant acme = add_world(db);
    std::vector<TriggerId> ids;
    for (int i = 0; i < 40; ++i) {
        Trigger trigger = trigger_for(acme.id);
        trigger.body.assign(900'000, 'b');
        must(accept_trigger(db, trigger));
        ids.push_back(trigger.id);
    }
    const Time when = kNow - 50 * 24h;
    Run run = must(begin_run(db, acme.id, ReleaseId{1}, RunMode::normal, ids, when));
    for (const RunState next :
         {RunState::preparing, RunState::starting, RunState::running, RunState::succeeded})
        run = must(move_run(db, run.id, 1, next, "", when));
    ended_run(db, acme.id, kNow);  // it is not the last one

    const auto bytes = [&] {
        return db.db->must("select coalesce(sum(length(body)), 0) from triggers").integer(0);
    };
    int slices = 0;
    for (RemovedRuns slice; slice.done == 0; ++slices) {
        REQUIRE(slices < 20);
        CHECK(get_run(db, run.id));
        CHECK(triggers_of_run(db, run.id).size() > 0);
        const auto before = bytes();
        slice = remove_runs(db, {{run.id, when, when}});
        CHECK(before - bytes() <= 5 * 1024 * 1024);
        CHECK(before > bytes());
    }
    CHECK(slices == 8);
    CHECK_FALSE(get_run(db, run.id));
    CHECK(count(db, "triggers") == 1);
    CHECK(db.db->query("pragma foreign_key_check").empty());
}

TEST_CASE("the file of the store gets smaller when old runs are gone", "[store]") {
    const TempDir dir{"berth-store"};
    Loop loop;
    auto store = must(make_store(dir.path(), loop));
    const TenantId acme = must(write_now(*store, loop, [](Db& db) { return add_world(db).id; }));
    for (int i = 0; i < 40; ++i)
        must(write_now(*store, loop, [acme](Db& db) {
            return ended_run(db, acme, kNow - 50 * 24h, RunState::succeeded, 500'000).id;
        }));
    const auto size = [&] { return std::filesystem::file_size(dir.path() / "berth.db"); };
    store.reset();  // all is in the file
    const auto full = size();
    CHECK(full > 20'000'000);

    store = must(make_store(dir.path(), loop));
    must(write_now(*store, loop, [](Db& db) {
        remove_old(db, kPolicy, kNow);
        return count(db, "runs");
    }));
    std::int64_t given = 0;
    for (;;) {
        const auto slice =
            must(write_now(*store, loop, [](Db& db) { return give_pages_back(db, 512); }));
        if (slice == 0) break;
        CHECK(slice <= 512);
        given += slice;
    }
    CHECK(given * 4096 > 15'000'000);
    store->checkpoint();
    store.reset();
    CHECK(size() < full / 5);
    CHECK(connect_again(dir.path())->must("pragma integrity_check").text(0) == "ok");
}

TEST_CASE("choosing a bundle walks over nothing, also when a kind is absent", "[store]") {
    TestDb db = make_db();
    for (const char* kind : {"source = 'cron'", "source <> 'cron' and mode = 'init'",
                             "source <> 'cron' and mode <> 'init'"}) {
        INFO(kind);
        std::string plan;
        for (const Row& row : db.db->query(
                 fmt::format("explain query plan select seq from triggers where tenant_id = 1"
                             " and run_id is null and {} order by seq limit 5",
                             kind)))
            plan += row.text(3) + "; ";
        CHECK_THAT(plan, Catch::Contains("triggers_waiting_"));
        CHECK_THAT(plan, !Catch::Contains("TEMP B-TREE"));
    }
}
