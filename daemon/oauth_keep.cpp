// What came of an exchange, put on record: the provider takes a code once, so its answer is
// the only copy of the tokens.
#include <utility>

#include "base/log.h"
#include "daemon/oauth.h"
#include "daemon/store_retry.h"
#include "store/connections.h"

namespace berth {
namespace {

constexpr int kPatientTries = 10;  // then whoever waits is told

// The answer on record: connected, or why not.
Result<Connection> keep_consent(Db& db, const KindLookup& kinds, ConnectionId id,
                                std::uint64_t ticket, const JobAnswer& answer, Time now) {
    const auto attempt = end_exchange(db, id, ticket, now);
    if (!attempt)
        return fail(FailureKind::conflict, "the exchange for connection '{}' is not known",
                    id.value);
    auto connection = get_connection(db, id);
    if (!connection) return connection;
    auto kind = oauth_kind(kinds, *connection);
    if (!kind) return pass_on(kind);
    auto outcome = read_outcome(answer.plain);
    if (!outcome) return pass_on(outcome);
    const auto grant = (*kind)->auth == AuthMethod::oauth2_client_credentials
                           ? OAuthGrant::client_credentials
                           : OAuthGrant::authorization_code;
    return store_consent(db, By{attempt->actor, now}, id, ticket, attempt->created,
                         to_grant(*(*kind)->oauth2, *outcome, answer, grant, now, oauth_dice()));
}

}  // namespace

struct OAuth::Keeping {
    ConnectionId connection;
    std::uint64_t ticket = 0;
    JobAnswer answer;
    Time now{};  // when it came: however long the store needs, it was in time
    Done<Connection> done;
    int tries = 0;
};

void OAuth::keep(ConnectionId id, std::uint64_t ticket, JobAnswer answer, Done<Connection> done) {
    auto outcome = read_outcome(answer.plain);
    if (!outcome || outcome->verdict != OAuthVerdict::granted) {
        parts_.jobs.settled(answer.job);
        const std::string why = outcome ? outcome->reason : outcome.error().message;
        // Whoever may connect may know why he could not: not `denied`, which tells nobody.
        const bool refused = outcome && (outcome->verdict == OAuthVerdict::refused_grant ||
                                         outcome->verdict == OAuthVerdict::refused_client);
        return done(fail(refused ? FailureKind::invalid : FailureKind::unavailable,
                         "cannot connect: {}; begin again", why));
    }
    store(std::make_shared<Keeping>(
        Keeping{id, ticket, std::move(answer), parts_.clock.now(), std::move(done)}));
}

void OAuth::store(const KeepingPtr& keeping) {
    parts_.store.read([id = keeping->connection](Db& db) { return get_connection(db, id); },
                      [this, keeping, alive = alive_](Result<Connection> connection) {
                          if (!*alive) return;
                          if (!connection) return kept(keeping, pass_on(connection));
                          parts_.keys.manifests().change<Connection>(
                              scope_of_connection(*connection),
                              [keeping, kinds = parts_.kinds](Db& db) {
                                  return keep_consent(db, kinds, keeping->connection,
                                                      keeping->ticket, keeping->answer,
                                                      keeping->now);
                              },
                              [this, keeping, alive](Result<Connection> connected) {
                                  if (*alive) kept(keeping, std::move(connected));
                              });
                      });
}

// The provider takes a code once, so this is the only copy: the store is asked until it has
// it, and the runner keeps it for the next berthd. Whoever waits at his browser is told soon.
void OAuth::kept(const KeepingPtr& keeping, Result<Connection> connected) {
    const std::string id = keeping->connection.str();
    if (!connected && heals(connected.error())) {
        const std::string& why = connected.error().message;
        if (keeping->tries == 0)
            log_error("cannot keep a consent, trying again", {{"connection", id}, {"reason", why}});
        if (++keeping->tries == kPatientTries)
            keeping->done(fail(FailureKind::unavailable,
                               "the consent is given, and cannot be kept yet: {}; that is tried "
                               "again, so look again in some minutes",
                               why));
        unkept_.push_back(keeping);
        return keep_again_.start(kStoreRetry);
    }
    parts_.jobs.settled(keeping->answer.job);
    if (connected) {
        log_info("connected", {{"connection", id}, {"connector", connected->connector_name}});
        parts_.tokens.look_again(keeping->connection);
    }
    if (keeping->done) keeping->done(std::move(connected));
}

}  // namespace berth
