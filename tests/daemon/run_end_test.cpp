// How the end of a run is judged, and what is written of it.
#include "daemon/run_end.h"

#include <catch2/catch.hpp>

#include "model/limits.h"
#include "store/integrations.h"
#include "store/releases.h"
#include "store/runs.h"
#include "store/schedules.h"
#include "store/tenants.h"
#include "store/triggers.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;

namespace {

const std::string kSchema = R"({"type":"object","properties":{"n":{"type":"integer"}}})";

// A run of `acme`, brought as far as `state`.
struct World {
    TestDb db = make_db();
    Tenant tenant = add_world(db);

    Run run(RunState state, const std::string& metadata_schema = "") {
        Release wanted;
        wanted.integration_id = tenant.integration_id;
        wanted.name = "r";
        wanted.run_command = "true";
        wanted.content_hash = "hash of " + metadata_schema;
        wanted.metadata_schema = metadata_schema;
        const auto release = must(create_release(db, kBy, wanted));
        const auto trigger = must(accept_trigger(db, trigger_for(tenant.id)));
        Run run = must(begin_run(db, tenant.id, release.id, RunMode::normal, {trigger.id}, kNow));
        return move(run, state);
    }
    Run move(Run run, RunState to) {
        for (const RunState step : {RunState::preparing, RunState::starting, RunState::running}) {
            if (run.state == to) break;
            run = must(move_run(db, run.id, run.attempt, step, "", kNow));
        }
        return run;
    }
    RunView end(const Run& run, const Outcome& outcome, const std::string& printed = "") {
        RunEnd end;
        end.std_out = printed;
        return must(write_end(db, run, outcome, end, kNow));
    }
};

}  // namespace

TEST_CASE("a clean exit is judged by what was printed and what the release promises", "[daemon]") {
    struct Case {
        Outcome outcome;
        RunMode mode;
        const char* printed;
        std::string schema;
        RunState state;
        const char* patch;
        const char* options;
    };
    const Outcome ok = Exited{0};
    using enum RunState;
    for (const Case& one : std::vector<Case>{
             {ok, RunMode::normal, "", "", succeeded, "", ""},
             {ok, RunMode::normal, "not json", "", succeeded, "", ""},
             {ok, RunMode::normal, R"({"n":1})", "", succeeded, "", ""},
             {ok, RunMode::normal, R"({"n":1})", kSchema, succeeded, R"({"n":1})", ""},
             {ok, RunMode::normal, "", kSchema, succeeded, "", ""},
             {ok, RunMode::normal, "{}", kSchema, succeeded, "", ""},
             {ok, RunMode::normal, R"({"n":"x"})", kSchema, failed_metadata, "", ""},
             {ok, RunMode::normal, "not json", kSchema, failed_metadata, "", ""},
             {ok, RunMode::normal, "[1]", kSchema, failed_metadata, "", ""},
             {ok, RunMode::init, R"({"a":[1],"b":2})", "", succeeded, "", R"({"a":[1]})"},
             {ok, RunMode::init, "[1]", "", succeeded, "", ""},
             {Exited{3}, RunMode::normal, R"({"n":"x"})", kSchema, failed_integration, "", ""},
             {TimedOut{std::chrono::seconds{5}}, RunMode::init, R"({"a":[1]})", "", failed_timeout,
              "", ""}}) {
        INFO(one.printed << " with schema '" << one.schema << "'");
        Printed printed;
        const auto judged = judge(one.outcome, one.mode, one.printed, one.schema, printed);
        CHECK(end_state(judged) == one.state);
        CHECK(printed.metadata_patch == one.patch);
        CHECK(printed.dynamic_configs == one.options);
    }
}

TEST_CASE("an end that this berthd does not know is a lost run", "[daemon]") {
    ipc::Ended ended;
    ended.kind = static_cast<ipc::EndKind>(99);
    CHECK(outcome_of(ended) == Outcome{Lost{"the runner reported an unknown end (99)"}});
}

TEST_CASE("a run whose start could not be noted still ends as it ended", "[daemon]") {
    World w;
    const Outcome outcome =
        GENERATE(Outcome{Exited{0}}, Outcome{TimedOut{std::chrono::seconds{1}}});
    const Run run = w.run(RunState::starting);
    const RunView view = w.end(run, outcome);
    CHECK(view.run.state == end_state(outcome));
    CHECK(view.run.started);
}

TEST_CASE("metadata that would grow past its limit fails the run instead of keeping it alive",
          "[daemon]") {
    World w;
    const std::string large(limits::kMetadataBytes - 100, 'x');
    must(merge_metadata(w.db, kBy, w.tenant.id, R"({"old":")" + large + "\"}"));
    const Run run = w.run(RunState::running, R"({"type":"object"})");
    const RunView view = w.end(run, Exited{0}, R"({"new":")" + std::string(200, 'y') + "\"}");
    CHECK(view.run.state == RunState::failed_metadata);
    CHECK_THAT(view.run.reason, Catch::Contains("at most"));
    CHECK(must(get_metadata(w.db, w.tenant.id)).data.find("new") == std::string::npos);
}

TEST_CASE("a lost run is tried again as often as it may have run, not as it was given back",
          "[daemon]") {
    World w;
    auto integration = must(get_integration(w.db, w.tenant.integration_id));
    integration.on_lost = OnLost::retry;
    must(update_integration(w.db, kBy, integration));
    Run run = w.run(RunState::preparing);
    for (int i = 0; i < 5; ++i) {  // the runner was not there
        run = must(move_run(w.db, run.id, run.attempt, RunState::queued, "", kNow));
        run = w.move(run, RunState::preparing);
    }
    for (int i = 1; i <= limits::kMaxAttempts; ++i) {
        run = must(move_run(w.db, run.id, run.attempt, RunState::starting, "", kNow));
        run = w.end(run, Lost{"gone"}).run;
        INFO("start " << i);
        CHECK(run.state ==
              (i < limits::kMaxAttempts ? RunState::queued : RunState::failed_platform));
        if (run.state == RunState::queued) run = w.move(run, RunState::preparing);
    }
}

TEST_CASE("a failed run is tried again only when its integration asks for it", "[daemon]") {
    World w;
    const Run failed = w.run(RunState::running);
    CHECK(w.end(failed, Exited{3}).run.state == RunState::failed_integration);

    IntegrationPolicy policy;
    policy.retries = 1;
    policy.retry_first = policy.retry_longest = std::chrono::seconds{60};
    must(put_policy(w.db, kBy, w.tenant.integration_id, policy));
    const Run first = w.run(RunState::running);
    const RunView again = w.end(first, Exited{3});
    CHECK(again.run.state == RunState::queued);
    CHECK(again.run.attempt == 2);
    CHECK_THAT(list_run_events(w.db, first.id).back().note,
               Catch::StartsWith("exited with code 3; trying again in "));
    CHECK(queued_runs(w.db, kNow, 10).empty());
    REQUIRE(next_retry(w.db, kNow));
    CHECK(*next_retry(w.db, kNow) >= kNow + std::chrono::seconds{30});
    CHECK(*next_retry(w.db, kNow) <= kNow + std::chrono::seconds{60});
    const Run second = w.move(again.run, RunState::running);
    CHECK(w.end(second, Exited{3}).run.state == RunState::failed_integration);

    SECTION("and never when somebody cancelled it") {
        const Run run = w.run(RunState::running);
        CHECK(w.end(run, Cancelled{}).run.state == RunState::cancelled);
    }
}
