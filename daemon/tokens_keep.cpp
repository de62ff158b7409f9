// What a provider has answered, put on record: it may have replaced the refresh token, and its
// answer is the only copy of the new one.
#include <utility>

#include "base/log.h"
#include "daemon/store_retry.h"
#include "daemon/token_answer.h"
#include "daemon/tokens_flight.h"
#include "store/connections.h"

namespace berth {
namespace {

using End = TokensReady::End;

}  // namespace

// On record before the runner may forget it, however often the store must be asked. What
// changes sealed fields goes by their scope's list.
void Tokens::keep(ConnectionId id, std::uint64_t ticket, std::shared_ptr<JobAnswer> answer) {
    const FlightPtr flight = flight_of(id);
    flight->asking = true;
    auto op = [id, ticket, answer, kinds = parts_.kinds, now = parts_.clock.now()](Db& db) {
        return keep_token_answer(db, kinds, id, ticket, *answer, now);
    };
    auto done = [this, flight, ticket, answer, alive = alive_](Result<KeptAnswer> result) {
        if (*alive) kept(flight, ticket, answer, std::move(result));
    };
    if (answer->sealed.empty()) return parts_.store.finish(std::move(op), std::move(done));
    parts_.store.read([id](Db& db) { return get_connection(db, id); },
                      [this, op = std::move(op), done = std::move(done),
                       alive = alive_](Result<Connection> connection) mutable {
                          if (!*alive) return;
                          if (!connection) return done(pass_on(connection));
                          parts_.keys.manifests().change<KeptAnswer>(
                              scope_of_connection(*connection), std::move(op), std::move(done));
                      });
}

void Tokens::kept(const FlightPtr& flight, std::uint64_t ticket, std::shared_ptr<JobAnswer> answer,
                  Result<KeptAnswer> result) {
    if (!result && heals(result.error())) {
        log_error("cannot keep a token that was renewed, trying again",
                  {{"connection", flight->connection.str()}, {"reason", result.error().message}});
        if (++flight->tries < kStoreTries)
            return flight->at(kStoreRetry, [this, flight, ticket, answer] {
                keep(flight->connection, ticket, answer);
            });
        // The runner has the only copy, and keeps it for the next berthd.
        return lost(flight, {End::ours, result.error().message, parts_.clock.now() + kOursAgain});
    }
    parts_.jobs.settled(answer->job);
    flight->asking = false;
    if (!result) {
        log_warning("a renewed token is not taken, ignoring",
                    {{"connection", flight->connection.str()}, {"reason", result.error().message}});
        return look(flight);  // what there is now decides
    }
    tell(flight->connection, *result);
    land(flight, std::move(result->ready));
}

void Tokens::tell(ConnectionId id, const KeptAnswer& kept) {
    switch (kept.verdict) {
        case OAuthVerdict::granted: ++counts_.renewed; break;
        case OAuthVerdict::refused_grant:
        case OAuthVerdict::refused_client: ++counts_.refused; break;
        case OAuthVerdict::outage: ++counts_.outages; break;
        case OAuthVerdict::ours: ++counts_.ours; break;
    }
    if (kept.verdict == OAuthVerdict::granted)
        log_info("renewed a token", {{"connection", id.str()}});
    else
        log_warning("a token was not renewed",
                    {{"connection", id.str()}, {"reason", kept.ready.why}});
}

}  // namespace berth
