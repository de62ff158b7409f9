// Who asks for tokens, over a real store and the runner's real keys, with the clock and the
// programs in the test's hand: one asks for all, its answer is fenced, and no clock is trusted.
#include "daemon/tokens.h"

#include "store/connections.h"
#include "store/oauth_tokens.h"
#include "store/releases.h"
#include "store/runs.h"
#include "tests/oauth/played.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;

namespace {

ConnectorKind kind_of_test() {
    ConnectorKind kind;
    kind.name = "custom";
    kind.auth = AuthMethod::oauth2_code;
    kind.oauth2.emplace();
    kind.oauth2->token_url = "https://provider.example/token";
    return kind;
}

// One berthd, as far as it asks for tokens.
struct Asker {
    Asker(KeyHouse& house, const Clock& clock)
        : store{*house.daemon->store, house.loop},
          tokens{{house.loop,
                  clock,
                  store,
                  house.daemon->keys,
                  jobs,
                  [this](std::string_view) { return &kind; },
                  {}}} {}
    ConnectorKind kind = kind_of_test();
    PlayedJobs jobs;
    ShakyStore store;
    Tokens tokens;
};

// A tenant whose connection has tokens that are good for an hour.
struct House {
    House() {
        must(keys.store(0, {{"client_id", "the-client"},
                            {"client_secret", "the-secret-of-the-client"},
                            {"access_token", "the-first-access-token"},
                            {"refresh_token", "the-first-refresh-token"}}));
        connection = must(read_now(*keys.daemon->store, keys.loop, [&](Db& db) {
                         return look_at_connection(db, {keys.integration, keys.tenants[0]}, "crm");
                     })).id;
        write([&](Db& db) {
            db.exec(
                "insert into oauth_tokens (connection_id, granted, expires, renewable, scope,"
                " refused, reason, failures, ticket, keep_alive)"
                " values ($1, $2, $3, 1, '', 0, '', 0, 0, $4)",
                {connection, kNow, kNow + 1h, kNow + kKeepAlive});
        });
        first.emplace(keys, clock);
    }
    void write(const std::function<void(Db&)>& how) {
        must(write_now(*keys.daemon->store, keys.loop, [&](Db& db) -> Result<void> {
            how(db);
            return {};
        }));
    }
    TokenState state() {
        return *must(read_now(
            *keys.daemon->store, keys.loop,
            [&](Db& db) -> Result<std::optional<TokenState>> { return token_of(db, connection); }));
    }
    std::uint64_t version_of_token() {
        return static_cast<std::uint64_t>(
            must(read_now(*keys.daemon->store, keys.loop, [&](Db& db) -> Result<std::int64_t> {
                return db
                    .must(
                        "select version from secrets where connection_id = $1"
                        " and field = 'access_token'",
                        {connection})
                    .integer(0);
            })));
    }
    // Somebody who needs the token for so long; how it went, once it is known.
    struct Need {
        std::optional<Result<void>> end;
    };
    std::shared_ptr<Need> need(Asker& asker, std::chrono::seconds time = 10min) {
        auto wanted = std::make_shared<Need>();
        asker.tokens.ensure_fresh(connection, clock.time + time,
                                  [wanted](Result<void> end) { wanted->end = std::move(end); });
        return wanted;
    }
    void wait(const std::function<bool()>& done) { run_until(keys.loop, done); }
    void wait(const std::shared_ptr<Need>& need) {
        wait([&] { return need->end.has_value(); });
    }
    void wait_asked(Asker& asker, std::size_t count = 1) {
        wait([&] { return asker.jobs.asked.size() >= count; });
    }
    JobAnswer answer(const Job& job, OAuthVerdict verdict, std::string reason = "") {
        return answer_to(keys, job, ++jobs_answered, verdict, std::move(reason));
    }
    void reply(Asker& asker, OAuthVerdict verdict, std::string reason = "") {
        auto asked = asker.jobs.take_first();
        asked.done(answer(asked.job, verdict, std::move(reason)));
    }

    KeyHouse keys{1};
    SetClock clock;
    ConnectionId connection;
    std::uint64_t jobs_answered = 0;
    std::optional<Asker> first;
};

}  // namespace

TEST_CASE("a hundred that wait for a token ask once, and all hear the answer", "[oauth]") {
    House house;
    house.clock.time += 55min;  // five minutes are left
    std::vector<std::shared_ptr<House::Need>> all;
    for (int i = 0; i < 100; ++i)
        all.push_back(house.need(*house.first));
    house.wait_asked(*house.first);
    CHECK(house.first->jobs.asked.front().job.purpose == "refresh");
    for (const auto& one : all)
        CHECK_FALSE(one->end);
    house.reply(*house.first, OAuthVerdict::granted);
    for (const auto& one : all) {
        house.wait(one);
        CHECK(*one->end);
    }
    CHECK(house.first->jobs.asked.empty());
    CHECK(house.first->jobs.settled_jobs == std::vector<std::uint64_t>{1});
    CHECK(house.state().expires == house.clock.time + 1h);
    // And who comes now needs nothing.
    const auto late = house.need(*house.first);
    house.wait(late);
    CHECK(*late->end);
    CHECK(house.first->jobs.asked.empty());
    CHECK(house.first->tokens.counts().renewed == 1);
}

TEST_CASE("of two that ask for one token the answer of the later claim counts", "[oauth]") {
    House house;
    house.clock.time += 2h;
    const auto waiting = house.need(*house.first);
    house.wait_asked(*house.first);
    const auto stale = house.answer(house.first->jobs.asked.front().job, OAuthVerdict::granted);
    // Another berthd does not ask while the first may be at it, and does when its time is over.
    Asker second{house.keys, house.clock};
    const auto other = house.need(second);
    house.state();  // by then it has looked
    house.clock.time += 59s;
    second.tokens.look_again(house.connection);
    CHECK(house.state().busy_until > house.clock.time);
    CHECK(second.jobs.asked.empty());
    house.clock.time += 2s;
    second.tokens.look_again(house.connection);
    house.wait_asked(second);
    const auto ticket = ticket_of(second.jobs.asked.front().job);
    house.reply(second, OAuthVerdict::granted);
    house.wait(other);
    CHECK(*other->end);
    CHECK(house.version_of_token() == ticket);
    // The first one's answer comes now: not taken, and whoever waited for it has the other's.
    house.first->jobs.take_first().done(stale);
    house.wait(waiting);
    CHECK(*waiting->end);
    CHECK(house.version_of_token() == ticket);
    CHECK(house.first->jobs.settled_jobs.size() == 1);
    CHECK(house.first->jobs.asked.empty());
}

TEST_CASE("who joins and needs a token for longer is not told what was found for another",
          "[oauth]") {
    House house;
    house.clock.time += 40min;  // twenty minutes are left
    const auto brief = house.need(*house.first, 10min);
    const auto longer = house.need(*house.first, 30min);
    house.wait_asked(*house.first);
    CHECK_FALSE(longer->end);
    house.reply(*house.first, OAuthVerdict::granted);
    for (const auto& one : {brief, longer}) {
        house.wait(one);
        CHECK(*one->end);
    }
    CHECK(house.state().expires == house.clock.time + 1h);
    CHECK(house.first->tokens.counts().renewed == 1);
    // The control: for ten minutes nobody asks.
    house.clock.time += 40min;
    const auto alone = house.need(*house.first, 10min);
    house.wait(alone);
    CHECK(house.first->jobs.asked.empty());
}

TEST_CASE("a claim is good from when its job begins, however long that waited", "[oauth]") {
    House house;
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
    House house;
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

TEST_CASE("an answer to a berthd that is gone is taken by the next one", "[oauth]") {
    House house;
    house.clock.time += 2h;
    house.need(*house.first);
    house.wait_asked(*house.first);
    const Job job = house.first->jobs.asked.front().job;
    const auto left = house.answer(job, OAuthVerdict::granted);
    house.first.emplace(house.keys, house.clock);  // dies with its claim, and comes anew
    const auto waiting = house.need(*house.first);
    house.first->jobs.takes.at("refresh")(house.connection, left);
    house.wait(waiting);
    CHECK(*waiting->end);
    CHECK(house.first->jobs.asked.empty());  // nobody asked again
    CHECK(house.version_of_token() == ticket_of(job));
    CHECK(house.first->jobs.settled_jobs == std::vector<std::uint64_t>{left.job});

    // One that comes twice, or that nobody asked for, is settled and changes nothing.
    const auto before = house.version_of_token();
    house.first->jobs.takes.at("refresh")(house.connection, left);
    JobAnswer nonsense;
    nonsense.job = 77;
    house.first->jobs.takes.at("refresh")(house.connection, nonsense);
    house.wait([&] { return house.first->jobs.settled_jobs.size() == 3; });
    CHECK(house.version_of_token() == before);
}

TEST_CASE("an answer that may still come is waited for, and nobody asks with the old token",
          "[oauth]") {
    House house;
    house.clock.time += 2h;
    const auto fails = [&](FailureKind kind) {
        const auto waiting = house.need(*house.first);
        house.wait_asked(*house.first);
        auto asked = house.first->jobs.take_first();
        asked.done(fail(kind, "no runner"));
        house.wait(waiting);
        CHECK_FALSE(*waiting->end);
        return asked.job;
    };
    fails(FailureKind::unavailable);
    CHECK_FALSE(house.state().busy_until);  // it never began: whoever comes next may ask

    house.clock.time += 10s;
    const Job lost = fails(FailureKind::conflict);  // the connection to the runner broke
    CHECK(house.state().busy_until == house.clock.time + kClaim);
    const auto waiting = house.need(*house.first);
    const auto left = house.answer(lost, OAuthVerdict::granted);
    house.first->jobs.takes.at("refresh")(house.connection, left);
    house.wait(waiting);
    CHECK(*waiting->end);
    CHECK(house.first->jobs.asked.empty());
    CHECK(house.version_of_token() == ticket_of(lost));
}

TEST_CASE("their refusal, their outage and our fault are three answers", "[oauth]") {
    House house;
    house.clock.time += 2h;
    const auto failure = [&](OAuthVerdict verdict, const char* reason) {
        const auto waiting = house.need(*house.first);
        house.wait_asked(*house.first);
        house.reply(*house.first, verdict, reason);
        house.wait(waiting);
        REQUIRE_FALSE(*waiting->end);
        return waiting->end->error();
    };
    const auto without_asking = [&] {
        const auto waiting = house.need(*house.first);
        house.wait(waiting);
        CHECK(house.first->jobs.asked.empty());
        REQUIRE_FALSE(*waiting->end);
        return waiting->end->error();
    };
    const Failure ours = failure(OAuthVerdict::ours, "no sandbox");
    CHECK(ours.kind == FailureKind::unavailable);
    CHECK(ours.message ==
          "cannot renew the token of connector 'crm': no sandbox; see the log of "
          "its job");
    const Failure out = failure(OAuthVerdict::outage, "the provider answers 503");
    CHECK(out.kind == FailureKind::unavailable);
    CHECK(out.message ==
          "cannot renew the token of connector 'crm': the provider answers 503; it "
          "is asked again later");
    CHECK(without_asking().message == out.message);  // not before its time
    house.clock.time += 5min;
    const Failure client = failure(OAuthVerdict::refused_client, "'invalid_client'");
    CHECK(client.kind == FailureKind::denied);
    CHECK_THAT(client.message, Catch::Contains("check the client that it is provisioned with"));
    house.clock.time += 61s;
    const Failure refused = failure(OAuthVerdict::refused_grant, "'invalid_grant'");
    CHECK(refused.kind == FailureKind::denied);
    CHECK(refused.message ==
          "cannot renew the token of connector 'crm': 'invalid_grant'; "
          "reconnect it");
    house.clock.time += 240h;
    CHECK(without_asking().message == refused.message);  // for good
    const auto& counts = house.first->tokens.counts();
    CHECK(counts.ours == 1);
    CHECK(counts.outages == 1);
    CHECK(counts.refused == 2);
    CHECK(counts.renewed == 0);
}

TEST_CASE("whatever the clock was, a token is renewed as soon as nobody knows how old it is",
          "[oauth]") {
    House house;
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
    House house;
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
