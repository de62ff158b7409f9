// Tokens and the way to them.
#include "store/connection_rows.h"
#include "store/oauth_attempts.h"
#include "store/oauth_tokens.h"
#include "tests/faults/places.h"

namespace berth::test {
namespace {

using enum Effect;
using namespace std::chrono_literals;

Result<std::string> done() { return std::string{"done"}; }

TokenGrant some_grant(Db& db, Dice& dice, const KeyScope& scope) {
    TokenGrant grant;
    grant.sealed = some_fields(db, dice, scope);
    if (dice.one_in(2)) grant.readable = {{"account", dice.hex(6)}};
    grant.lifetime = std::chrono::seconds{dice.below(3'600)};
    grant.renewable = !dice.one_in(4);
    if (dice.one_in(2)) grant.keep_alive = dice.now + 5s;
    return grant;
}

Result<ConnectionId> consent(Db& db, Dice& dice) {
    auto connection = some_connection(db, dice);
    if (!connection) return pass_on(connection);
    const auto version = reserve_version(db, connection->id);
    auto stored = store_consent(db, dice.by(), connection->id, version, dice.now,
                                some_grant(db, dice, scope_of(*connection)));
    if (!stored) return pass_on(stored);
    return stored->id;
}

// A token that can be renewed now; given anew, if there is none.
Result<ConnectionId> token_at_rest(Db& db, Dice& dice) {
    const auto row = db.one(
        "select connection_id from oauth_tokens where connection_id >= $1 and refused = 0"
        " and (busy_until is null or busy_until <= $2) limit 1",
        {dice.any(db, "oauth_tokens", "connection_id"), dice.now});
    if (row) return ConnectionId{row->integer(0)};
    return consent(db, dice);
}

struct Claim {
    ConnectionId connection;
    std::uint64_t ticket = 0;
};
// One that somebody holds, or takes now.
Result<Claim> some_claim(Db& db, Dice& dice) {
    if (const auto row = db.one("select connection_id, ticket from oauth_tokens"
                                " where ticket <> 0 limit 1"))
        return Claim{ConnectionId{row->integer(0)}, static_cast<std::uint64_t>(row->integer(1))};
    auto connection = token_at_rest(db, dice);
    if (!connection) return pass_on(connection);
    auto ticket = claim_token(db, *connection, dice.now, dice.now + 30s);
    if (!ticket) return pass_on(ticket);
    return Claim{*connection, *ticket};
}

template <typename Then>
Result<std::string> with_claim(Db& db, Dice& dice, Then then) {
    auto claim = some_claim(db, dice);
    if (!claim) return pass_on(claim);
    return answer(then(*claim));
}

Result<std::string> renew(Db& db, Dice& dice) {
    return with_claim(db, dice, [&](const Claim& claim) -> Result<void> {
        auto connection = get_connection(db, claim.connection);
        if (!connection) return pass_on(connection);
        return store_renewal(db, dice.by(), claim.connection, claim.ticket,
                             some_grant(db, dice, scope_of(*connection)));
    });
}

Result<OAuthAttempt> make_attempt(Db& db, Dice& dice) {
    auto connection = some_connection(db, dice);
    if (!connection) return pass_on(connection);
    OAuthAttempt attempt;
    attempt.key_hash = dice.hex(64);
    attempt.connection = connection->id;
    if (!dice.one_in(3)) attempt.cookie_hash = dice.hex(64);
    if (!dice.one_in(3)) attempt.verifier = dice.envelope();
    attempt.version = reserve_version(db, connection->id);
    attempt.actor = "uid 0";
    attempt.created = dice.now;
    attempt.expires = dice.now + kAttemptLife;
    return attempt;
}

Result<std::string> take_one(Db& db, Dice& dice) {
    const auto row = db.one(
        "select key_hash, cookie_hash from oauth_attempts where exchanging = 0 and expires > $1"
        " limit 1",
        {dice.now});
    std::string key = row ? row->text(0) : "", cookie = row ? row->text(1) : "";
    if (!row) {
        auto attempt = make_attempt(db, dice);
        if (!attempt) return pass_on(attempt);
        if (auto added = add_attempt(db, *attempt); !added) return pass_on(added);
        key = attempt->key_hash;
        cookie = attempt->cookie_hash;
    }
    auto taken = take_attempt(db, key, cookie, dice.now);
    if (!taken) return pass_on(taken);
    return say(taken->version);
}

Result<std::string> end_one(Db& db, Dice& dice) {
    const auto row =
        db.one("select connection_id, version from oauth_attempts where exchanging = 1 limit 1");
    if (!row) return fail(FailureKind::not_found, "nobody exchanges");
    const auto ended = end_exchange(db, ConnectionId{row->integer(0)},
                                    static_cast<std::uint64_t>(row->integer(1)), dice.now);
    return ended ? ended->key_hash : "none";
}

}  // namespace

std::vector<Operation> oauth_operations() {
    return {
        {"store_consent", writes, 3, [](Db& db, Dice& dice) { return answer(consent(db, dice)); }},
        {"token_of", reads, 1,
         [](Db& db, Dice& dice) -> Result<std::string> {
             const auto token = token_of(db, {dice.any(db, "oauth_tokens", "connection_id")});
             if (!token) return fail(FailureKind::not_found, "there is no token");
             return fmt::format("{} {}", token->failures, token->refused);
         }},
        {"tokens_of_run", reads, 1,
         [](Db& db, Dice& dice) {
             return answer(tokens_of_run(db, {dice.any(db, "runs")}).size());
         }},
        {"claim_token", writes, 2,
         [](Db& db, Dice& dice) -> Result<std::string> {
             auto connection = token_at_rest(db, dice);
             if (!connection) return pass_on(connection);
             return answer(claim_token(db, *connection, dice.now, dice.now + 30s));
         }},
        {"renew_claim", writes, 1,
         [](Db& db, Dice& dice) {
             return with_claim(db, dice, [&](const Claim& claim) {
                 return renew_claim(db, claim.connection, claim.ticket, dice.now, dice.now + 30s);
             });
         }},
        {"release_token", writes, 1,
         [](Db& db, Dice& dice) {
             return with_claim(db, dice, [&](const Claim& claim) {
                 release_token(db, claim.connection, claim.ticket);
                 return done();
             });
         }},
        {"store_renewal", writes, 2, renew},
        {"store_outage", writes, 1,
         [](Db& db, Dice& dice) {
             return with_claim(db, dice, [&](const Claim& claim) {
                 return store_outage(db, claim.connection, claim.ticket, "out", dice.now + 5s);
             });
         }},
        {"store_refusal", writes, 1,
         [](Db& db, Dice& dice) {
             return with_claim(db, dice, [&](const Claim& claim) {
                 return store_refusal(db, dice.by(), claim.connection, claim.ticket, "revoked");
             });
         }},
        {"due_tokens", reads, 1,
         [](Db& db, Dice& dice) { return answer(due_tokens(db, dice.now + 1h, 20)); }},
        {"next_keep_alive", reads, 1,
         [](Db& db, Dice&) { return answer(next_keep_alive(db).has_value()); }},
        {"put_off_keep_alive", writes, 1,
         [](Db& db, Dice& dice) -> Result<std::string> {
             const auto due = due_tokens(db, dice.now + 1h, 1);
             if (due.empty()) return fail(FailureKind::not_found, "none is due");
             put_off_keep_alive(db, due.front(), dice.now + 1h, dice.now + 2h);
             return done();
         }},
        {"reserve_version", writes, 1,
         [](Db& db, Dice& dice) -> Result<std::string> {
             auto connection = known_connection(db, dice);
             if (!connection) return pass_on(connection);
             return say(reserve_version(db, connection->id));
         }},
        {"add_attempt", writes, 2,
         [](Db& db, Dice& dice) -> Result<std::string> {
             auto attempt = make_attempt(db, dice);
             if (!attempt) return pass_on(attempt);
             return answer(add_attempt(db, *attempt));
         }},
        {"find_attempt", reads, 1,
         [](Db& db, Dice& dice) -> Result<std::string> {
             const auto row = db.one("select key_hash, cookie_hash from oauth_attempts limit 1");
             const std::string key = row ? row->text(0) : "", cookie = row ? row->text(1) : "";
             auto found = find_attempt(db, key, cookie, dice.now);
             if (!found) return pass_on(found);
             return say(found->version);
         }},
        {"take_attempt", writes, 1, take_one},
        {"begin_exchange", writes, 2,
         [](Db& db, Dice& dice) -> Result<std::string> {
             auto attempt = make_attempt(db, dice);
             if (!attempt) return pass_on(attempt);
             begin_exchange(db, *attempt, reserve_version(db, attempt->connection));
             return done();
         }},
        {"end_exchange", writes, 1, end_one},
    };
}

}  // namespace berth::test
