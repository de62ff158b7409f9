// The fence against two renewals at once, and attempts that are used once.
#include "store/auth_links.h"
#include "store/connections.h"
#include "store/connectors.h"
#include "store/oauth_attempts.h"
#include "store/oauth_tokens.h"
#include "store/releases.h"
#include "store/runs.h"
#include "store/secrets.h"
#include "store/tenants.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;

namespace {

struct World {
    TestDb made = make_db();
    Db& db = *made.db;
    Tenant acme = add_world(db);
    ConnectionOwner owner{acme.integration_id, acme.id};
    Connection connection;
    World() {
        must(attach_connector(db, kBy, acme.integration_id, {"partner", false}));
        connection = must(open_connection(db, kBy, owner, "partner"));
    }
    TokenGrant grant(std::chrono::seconds life = 1h) {
        TokenGrant given;
        given.sealed = {{"access_token", fake_envelope(7)}, {"refresh_token", fake_envelope(7)}};
        given.lifetime = life;
        given.renewable = true;
        given.keep_alive = kNow + 24h;
        return given;
    }
    void consent() {
        must(store_consent(db, kBy, connection.id, reserve_version(db, connection.id), kNow,
                           grant()));
    }
    std::uint64_t version_of(const std::string& field) {
        return static_cast<std::uint64_t>(
            db.must("select version from secrets where connection_id = $1 and field = $2",
                    {connection.id, field})
                .integer(0));
    }
    OAuthAttempt attempt(const std::string& key, const std::string& cookie = "cookie") {
        OAuthAttempt made_attempt;
        made_attempt.key_hash = key;
        made_attempt.connection = connection.id;
        made_attempt.cookie_hash = cookie;
        made_attempt.verifier = "sealed";
        made_attempt.actor = "uid 0";
        made_attempt.created = kNow;
        made_attempt.expires = kNow + kAttemptLife;
        return made_attempt;
    }
};

}  // namespace

TEST_CASE("a consent connects, and its tokens have a life", "[oauth]") {
    World w;
    CHECK_FALSE(token_of(w.db, w.connection.id));
    w.consent();
    const auto state = token_of(w.db, w.connection.id);
    REQUIRE(state);
    CHECK(state->granted == kNow);
    CHECK(state->expires == kNow + 1h);
    CHECK(state->renewable);
    CHECK(must(get_connection(w.db, w.connection.id)).status == ConnectionStatus::connected);
}

TEST_CASE("one renews at a time, and only its answer counts", "[oauth]") {
    World w;
    w.consent();
    const auto id = w.connection.id;
    const auto first = must(claim_token(w.db, id, kNow, kNow + 60s));
    CHECK_FAILS(claim_token(w.db, id, kNow + 59s, kNow + 120s), FailureKind::conflict,
                "is being renewed already");
    CHECK(token_of(w.db, id)->busy_until == kNow + 60s);
    // Whoever had it is dead by then: the next one's answer counts, and his no more.
    const auto second = must(claim_token(w.db, id, kNow + 60s, kNow + 120s));
    CHECK(second > first);
    CHECK_FAILS(store_renewal(w.db, kBy, id, first, w.grant()), FailureKind::conflict,
                "was connected anew or disconnected");
    must(store_renewal(w.db, kBy, id, second, w.grant(2h)));
    CHECK(token_of(w.db, id)->expires == kNow + 60s + 2h);  // from when it was asked for
    CHECK_FALSE(token_of(w.db, id)->busy_until);
    CHECK(w.version_of("access_token") == second);
    CHECK(w.version_of("refresh_token") == second);
    // Said twice it changes nothing.
    CHECK_FAILS(store_renewal(w.db, kBy, id, second, w.grant()), FailureKind::conflict,
                "was connected anew");
}

TEST_CASE("a new consent or a disconnect makes an answer on its way worthless", "[oauth]") {
    World w;
    w.consent();
    const auto id = w.connection.id;
    const auto old = must(claim_token(w.db, id, kNow, kNow + 60s));
    w.consent();
    CHECK_FAILS(store_renewal(w.db, kBy, id, old, w.grant()), FailureKind::conflict, "anew");
    CHECK_FAILS(store_refusal(w.db, kBy, id, old, "no"), FailureKind::conflict, "anew");
    CHECK_FAILS(store_outage(w.db, id, old, "503", kNow + 1s), FailureKind::conflict, "anew");
    CHECK_FALSE(token_of(w.db, id)->refused);
    const auto later = must(claim_token(w.db, id, kNow, kNow + 60s));
    must(disconnect(w.db, kBy, w.owner, "partner"));
    CHECK_FALSE(token_of(w.db, id));
    CHECK_FAILS(store_renewal(w.db, kBy, id, later, w.grant()), FailureKind::conflict, "anew");
    CHECK(must(get_connection(w.db, id)).fields.empty());
}

TEST_CASE("a refusal is on the connection until it is connected again", "[oauth]") {
    World w;
    w.consent();
    const auto id = w.connection.id;
    must(store_refusal(w.db, kBy, id, must(claim_token(w.db, id, kNow, kNow + 60s)), "gone"));
    CHECK(token_of(w.db, id)->refused);
    const auto broken = must(get_connection(w.db, id));
    CHECK(broken.status == ConnectionStatus::failed_refresh);
    CHECK(broken.reason == "gone");
    CHECK_FAILS(claim_token(w.db, id, kNow + 1h, kNow + 2h), FailureKind::conflict, "renewed");
    CHECK(due_tokens(w.db, kNow + 48h, 9).empty());
    w.consent();
    CHECK_FALSE(token_of(w.db, id)->refused);
    CHECK(must(get_connection(w.db, id)).status == ConnectionStatus::connected);
}

TEST_CASE("outages are counted until one answer comes", "[oauth]") {
    World w;
    w.consent();
    const auto id = w.connection.id;
    for (int i = 1; i <= 3; ++i) {
        must(store_outage(w.db, id, must(claim_token(w.db, id, kNow, kNow + 60s)), "503",
                          kNow + 1s * i));
        CHECK(token_of(w.db, id)->failures == i);
        CHECK(token_of(w.db, id)->next_try == kNow + 1s * i);
    }
    release_token(w.db, id, must(claim_token(w.db, id, kNow, kNow + 60s)));
    CHECK(token_of(w.db, id)->failures == 3);  // that was ours
    CHECK_FALSE(token_of(w.db, id)->busy_until);
    must(store_renewal(w.db, kBy, id, must(claim_token(w.db, id, kNow, kNow + 60s)), w.grant()));
    CHECK(token_of(w.db, id)->failures == 0);
    CHECK_FALSE(token_of(w.db, id)->next_try);
}

TEST_CASE("without a new refresh token the old one stays good", "[oauth]") {
    World w;
    w.consent();
    const auto id = w.connection.id;
    const auto before = w.version_of("refresh_token");
    TokenGrant only_access;
    only_access.sealed = {{"access_token", fake_envelope(7)}};
    must(store_renewal(w.db, kBy, id, must(claim_token(w.db, id, kNow, kNow + 60s)), only_access));
    CHECK(token_of(w.db, id)->renewable);
    CHECK_FALSE(token_of(w.db, id)->expires);
    CHECK(w.version_of("refresh_token") == before);
    // But a consent without one takes the old one away: it renews somebody else's.
    only_access.sealed = {{"access_token", fake_envelope(7)}};
    must(store_consent(w.db, kBy, id, reserve_version(w.db, id), kNow, only_access));
    CHECK_FALSE(token_of(w.db, id)->renewable);
    CHECK(must(get_connection(w.db, id)).fields == std::vector<std::string>{"access_token"});
}

TEST_CASE("a claim is renewed by who holds it, and by nobody else", "[oauth]") {
    World w;
    w.consent();
    const auto id = w.connection.id;
    const auto first = must(claim_token(w.db, id, kNow, kNow + 60s));
    must(renew_claim(w.db, id, first, kNow + 59s, kNow + 119s));
    CHECK(token_of(w.db, id)->busy_until == kNow + 119s);
    const auto second = must(claim_token(w.db, id, kNow + 119s, kNow + 179s));
    const char* refusal = "is being renewed by somebody else by now";
    CHECK_FAILS(renew_claim(w.db, id, first, kNow + 120s, kNow + 180s), FailureKind::busy, refusal);
    CHECK(token_of(w.db, id)->busy_until == kNow + 179s);
    release_token(w.db, id, second);
    for (const std::uint64_t ticket : {second, std::uint64_t{0}})
        CHECK_FAILS(renew_claim(w.db, id, ticket, kNow, kNow + 60s), FailureKind::busy, refusal);
    CHECK_FALSE(token_of(w.db, id)->busy_until);
    const auto third = must(claim_token(w.db, id, kNow, kNow + 60s));
    must(store_refusal(w.db, kBy, id, third, "gone"));
    CHECK_FAILS(renew_claim(w.db, id, third, kNow, kNow + 60s), FailureKind::busy, refusal);
}

TEST_CASE("a run's tokens are its tenant's, those that are refused too", "[oauth]") {
    World w;
    w.consent();
    const auto release = must(latest_release(w.db, w.acme.integration_id)).id;
    const auto run = must(begin_run(w.db, w.acme.id, release, RunMode::normal, {}, kNow));
    const auto id = w.connection.id;
    must(store_refusal(w.db, kBy, id, must(claim_token(w.db, id, kNow, kNow + 60s)), "gone"));
    const auto tokens = tokens_of_run(w.db, run.id);
    REQUIRE(tokens.size() == 1);
    CHECK(tokens[0].connection == id);
    CHECK(tokens[0].connector_name == "partner");
    CHECK(tokens[0].state.refused);
    const auto other = add_tenant(w.db, w.acme.integration_id, "other");
    const auto others = must(begin_run(w.db, other.id, release, RunMode::normal, {}, kNow));
    CHECK(tokens_of_run(w.db, others.id).empty());
}

TEST_CASE("idle tokens are due, each in its time", "[oauth]") {
    World w;
    CHECK_FALSE(next_keep_alive(w.db));
    w.consent();
    CHECK(next_keep_alive(w.db) == kNow + 24h);
    CHECK(due_tokens(w.db, kNow + 23h, 9).empty());
    CHECK(due_tokens(w.db, kNow + 24h, 9) == std::vector{w.connection.id});
    put_off_keep_alive(w.db, w.connection.id, kNow + 24h, kNow + 48h);
    CHECK(due_tokens(w.db, kNow + 24h, 9).empty());
    put_off_keep_alive(w.db, w.connection.id, kNow + 24h, kNow + 99h);  // it is not due
    CHECK(next_keep_alive(w.db) == kNow + 48h);
}

TEST_CASE("an attempt is taken once, by its browser, in time", "[oauth]") {
    World w;
    must(add_attempt(w.db, w.attempt("a")));
    const std::string refusal = "begun in another browser; begin again";
    CHECK_FAILS(find_attempt(w.db, "a", "other", kNow), FailureKind::not_found, refusal);
    CHECK_FAILS(find_attempt(w.db, "a", "cookie", kNow + kAttemptLife), FailureKind::not_found,
                refusal);
    for (int i = 0; i < 2; ++i)  // looking uses nothing up
        CHECK(must(find_attempt(w.db, "a", "cookie", kNow)).verifier == "sealed");
    CHECK_FAILS(take_attempt(w.db, "a", "other", kNow), FailureKind::not_found, refusal);
    CHECK_FAILS(take_attempt(w.db, "a", "", kNow), FailureKind::not_found, refusal);
    CHECK_FAILS(take_attempt(w.db, "b", "cookie", kNow), FailureKind::not_found, refusal);
    CHECK_FAILS(take_attempt(w.db, "a", "cookie", kNow + kAttemptLife), FailureKind::not_found,
                refusal);
    const auto taken = must(take_attempt(w.db, "a", "cookie", kNow + 9min));
    CHECK(taken.verifier == "sealed");
    CHECK_FAILS(take_attempt(w.db, "a", "cookie", kNow), FailureKind::not_found, refusal);
    CHECK_FAILS(find_attempt(w.db, "a", "cookie", kNow), FailureKind::not_found, refusal);
}

TEST_CASE("an exchange is kept for who comes after us, without its verifier", "[oauth]") {
    World w;
    must(add_attempt(w.db, w.attempt("a")));
    const auto taken = must(take_attempt(w.db, "a", "cookie", kNow));
    begin_exchange(w.db, taken, 5);
    CHECK_FAILS(take_attempt(w.db, "a", "cookie", kNow), FailureKind::not_found, "begin again");
    CHECK_FALSE(end_exchange(w.db, w.connection.id, 4, kNow));
    const auto ended = end_exchange(w.db, w.connection.id, 5, kNow);
    REQUIRE(ended);
    CHECK(ended->verifier.empty());
    CHECK_FALSE(end_exchange(w.db, w.connection.id, 5, kNow));
}

TEST_CASE("an exchange that was given up long ago, or whose connection was cut, ends in nothing",
          "[oauth]") {
    World w;
    const auto begin = [&](std::uint64_t ticket) {
        must(add_attempt(w.db, w.attempt("a")));
        auto taken = must(take_attempt(w.db, "a", "cookie", kNow));
        taken.created = kNow;
        begin_exchange(w.db, taken, ticket);
    };
    begin(5);
    CHECK_FALSE(end_exchange(w.db, w.connection.id, 5, kNow + kExchangeKept));
    CHECK(end_exchange(w.db, w.connection.id, 5, kNow + kExchangeKept - 1s));
    begin(6);
    must(disconnect(w.db, kBy, w.owner, "partner", "by a test"));
    CHECK_FALSE(end_exchange(w.db, w.connection.id, 6, kNow));
    begin(7);
    must(delete_auth_link(w.db, kBy, w.acme.id));
    CHECK_FALSE(end_exchange(w.db, w.connection.id, 7, kNow));
    begin(8);
    must(archive_tenant(w.db, kBy, w.acme.id));
    CHECK_FALSE(end_exchange(w.db, w.connection.id, 8, kNow));
}

TEST_CASE("attempts without end are refused, and old ones make room", "[oauth]") {
    World w;
    for (int i = 0; i < 20; ++i)
        must(add_attempt(w.db, w.attempt(std::to_string(i))));
    CHECK_FAILS(add_attempt(w.db, w.attempt("one more")), FailureKind::over_limit,
                "try again in 10 minutes");
    auto later = w.attempt("later");
    later.created = kNow + kAttemptLife;
    later.expires = later.created + kAttemptLife;
    must(add_attempt(w.db, later));
    CHECK(count(w.db, "oauth_attempts") == 1);
}

TEST_CASE("who begins anew takes nothing from an exchange whose answer is not kept yet",
          "[oauth]") {
    World w;
    must(add_attempt(w.db, w.attempt("a")));
    begin_exchange(w.db, must(take_attempt(w.db, "a", "cookie", kNow)), 5);
    const auto begin_anew = [&](Time now) {
        auto next = w.attempt("b");
        next.created = now;
        next.expires = now + kAttemptLife;
        must(add_attempt(w.db, next));
        must(take_attempt(w.db, "b", "cookie", now));
    };
    begin_anew(kNow + kExchangeKept - 1s);
    CHECK(count(w.db, "oauth_attempts") == 1);
    begin_anew(kNow + kExchangeKept);
    CHECK(count(w.db, "oauth_attempts") == 0);
}
