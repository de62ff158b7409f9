#include "store/runs.h"

#include <array>
#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "model/limits.h"
#include "store/releases.h"
#include "store/triggers.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;

namespace {

using enum RunState;
constexpr std::array kStates{queued,          preparing,          starting,       running,
                             succeeded,       failed_integration, failed_refresh, failed_timeout,
                             failed_metadata, failed_platform,    cancelled};

// The shortest way from queued to every state, by the table of transitions itself.
std::map<RunState, std::vector<RunState>> ways() {
    std::map<RunState, std::vector<RunState>> found{{queued, {}}};
    std::vector<RunState> edge{queued};
    while (!edge.empty()) {
        std::vector<RunState> next;
        for (const RunState from : edge)
            for (const RunState to : kStates)
                if (may_become(from, to) && !found.contains(to)) {
                    found[to] = found[from];
                    found[to].push_back(to);
                    next.push_back(to);
                }
        edge = next;
    }
    return found;
}

struct World {
    TestDb made = make_db();
    Db& db = *made.db;
    Tenant acme = add_world(db);
    ReleaseId release = must(latest_release(db, acme.integration_id)).id;

    Result<Run> begin(TenantId tenant, const std::vector<TriggerId>& triggers = {}) {
        return begin_run(db, tenant, release, RunMode::normal, triggers, kNow);
    }
    Run in_state(RunState state) {
        const Tenant tenant = add_tenant(db, acme.integration_id, TriggerId::make().value);
        Run run = must(begin(tenant.id));
        const auto way = ways().at(state);
        for (const RunState step : way)
            run = must(move_run(db, run.id, run.attempt, step, "", kNow));
        return run;
    }
    TriggerId accept(TenantId tenant) { return must(accept_trigger(db, trigger_for(tenant))).id; }
};

}  // namespace

TEST_CASE("a run changes its state only as the table of transitions allows", "[store]") {
    World w;
    REQUIRE(ways().size() == kStates.size());
    for (const RunState from : kStates)
        for (const RunState to : kStates) {
            INFO(to_string(from) << " to " << to_string(to));
            const Run run = w.in_state(from);
            const auto events = list_run_events(w.db, run.id).size();
            const auto moved = move_run(w.db, run.id, run.attempt, to, "note", kNow);
            const Run after = must(get_run(w.db, run.id));
            if (may_become(from, to)) {
                REQUIRE(moved);
                CHECK(after.state == to);
                CHECK(after.attempt == run.attempt + (to == queued ? 1 : 0));
                CHECK(after.completed.has_value() == is_final(to));
                CHECK(list_run_events(w.db, run.id).size() == events + 1);
                CHECK(list_run_events(w.db, run.id).back().state == to);
            } else {
                CHECK_FAILS(moved, FailureKind::conflict, "and cannot become");
                CHECK(after.state == from);
                CHECK(list_run_events(w.db, run.id).size() == events);
            }
        }
}

TEST_CASE("an attempt that was given up can no longer speak for its run", "[store]") {
    World w;
    Run run = w.in_state(running);
    run = must(move_run(w.db, run.id, 1, queued, "lost with the runner", kNow));
    CHECK(run.attempt == 2);
    CHECK_FALSE(run.started);
    CHECK_FAILS(move_run(w.db, run.id, 1, succeeded, "", kNow), FailureKind::conflict,
                "is at attempt 2; what attempt 1 says no longer counts");
    CHECK_FAILS(move_run(w.db, run.id, 3, preparing, "", kNow), FailureKind::conflict,
                "is at attempt 2");
    CHECK(must(move_run(w.db, run.id, 2, preparing, "", kNow)).state == preparing);
    CHECK_FAILS(move_run(w.db, RunId{99999}, 1, preparing, "", kNow), FailureKind::not_found,
                "there is no run '99999'");
}

TEST_CASE("the end of a run is on its record", "[store]") {
    World w;
    const Run run = w.in_state(running);
    CHECK(run.started == kNow);
    RunEnd end;
    end.reason = "exited with code 0";
    end.std_out = R"({"cursor":7})";
    end.grants = R"(["host network"])";
    end.usage = Usage{1, 2, 3, 4, 5, 6, 7};
    end.warm = true;
    end.refused_syscalls = {"ptrace", "mount"};
    end.tree_empty = true;
    const Time later = kNow + std::chrono::seconds{5};
    must(move_run(w.db, run.id, run.attempt, succeeded, "", later, end));
    const Run ended = must(get_run(w.db, run.id));
    CHECK(ended.reason == "exited with code 0");
    CHECK(ended.std_out == R"({"cursor":7})");
    CHECK(ended.grants == R"(["host network"])");
    CHECK(ended.usage.system_us == 2);
    CHECK(ended.usage.max_rss_bytes == 3);
    CHECK(ended.usage.memory_peak_bytes == 4);
    CHECK(ended.usage.io_read_bytes == 5);
    CHECK(ended.usage.io_write_bytes == 6);
    CHECK(ended.usage.log_bytes == 7);
    CHECK(ended.warm);
    CHECK(ended.refused_syscalls == std::vector<std::string>{"ptrace", "mount"});
    CHECK(ended.tree_empty);
    CHECK(ended.completed == later);
    CHECK(last_run(w.db, run.tenant_id)->id == run.id);
    CHECK(last_successful_run(w.db, run.tenant_id)->std_out == R"({"cursor":7})");
    CHECK_FALSE(last_run(w.db, run.tenant_id, run.id));
}

TEST_CASE("a failure does not hide the last success", "[store]") {
    World w;
    const Run good = w.in_state(succeeded);
    Run bad = must(w.begin(good.tenant_id));
    bad = must(move_run(w.db, bad.id, 1, preparing, "", kNow));
    must(move_run(w.db, bad.id, 1, failed_platform, "", kNow));
    const Run live = must(w.begin(good.tenant_id));
    CHECK(last_run(w.db, good.tenant_id, live.id)->id == bad.id);
    CHECK(last_successful_run(w.db, good.tenant_id, live.id)->id == good.id);
    CHECK(live_run_of(w.db, good.tenant_id)->id == live.id);
    CHECK(live_runs(w.db).size() == 1);
    CHECK(must(list_runs(w.db, {good.tenant_id, {}, {}}, {})).at(0).id == live.id);
    CHECK(must(list_runs(w.db, {{}, w.acme.integration_id, failed_platform}, {})).size() == 1);
    const auto counts = count_runs(w.db);
    CHECK(counts.size() == 3);
}

TEST_CASE("a tenant has one live run at a time", "[store]") {
    World w;
    const Run first = must(w.begin(w.acme.id));
    CHECK_FAILS(w.begin(w.acme.id), FailureKind::conflict, "has a live run already");
    must(move_run(w.db, first.id, 1, cancelled, "", kNow));
    must(w.begin(w.acme.id));
    CHECK(count(w.db, "runs") == 2);
}

TEST_CASE("of two threads that begin a run, one wins", "[store]") {
    World w;
    for (int round = 0; round < 20; ++round) {
        const Tenant tenant =
            add_tenant(w.db, w.acme.integration_id, "racer-" + std::to_string(round));
        std::atomic<int> won{0};
        std::atomic<int> refused{0};
        std::atomic<int> ready{0};
        const auto race = [&] {
            const auto db = connect_again(w.made.dir->path());
            ++ready;
            while (ready < 2)
                std::this_thread::yield();
            Tx tx{*db, Tx::Mode::write};
            const auto run = begin_run(*db, tenant.id, w.release, RunMode::normal, {}, kNow);
            tx.commit();
            if (run)
                ++won;
            else if (run.error().kind == FailureKind::conflict)
                ++refused;
        };
        std::thread one{race};
        std::thread two{race};
        one.join();
        two.join();
        CHECK(won == 1);
        CHECK(refused == 1);
    }
}

TEST_CASE("a run is not begun for what is not there", "[store]") {
    World w;
    CHECK_FAILS(w.begin(TenantId{99}), FailureKind::not_found, "there is no tenant '99'");
    CHECK_FAILS(begin_run(w.db, w.acme.id, ReleaseId{99}, RunMode::normal, {}, kNow),
                FailureKind::not_found, "has no release '99'");
    CHECK_FAILS(w.begin(w.acme.id, {TriggerId::make()}), FailureKind::conflict,
                "does not wait for a run");
    World other;
    must(archive_tenant(other.db, kBy, other.acme.id));
    CHECK_FAILS(other.begin(other.acme.id), FailureKind::conflict, "is archived");
    CHECK_FAILS(accept_trigger(other.db, trigger_for(other.acme.id)), FailureKind::conflict,
                "is archived");
}

TEST_CASE("triggers wait in their order and go with a run", "[store]") {
    World w;
    const std::vector ids{w.accept(w.acme.id), w.accept(w.acme.id), w.accept(w.acme.id)};
    auto waiting = list_waiting_triggers(w.db, w.acme.id, 10);
    REQUIRE(waiting.size() == 3);
    CHECK(waiting[0].id == ids[0]);
    CHECK(waiting[2].id == ids[2]);
    CHECK(waiting_triggers(w.db, w.acme.id) == 3);
    CHECK(tenants_ready(w.db, 10) == std::vector{w.acme.id});

    const Run run = must(w.begin(w.acme.id, {ids[0], ids[1]}));
    CHECK(must(get_trigger(w.db, ids[0])).run_id == run.id);
    CHECK_FALSE(must(get_trigger(w.db, ids[2])).run_id);
    CHECK(triggers_of_run(w.db, run.id).size() == 2);
    CHECK(waiting_triggers(w.db, w.acme.id) == 1);
    CHECK(tenants_ready(w.db, 10).empty());

    must(move_run(w.db, run.id, 1, cancelled, "", kNow));
    CHECK(tenants_ready(w.db, 10) == std::vector{w.acme.id});
    CHECK_FAILS(w.begin(w.acme.id, {ids[0]}), FailureKind::conflict, "does not wait for a run");
}

TEST_CASE("the tenant that has waited longest is first", "[store]") {
    World w;
    const Tenant zeta = add_tenant(w.db, w.acme.integration_id, "zeta");
    const Tenant gone = add_tenant(w.db, w.acme.integration_id, "gone");
    w.accept(gone.id);
    const TriggerId first = w.accept(zeta.id);
    w.accept(w.acme.id);
    w.accept(zeta.id);
    must(archive_tenant(w.db, kBy, gone.id));
    CHECK(tenants_ready(w.db, 10) == std::vector{zeta.id, w.acme.id});
    CHECK(tenants_ready(w.db, 1) == std::vector{zeta.id});
    const Run run = must(w.begin(zeta.id, {first}));
    must(move_run(w.db, run.id, 1, cancelled, "", kNow));
    CHECK(tenants_ready(w.db, 10) == std::vector{w.acme.id, zeta.id});
}

TEST_CASE("a repeated idempotency key gives the first trigger", "[store]") {
    World w;
    Trigger trigger = trigger_for(w.acme.id);
    trigger.idempotency_key = "k1";
    trigger.payload = R"({"a":1})";
    trigger.body = std::string{"\0raw", 4};
    const TriggerId first = must(accept_trigger(w.db, trigger)).id;

    Trigger again = trigger;
    again.id = TriggerId::make();
    again.payload = "{}";
    const Trigger repeated = must(accept_trigger(w.db, again));
    CHECK(repeated.id == first);
    CHECK(repeated.payload == R"({"a":1})");
    CHECK(repeated.body == std::string("\0raw", 4));
    CHECK(waiting_triggers(w.db, w.acme.id) == 1);

    // Also when its run is long over, and its tenant archived since.
    must(archive_tenant(w.db, kBy, w.acme.id));
    CHECK(must(accept_trigger(w.db, again)).id == first);
}

TEST_CASE("one idempotency key of two tenants or two sources is two triggers", "[store]") {
    World w;
    const Tenant zeta = add_tenant(w.db, w.acme.integration_id, "zeta");
    for (const TenantId tenant : {w.acme.id, zeta.id})
        for (const TriggerSource source : {TriggerSource::api, TriggerSource::manual}) {
            Trigger trigger = trigger_for(tenant);
            trigger.source = source;
            trigger.idempotency_key = "k1";
            CHECK(must(accept_trigger(w.db, trigger)).id == trigger.id);
        }
    CHECK(count(w.db, "triggers") == 4);
}

TEST_CASE("triggers that cannot be kept are refused", "[store]") {
    World w;
    CHECK_FAILS(accept_trigger(w.db, trigger_for(TenantId{GENERATE(0, -1, 99)})),
                FailureKind::not_found, "there is no tenant");
    Trigger trigger = trigger_for(w.acme.id);
    trigger.id.value = "no id";
    CHECK_FAILS(accept_trigger(w.db, trigger), FailureKind::invalid, "is no id of a trigger");
    trigger = trigger_for(w.acme.id);
    trigger.body.assign(limits::kTriggerPayloadBytes + 1, 'x');
    CHECK_FAILS(accept_trigger(w.db, trigger), FailureKind::over_limit, "at most 1048576");
    trigger = trigger_for(w.acme.id);
    trigger.idempotency_key.assign(1000, 'x');
    CHECK_FAILS(accept_trigger(w.db, trigger), FailureKind::unprocessable, "idempotency key");
    CHECK_FAILS(get_trigger(w.db, TriggerId{"x"}), FailureKind::not_found, "there is no trigger");
}

TEST_CASE("a tenant can only have so many triggers waiting", "[store]") {
    World w;
    w.accept(w.acme.id);
    w.db.exec("update waiting set triggers = $1",
              {static_cast<std::int64_t>(limits::kWaitingTriggersPerTenant)});
    CHECK_FAILS(accept_trigger(w.db, trigger_for(w.acme.id)), FailureKind::over_limit,
                "has 100000 triggers waiting already");
}
