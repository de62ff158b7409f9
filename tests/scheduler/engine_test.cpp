// The engine over ports that the test holds in its hands.
#include "scheduler/engine.h"

#include <catch2/catch.hpp>

#include "tests/scheduler/held_alarms.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;

namespace {

struct HeldStore : RunStore {
    struct Question {
        int places;
        Callback<void(Result<Begun>)> done;
    };
    std::vector<Question> asked;
    void begin_runs(int places, Callback<void(Result<Begun>)> done) override {
        asked.push_back({places, std::move(done)});
    }
    void answer(std::vector<std::int64_t> run_ids,
                std::optional<std::chrono::milliseconds> again = {}) {
        REQUIRE_FALSE(asked.empty());
        auto question = std::move(asked.front());
        asked.erase(asked.begin());
        std::vector<Run> runs;
        for (const auto id : run_ids) {
            Run run;
            run.id = RunId{id};
            runs.push_back(run);
        }
        const bool more = std::ssize(runs) == question.places;
        question.done(Begun{std::move(runs), more, again});
    }
};

struct HeldLauncher : Launcher {
    std::vector<std::int64_t> launched;
    void launch(const Run& run) override { launched.push_back(run.id.value); }
};

struct Fixture {
    HeldAlarms alarms;
    HeldStore store;
    HeldLauncher launcher;
    Engine engine{alarms, store, launcher, /*max_runs=*/2};
};

}  // namespace

TEST_CASE_METHOD(Fixture, "nothing starts before the engine is open", "[scheduler]") {
    engine.kick();
    CHECK(store.asked.empty());
    engine.open();
    CHECK(store.asked.size() == 1);
    CHECK(store.asked[0].places == 2);
}

TEST_CASE_METHOD(Fixture, "kicks during a pass lead to exactly one more", "[scheduler]") {
    engine.open();
    engine.kick();
    engine.kick();
    REQUIRE(store.asked.size() == 1);
    store.answer({});
    CHECK(store.asked.size() == 1);
    store.answer({});
    CHECK(store.asked.empty());
}

TEST_CASE_METHOD(Fixture, "a full host asks for nothing until a run has ended", "[scheduler]") {
    engine.open();
    store.answer({1, 2});
    CHECK(launcher.launched == std::vector<std::int64_t>{1, 2});
    CHECK(store.asked.empty());
    engine.kick();
    CHECK(store.asked.empty());
    engine.ended(RunId{1});
    REQUIRE(store.asked.size() == 1);
    CHECK(store.asked[0].places == 1);
}

TEST_CASE_METHOD(Fixture, "a closed engine starts nothing more", "[scheduler]") {
    engine.open();
    store.answer({1});
    store.answer({});
    engine.close();
    engine.ended(RunId{1});
    CHECK(store.asked.empty());
    CHECK(engine.live() == 0);
}

TEST_CASE_METHOD(Fixture, "a store that cannot answer is asked again later", "[scheduler]") {
    engine.open();
    auto question = std::move(store.asked.front());
    store.asked.clear();
    question.done(fail(FailureKind::unavailable, "the disk is full"));
    CHECK(store.asked.empty());  // not at once
    CHECK(alarms.pass(100ms) == 1);
    CHECK(store.asked.size() == 1);
}

TEST_CASE_METHOD(Fixture, "a cap per minute is asked again when it makes room", "[scheduler]") {
    engine.open();
    store.answer({}, 1500ms);
    CHECK(store.asked.empty());
    CHECK(alarms.pass(1499ms) == 0);
    CHECK(store.asked.empty());
    CHECK(alarms.pass(1ms) == 1);
    CHECK(store.asked.size() == 1);
}
