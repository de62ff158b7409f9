// Reruns: what a run was given is kept once, asked for again, and goes with the last
// run that needs it.
#include "store/reruns.h"

#include "store/given.h"
#include "store/releases.h"
#include "store/retention.h"
#include "store/run_connections.h"
#include "store/runs.h"
#include "store/triggers.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;

namespace {

struct World {
    TestDb made = make_db();
    Db& db = made;
    Tenant acme = add_world(db);

    Run begin(TriggerSource source = TriggerSource::api) {
        Trigger trigger = trigger_for(acme.id);
        trigger.source = source;
        must(accept_trigger(db, trigger));
        return must(begin_run(db, acme.id, ReleaseId{1}, RunMode::normal, {trigger.id}, kNow));
    }
    Run end(Run run, const std::string& std_out, Time when = kNow) {
        for (const auto state : {RunState::preparing, RunState::starting, RunState::running})
            run = must(move_run(db, run.id, run.attempt, state, "", when));
        RunEnd end;
        end.std_out = std_out;
        return must(move_run(db, run.id, run.attempt, RunState::succeeded, "", when, end));
    }
    Run ended(const std::string& std_out = "state") {
        const Run run = begin();
        keep_given(db, run, {});
        return end(run, std_out);
    }
    Result<Trigger> ask(const Rerun& wish, const std::string& key = "") {
        Trigger trigger = trigger_for(acme.id);
        trigger.source = TriggerSource::manual;
        trigger.idempotency_key = key;
        return accept_rerun(db, trigger, wish);
    }
    Run begin_again(const Trigger& trigger) {
        return must(begin_run(db, acme.id, ReleaseId{1}, trigger.mode, {trigger.id}, kNow,
                              rerun_of(db, trigger.id)));
    }
    std::int64_t texts() { return count(db, "given_texts"); }
};

Rerun of(const Run& run) {
    Rerun wish;
    wish.origin = run.id;
    return wish;
}

}  // namespace

TEST_CASE("what a run was given comes back as it was, whatever bytes it has", "[store]") {
    World w;
    const Run run = w.begin();
    CHECK_FAILS(get_given(w.db, run.id), FailureKind::not_found, "not kept");
    Given given;
    given.configs = R"({"a":1})";
    given.metadata = R"({"m":2})";
    given.last_run.emplace();
    given.last_run->state = RunState::failed_timeout;
    given.last_run->std_out = std::string{"line\n\0\xff end", 11};
    given.last_run->started = kNow - 5s;
    keep_given(w.db, run, given);

    const Given back = must(get_given(w.db, run.id));
    CHECK(back.configs == given.configs);
    CHECK(back.metadata == given.metadata);
    REQUIRE(back.last_run);
    CHECK(back.last_run->state == RunState::failed_timeout);
    CHECK(back.last_run->std_out == given.last_run->std_out);
    CHECK(back.last_run->started == kNow - 5s);
    CHECK_FALSE(back.last_run->completed);
    CHECK_FALSE(back.last_successful_run);
}

TEST_CASE("a text that many runs were given is kept once and goes with the last", "[store]") {
    World w;
    Given given;
    given.configs = R"({"large":"text"})";
    std::vector<Run> runs;
    for (int i = 0; i < 3; ++i) {
        runs.push_back(w.begin());
        keep_given(w.db, runs.back(), given);
        keep_given(w.db, runs.back(), given);  // another attempt of it
        w.end(runs.back(), "");
    }
    CHECK(w.texts() == 1);
    CHECK(count(w.db, "given") == 3);
    forget_given(w.db, runs[0].id);
    forget_given(w.db, runs[1].id);
    CHECK(w.texts() == 1);
    CHECK(must(get_given(w.db, runs[2].id)).configs == given.configs);
    forget_given(w.db, runs[2].id);
    CHECK(w.texts() == 0);
    forget_given(w.db, runs[2].id);  // nothing is left to forget
}

TEST_CASE("a rerun waits like any trigger and names its origin on the record", "[store]") {
    World w;
    const Run first = w.ended();
    const Trigger asked = must(w.ask(of(first)));
    CHECK(asked.mode == first.mode);
    const auto waiting = bundle_candidates(w.db, w.acme.id, 10);
    REQUIRE(waiting.size() == 1);
    CHECK(waiting[0].rerun);

    const Run again = w.begin_again(asked);
    CHECK(again.rerun_of == first.id);
    CHECK_FALSE(again.keeps_state);
    CHECK(list_run_events(w.db, again.id).front().note ==
          "run 1 again: original configs, original state, original release; its own state is not "
          "kept");
    REQUIRE(rerun_of(w.db, again.id));
    CHECK(rerun_of(w.db, again.id)->triggers_of == first.id);
    CHECK_FALSE(rerun_of(w.db, first.id));
    CHECK_FALSE(must(get_run(w.db, first.id)).rerun_of);
}

TEST_CASE("a rerun of a rerun hands over the triggers of the first run", "[store]") {
    World w;
    const Run first = w.ended();
    const Run second = w.begin_again(must(w.ask(of(first))));
    keep_given(w.db, second, {});
    w.end(second, "");
    const Run third = w.begin_again(must(w.ask(of(second))));
    CHECK(third.rerun_of == second.id);
    CHECK(rerun_of(w.db, third.id)->triggers_of == first.id);
}

TEST_CASE("what cannot be run again is refused with the cure", "[store]") {
    World w;
    CHECK_FAILS(w.ask(of(Run{})), FailureKind::not_found, "there is no run '0'");
    const Run live = w.begin();
    CHECK_FAILS(w.ask(of(live)), FailureKind::conflict,
                "run '1' is queued and can be run again when it has ended; 'berth run cancel 1'");
    must(move_run(w.db, live.id, live.attempt, RunState::cancelled, "", kNow));
    CHECK_FAILS(w.ask(of(live)), FailureKind::not_found, "ask for current configs and state");
    Rerun current = of(live);
    current.configs_from = current.state_from = GivenFrom::current;
    must(w.ask(current));
}

TEST_CASE("one key is one rerun, and is no key of a trigger from the API", "[store]") {
    World w;
    const Run first = w.ended();
    const Trigger asked = must(w.ask(of(first), "again"));
    CHECK(must(w.ask(of(first), "again")).id == asked.id);
    CHECK(count(w.db, "reruns") == 1);
    Trigger api = trigger_for(w.acme.id);
    api.idempotency_key = "again";
    CHECK(must(accept_trigger(w.db, api)).id == api.id);
}

TEST_CASE("later runs are told of a rerun only if its state is kept", "[store]") {
    World w;
    const Run first = w.ended("first");
    w.end(w.begin_again(must(w.ask(of(first)))), "unkept");
    CHECK(last_run(w.db, w.acme.id)->std_out == "first");
    CHECK(last_successful_run(w.db, w.acme.id)->std_out == "first");
    Rerun kept = of(first);
    kept.keeps_state = true;
    w.end(w.begin_again(must(w.ask(kept))), "kept");
    CHECK(last_run(w.db, w.acme.id)->std_out == "kept");
    CHECK(last_successful_run(w.db, w.acme.id)->std_out == "kept");
}

TEST_CASE("a run stays as long as it has reruns, and nothing of either is left then", "[store]") {
    World w;
    const Run first = w.ended();
    const Run second = w.begin_again(must(w.ask(of(first))));
    keep_given(w.db, second, {});
    w.end(second, "");
    w.ended();  // the last, of which the next one is told
    const std::vector<ExpiredRun> both{{first.id, kNow, kNow}, {second.id, kNow, kNow}};
    CHECK(remove_runs(w.db, both).removed == 1);  // the rerun
    CHECK(get_run(w.db, first.id));
    CHECK(count(w.db, "reruns") == 0);
    CHECK(remove_runs(w.db, both).removed == 1);  // and now the run it repeated
    CHECK_FALSE(get_run(w.db, first.id));
    CHECK(count(w.db, "given") == 1);
}

TEST_CASE("a run's record says how long it was in each state, over all attempts", "[store]") {
    World w;
    Run run = w.begin();
    auto now = kNow;
    const auto move = [&](RunState to, std::chrono::microseconds after, const RunEnd& end = {}) {
        now += after;
        run = must(move_run(w.db, run.id, run.attempt, to, "", now, end));
    };
    RunEnd used;
    used.usage = Usage{10, 20, 30, 40, 50, 60, 70};
    move(RunState::preparing, 3s);
    move(RunState::starting, 1s);
    move(RunState::running, 2s);
    move(RunState::queued, 5s, used);  // another attempt
    move(RunState::preparing, 60s);
    move(RunState::starting, 1s);
    move(RunState::running, -10s);  // the clock went back: no state lasts less than nothing
    used.usage = Usage{1, 2, 300, 4, 5, 6, 7};
    move(RunState::succeeded, 7s, used);

    const Run ended = must(get_run(w.db, run.id));
    CHECK(ended.times.queued == 63s);
    CHECK(ended.times.preparing == 2s);
    CHECK(ended.times.starting == 2s);
    CHECK(ended.times.running == 12s);
    CHECK(ended.usage.user_us == 11);
    CHECK(ended.usage.system_us == 22);
    CHECK(ended.usage.max_rss_bytes == 300);
    CHECK(ended.usage.memory_peak_bytes == 40);
    CHECK(ended.usage.io_read_bytes == 55);
    CHECK(ended.usage.io_write_bytes == 66);
    CHECK(ended.usage.log_bytes == 77);
}

TEST_CASE("the bytes of all connections are on a run's record, also of those past the limit",
          "[store]") {
    World w;
    const Run run = w.begin();
    std::vector<RunConnection> many(kConnectionRows + 5);
    for (RunConnection& connection : many) {
        connection.sent_bytes = 2;
        connection.received_bytes = 3;
    }
    CHECK(must(add_run_connections(w.db, run.id, 1, many)) == 5);
    const Run after = must(get_run(w.db, run.id));
    CHECK(after.usage.sent_bytes == 2 * many.size());
    CHECK(after.usage.received_bytes == 3 * many.size());
    CHECK(w.end(after, "").usage.sent_bytes == 2 * many.size());
}
