// The engine of schedules over a store and a clock that the test holds.
#include "scheduler/schedules.h"

#include <catch2/catch.hpp>

#include "tests/scheduler/held_alarms.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;

namespace {

struct HeldBook : ScheduleStore {
    std::vector<Callback<void(Result<Look>)>> looks;
    int rewinds = 0, prunes = 0;
    bool fails = false;

    void look(std::int64_t, Callback<void(Result<Look>)> done) override {
        looks.push_back(std::move(done));
    }
    void rewind(Callback<void(Result<void>)> done) override {
        ++rewinds;
        if (fails)
            done(fail(FailureKind::unavailable, "no disk"));
        else
            done({});
    }
    void prune(Callback<void(Result<void>)> done) override {
        ++prunes;
        done({});
    }
    void answer(Result<Look> look) {
        REQUIRE_FALSE(looks.empty());
        auto done = std::move(looks.front());
        looks.erase(looks.begin());
        done(std::move(look));
    }
};

struct Fixture {
    HeldAlarms alarms;
    TurnedClock clock{alarms};
    HeldBook book;
    int fired = 0;
    ScheduleEngine engine{alarms, clock, book, [this] { ++fired; }};

    // Answers whatever is asked for so long; how many looks there were.
    int run(std::chrono::milliseconds time, ScheduleStore::Look look = {}) {
        int looked = 0;
        const auto end = alarms.now() + time;
        for (;;) {
            while (!book.looks.empty()) {
                ++looked;
                book.answer(look);
            }
            const auto next = alarms.until_next();
            REQUIRE(next);  // something is armed, always
            if (alarms.now() + *next > end) break;
            alarms.pass(*next);
        }
        alarms.pass(end - alarms.now());
        return looked;
    }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "a start looks at the clock first, then at what is due", "[schedule]") {
    engine.open();
    CHECK(book.rewinds == 1);
    REQUIRE(book.looks.size() == 1);
    book.answer(ScheduleStore::Look{.seen = 2, .fired = 2, .next = clock.now() + 400ms});
    CHECK(fired == 1);
    CHECK(alarms.until_next() == 400ms);
    alarms.pass(400ms);
    CHECK(book.looks.size() == 1);
}

TEST_CASE_METHOD(Fixture, "a full look is followed by another at once", "[schedule]") {
    engine.open();
    book.answer(ScheduleStore::Look{.seen = ScheduleEngine::kAtOnce, .fired = 1});
    CHECK(book.looks.size() == 1);
    book.answer(ScheduleStore::Look{.seen = 3, .fired = 0});
    CHECK(book.looks.empty());
    CHECK(fired == 1);
}

TEST_CASE_METHOD(Fixture, "the store is asked once a minute, whatever is believed", "[schedule]") {
    engine.open();
    CHECK(run(10min) == 11);
    CHECK(book.prunes == 10);
}

TEST_CASE_METHOD(Fixture, "a clock that steps forward is noticed within a second", "[schedule]") {
    engine.open();
    book.answer(ScheduleStore::Look{.next = clock.now() + 24h});
    run(5s);
    REQUIRE(book.looks.empty());
    clock.step(48h);
    alarms.pass(1s);
    CHECK(book.looks.size() == 1);
    CHECK(book.rewinds == 1);
}

TEST_CASE_METHOD(Fixture, "a clock that steps back makes all schedules be looked at",
                 "[schedule]") {
    engine.open();
    book.answer(ScheduleStore::Look{.next = clock.now() + 24h});
    run(5s);
    clock.step(-1h);
    alarms.pass(1s);
    CHECK(book.rewinds == 2);
    CHECK(book.looks.size() == 1);
    book.answer(ScheduleStore::Look{});
    run(5s);
    CHECK(book.rewinds == 2);
}

TEST_CASE_METHOD(Fixture, "a store that fails is asked again, always", "[schedule]") {
    engine.open();
    for (int i = 0; i < 50; ++i) {
        REQUIRE(book.looks.size() == 1);
        book.answer(fail(FailureKind::unavailable, "the disk is full"));
        CHECK(book.looks.empty());  // not at once
        REQUIRE(alarms.until_next());
        CHECK(*alarms.until_next() <= 10s);
        alarms.pass(*alarms.until_next());
    }
    book.answer(ScheduleStore::Look{.seen = 1, .fired = 1});
    CHECK(fired == 1);
}

TEST_CASE_METHOD(Fixture, "a rewind that fails is tried again before anything fires",
                 "[schedule]") {
    book.fails = true;
    engine.open();
    CHECK(book.looks.empty());
    alarms.pass(100ms);
    CHECK(book.rewinds == 2);
    CHECK(book.looks.empty());
    book.fails = false;
    alarms.pass(10s);
    CHECK(book.looks.size() == 1);
}

TEST_CASE_METHOD(Fixture, "what is due and cannot be moved on does not make the engine spin",
                 "[schedule]") {
    engine.open();
    CHECK(run(10s, {.seen = 0, .fired = 0, .next = clock.now() - 1h}) <= 12);
}

TEST_CASE_METHOD(Fixture, "a look that finds nothing due does not make the next firing late",
                 "[schedule]") {
    engine.open();
    book.answer(ScheduleStore::Look{.seen = 0, .next = clock.now() + 400ms});
    CHECK(alarms.until_next() == 400ms);
}

TEST_CASE_METHOD(Fixture, "what becomes due while the store is asked is looked at, at once",
                 "[schedule]") {
    engine.open();
    alarms.pass(5ms);
    book.answer(ScheduleStore::Look{.seen = 0, .next = clock.now() - 2ms});
    CHECK(alarms.until_next() == 1ms);
}

TEST_CASE_METHOD(Fixture, "a closed engine looks no more", "[schedule]") {
    engine.open();
    book.answer(ScheduleStore::Look{.next = clock.now() + 1s});
    engine.close();
    alarms.pass(1min);
    CHECK(book.looks.empty());
}
