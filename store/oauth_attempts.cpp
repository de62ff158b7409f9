#include "store/oauth_attempts.h"

#include "store/connection_rows.h"
#include "store/sql.h"

namespace berth {
namespace {

constexpr std::int64_t kMostPerConnection = 20;
constexpr std::string_view kColumns =
    "key_hash, connection_id, cookie_hash, verifier, version, return_to, actor, created, expires";
constexpr std::string_view kOnTheWay =
    "key_hash = $1 and cookie_hash = $2 and expires > $3 and exchanging = 0";

OAuthAttempt read_attempt(const Row& row) {
    Columns c{row};
    OAuthAttempt attempt;
    attempt.key_hash = c.text();
    attempt.connection = c.id<ConnectionId>();
    attempt.cookie_hash = c.text();
    attempt.verifier = c.maybe([](Columns& at) { return at.text(); }).value_or("");
    attempt.version = static_cast<std::uint64_t>(c.integer());
    attempt.return_to = c.text();
    attempt.actor = c.text();
    attempt.created = c.time();
    attempt.expires = c.time();
    return attempt;
}

void insert(Db& db, const OAuthAttempt& attempt, bool exchanging) {
    std::optional<Bytes> verifier;
    if (!attempt.verifier.empty()) verifier = Bytes{attempt.verifier};
    db.exec(fmt::format("insert into oauth_attempts ({}, exchanging)"
                        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                        kColumns),
            {attempt.key_hash, attempt.connection, attempt.cookie_hash, verifier, attempt.version,
             attempt.return_to, attempt.actor, attempt.created, attempt.expires, exchanging});
}

Result<OAuthAttempt> attempt_of(const std::optional<Row>& row) {
    if (row) return read_attempt(*row);
    return fail(FailureKind::not_found,
                "this way to connect was used already, has taken more than {} minutes, or was "
                "begun in another browser; begin again",
                kAttemptLife.count());
}

}  // namespace

std::uint64_t reserve_version(Db& db, ConnectionId connection) {
    return next_version(db, connection);
}

Result<void> add_attempt(Db& db, const OAuthAttempt& attempt) {
    db.exec(
        "delete from oauth_attempts where connection_id = $1"
        " and (exchanging = 0 and expires <= $2 or created <= $3)",
        {attempt.connection, attempt.created, attempt.created - kExchangeKept});
    const auto waiting =
        db.must("select count(*) from oauth_attempts where connection_id = $1 and expires > $2",
                {attempt.connection, attempt.created});
    if (waiting.integer(0) >= kMostPerConnection)
        return fail(FailureKind::over_limit,
                    "{} attempts to connect are on their way already; try again in {} minutes",
                    waiting.integer(0), kAttemptLife.count());
    insert(db, attempt, /*exchanging=*/false);
    return {};
}

Result<OAuthAttempt> find_attempt(Db& db, std::string_view key_hash, std::string_view cookie_hash,
                                  Time now) {
    return attempt_of(
        db.one(fmt::format("select {} from oauth_attempts where {}", kColumns, kOnTheWay),
               {key_hash, cookie_hash, now}));
}

Result<OAuthAttempt> take_attempt(Db& db, std::string_view key_hash, std::string_view cookie_hash,
                                  Time now) {
    return attempt_of(
        db.one(fmt::format("delete from oauth_attempts where {} returning {}", kOnTheWay, kColumns),
               {key_hash, cookie_hash, now}));
}

void begin_exchange(Db& db, const OAuthAttempt& attempt, std::uint64_t ticket) {
    OAuthAttempt kept = attempt;
    kept.verifier.clear();
    kept.version = ticket;
    kept.expires = attempt.created + kAttemptLife;
    insert(db, kept, /*exchanging=*/true);
}

std::optional<OAuthAttempt> end_exchange(Db& db, ConnectionId connection, std::uint64_t ticket,
                                         Time now) {
    const auto row = db.one(fmt::format("delete from oauth_attempts where connection_id = $1"
                                        " and version = $2 and exchanging = 1 and created > $3"
                                        " returning {}",
                                        kColumns),
                            {connection, ticket, now - kExchangeKept});
    if (!row) return {};
    return read_attempt(*row);
}

}  // namespace berth
