// How long a token, a claim and a run's patience last, and that no clock is trusted.
#include "tests/oauth/tokens_house.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;

TEST_CASE("a claim is good from when its job begins, however long that waited", "[oauth]") {
    TokenHouse house;
    house.clock.time += 2h;
    const auto waiting = house.need(*house.first);
    house.wait_asked(*house.first);
    const Job job = house.first->jobs.asked.front().job;
    REQUIRE(job.begins);
    const auto begins = [&] {
        return write_now(*house.keys.daemon->store, house.keys.loop,
                         [&](Db& db) { return job.begins(db, house.clock.time); });
    };
    SECTION("nobody was faster: nobody else asks before its time is over") {
        house.clock.time += 58s;
        must(begins());
        CHECK(house.state().busy_until == house.clock.time + kClaim);
        house.clock.time += 58s;  // the claim would have lapsed by now
        Asker second{house.keys, house.clock};
        const auto other = house.need(second);
        house.state();  // by then it has looked
        CHECK(second.jobs.asked.empty());
        house.reply(*house.first, OAuthVerdict::granted);
        house.wait(waiting);
        CHECK(*waiting->end);
        // And a token's life begins no earlier than it was asked for.
        CHECK(house.state().granted == house.clock.time - 58s);
        second.tokens.look_again(house.connection);
        house.wait(other);
        CHECK(*other->end);
        CHECK(second.jobs.asked.empty());
    }
    SECTION("somebody was: it does not begin, and has the other's token") {
        house.clock.time += 61s;
        Asker second{house.keys, house.clock};
        const auto other = house.need(second);
        house.wait_asked(second);
        const auto refused = begins();
        CHECK_FAILS(refused, FailureKind::busy, "is being renewed by somebody else by now");
        house.first->jobs.take_first().done(tl::unexpected<Failure>{refused.error()});
        house.wait(waiting);
        CHECK_FAILS(*waiting->end, FailureKind::unavailable, "somebody else");
        CHECK(house.state().busy_until == house.clock.time + kClaim);  // it holds his claim still
        house.reply(second, OAuthVerdict::granted);
        house.wait(other);
        const auto again = house.need(*house.first);
        house.wait(again);
        CHECK(*again->end);
        CHECK(house.first->jobs.asked.empty());
    }
}

TEST_CASE("a run waits for what is busy, as long as it is patient", "[oauth]") {
    TokenHouse house;
    house.clock.time += 2h;
    RunId run;
    house.write([&](Db& db) {
        const auto release = add_release(db, house.keys.integration, "hash");
        run = must(begin_run(db, house.keys.tenants[0], release.id, RunMode::normal, {},
                             house.clock.time))
                  .id;
        must(move_run(db, run, 1, RunState::preparing, "", house.clock.time));
    });
    auto refusal = FailureKind::busy;
    const auto ask = [&] {
        std::optional<TokensReady> heard;
        house.first->tokens.before_run(run, [&](TokensReady ready) { heard = std::move(ready); });
        house.wait([&] { return heard || !house.first->jobs.asked.empty(); });
        if (!heard) house.first->jobs.take_first().done(fail(refusal, "256 wait; try again"));
        house.wait([&] { return heard.has_value(); });
        return *heard;
    };
    using End = TokensReady::End;
    SECTION("the store") {
        house.first->store.refuses_reads = true;
        const TokensReady ready = ask();
        CHECK(ready.end == End::later);
        CHECK(ready.why == "the disk of the store is full");
        CHECK(ready.when > house.clock.time);
    }
    SECTION("the programs") {
        TokensReady ready = ask();
        CHECK(ready.end == End::later);
        CHECK_THAT(ready.why, Catch::Contains("256 wait; try again"));
        CHECK(ready.when > house.clock.time);
        house.clock.time += 1h;  // longer than any run is patient
        ready = ask();
        CHECK(ready.end == End::ours);
        CHECK_THAT(ready.why, Catch::Contains("256 wait; try again"));
        CHECK(house.first->tokens.counts().ours == 2);
    }
    SECTION("the provider alone, which is no fault of ours") {
        refusal = FailureKind::over_limit;
        TokensReady ready = ask();
        CHECK(ready.end == End::later);
        CHECK(ready.when > house.clock.time);
        house.clock.time += 1h;
        ready = ask();
        CHECK(ready.end == End::refused);
        CHECK(house.first->tokens.counts().outages == 2);
        CHECK(house.first->tokens.counts().ours == 0);
    }
}

TEST_CASE("whatever the clock was, a token is renewed as soon as nobody knows how old it is",
          "[oauth]") {
    TokenHouse house;
    const auto renew = [&] {
        const auto waiting = house.need(*house.first);
        house.wait_asked(*house.first);
        house.reply(*house.first, OAuthVerdict::granted);
        house.wait(waiting);
        CHECK(*waiting->end);
        CHECK(house.state().granted == house.clock.time);
    };
    house.clock.time = kNow + 24h * 365;  // set forward: it has run out, by this clock
    renew();
    house.clock.time = kNow;  // set right: it would seem good for a year
    renew();
    house.clock.time = Time{};  // a machine without a battery
    renew();
    house.clock.time = kNow;
    renew();
    // What an outage or somebody's claim had put off under the other clock is not waited for.
    house.write([&](Db& db) {
        db.exec(
            "update oauth_tokens set granted = $2, next_try = $2, busy_until = $2, ticket = 9"
            " where connection_id = $1",
            {house.connection, kNow + 24h * 365});
    });
    renew();
    CHECK(house.first->jobs.asked.empty());
}

TEST_CASE("idle tokens are renewed by themselves, under a clock that was set back, too",
          "[oauth]") {
    TokenHouse house;
    const auto due = GENERATE(Time{kNow - 1s}, Time{kNow + 24h * 365});
    house.write([&](Db& db) {
        db.exec("update oauth_tokens set keep_alive = $2 where connection_id = $1",
                {house.connection, due});
    });
    const bool far = due > kNow;
    house.first->tokens.open();
    if (far) {  // it looks once an hour: not in this test
        const auto found = must(read_now(*house.keys.daemon->store, house.keys.loop, [](Db& db) {
            return Result<std::vector<ConnectionId>>{due_tokens(db, kNow, 9)};
        }));
        CHECK(found == std::vector{house.connection});
        house.first->tokens.close();
        return;
    }
    house.wait_asked(*house.first);
    house.reply(*house.first, OAuthVerdict::granted);
    const auto next = [&] {
        return must(read_now(*house.keys.daemon->store, house.keys.loop, [](Db& db) {
            return Result<std::optional<Time>>{next_keep_alive(db)};
        }));
    };
    house.wait([&] { return house.first->jobs.settled_jobs.size() == 1; });
    CHECK(*next() > kNow + kKeepAlive * 8 / 10);
    CHECK(*next() <= kNow + kKeepAlive);
    house.first->tokens.close();
}
