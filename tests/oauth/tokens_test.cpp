// Who asks for tokens: one asks for all, and its answer is fenced.
#include "tests/oauth/tokens_house.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;

TEST_CASE("a hundred that wait for a token ask once, and all hear the answer", "[oauth]") {
    TokenHouse house;
    house.clock.time += 55min;  // five minutes are left
    std::vector<std::shared_ptr<TokenHouse::Need>> all;
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
    TokenHouse house;
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
    TokenHouse house;
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

TEST_CASE("an answer to a berthd that is gone is taken by the next one", "[oauth]") {
    TokenHouse house;
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
    TokenHouse house;
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
    TokenHouse house;
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
