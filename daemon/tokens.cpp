// One flight per connection: whoever needs its token meanwhile waits for the same answer.
#include "daemon/tokens.h"

#include <algorithm>
#include <utility>

#include "base/crypto.h"
#include "base/log.h"
#include "base/overloaded.h"
#include "daemon/token_answer.h"
#include "daemon/tokens_flight.h"
#include "store/connections.h"
#include "store/keys.h"

namespace berth {
namespace {

using namespace std::chrono_literals;
using End = TokensReady::End;

}  // namespace

// What is on record, and what follows from it.
struct Tokens::Asked {
    TokenDecision decision = Keep{};
    Time need_until{};  // that it was decided for
    TokenState state;
    std::string connector;
    std::uint64_t ticket = 0;  // of Renew
    ConnectionMaterial material;
    DataKeyRow key;

    static Result<Asked> look(Db& db, ConnectionId id, Time now, Time need_until) {
        Asked asked;
        asked.need_until = need_until;
        const auto state = token_of(db, id);
        if (!state) return asked;
        asked.state = *state;
        TokenState judged = *state;
        if (need_until == kRenewNow && state->renewable) judged.expires = now;
        asked.decision = decide_token(judged, now, need_until);
        if (asked.decision == TokenDecision{Keep{}}) return asked;
        auto connection = get_connection(db, id);
        if (!connection) return pass_on(connection);
        asked.connector = connection->connector_name;
        return asked;
    }
    static Result<Asked> claim(Db& db, ConnectionId id, Time now, Time need_until) {
        auto asked = look(db, id, now, need_until);
        if (!asked || asked->decision != TokenDecision{Renew{}}) return asked;
        auto ticket = claim_token(db, id, now, now + kClaim);
        if (!ticket) return pass_on(ticket);
        auto material = connection_secrets(db, By{"berthd", now}, id, "refresh");
        if (!material) return pass_on(material);
        auto key = get_data_key(db, scope_of_connection(material->connection));
        if (!key) return pass_on(key);
        asked->ticket = *ticket;
        asked->material = std::move(*material);
        asked->key = std::move(*key);
        return asked;
    }
};

Tokens::Tokens(Parts parts)
    : parts_{std::move(parts)}, idle_{parts_.loop, [this] { keep_alive(); }} {
    // Of a berthd before this one: the provider may have replaced the refresh token, and
    // this is the only copy of the new one.
    parts_.jobs.on_left("refresh", [this](ConnectionId id, JobAnswer answer) {
        auto outcome = read_outcome(answer.plain);
        const auto ticket = outcome ? to_number<std::uint64_t>(outcome->ticket) : std::nullopt;
        if (!ticket) return parts_.jobs.settled(answer.job);
        keep(id, *ticket, std::make_shared<JobAnswer>(std::move(answer)));
    });
}

Tokens::~Tokens() {
    *alive_ = false;
    for (const auto& [id, flight] : flights_)
        flight->then = {};  // which holds it
}

void Tokens::open() {
    open_ = true;
    wake_for_idle();
}

void Tokens::close() {
    open_ = false;
    idle_.stop();
}

Tokens::FlightPtr Tokens::flight_of(ConnectionId id) {
    auto& flight = flights_[id];
    if (!flight)
        flight = std::make_shared<Flight>(parts_.loop, id, [this, id] {
            const auto found = flights_.find(id);
            if (found != flights_.end() && found->second->then)
                std::exchange(found->second->then, {})();
        });
    return flight;
}

void Tokens::ensure(ConnectionId id, Time need_until, Waiting done) {
    const bool first = !flights_.contains(id);
    const FlightPtr flight = flight_of(id);
    flight->need_until = std::max(flight->need_until, need_until);
    flight->waiting.push_back(std::move(done));
    if (first) look(flight);
}

void Tokens::look_again(ConnectionId id) {
    const auto found = flights_.find(id);
    if (found != flights_.end() && !found->second->asking) look(FlightPtr{found->second});
}

// Looked at first without writing: mostly there is nothing to do.
void Tokens::look(const FlightPtr& flight) {
    flight->timer.stop();
    flight->asking = true;
    parts_.store.read(
        [id = flight->connection, now = parts_.clock.now(), need = flight->need_until](Db& db) {
            return Asked::look(db, id, now, need);
        },
        [this, flight, alive = alive_](Result<Asked> asked) {
            if (!*alive) return;
            if (!asked || asked->decision != TokenDecision{Renew{}})
                return decided(flight, std::move(asked));
            parts_.store.write(
                [id = flight->connection, now = parts_.clock.now(),
                 need = flight->need_until](Db& db) { return Asked::claim(db, id, now, need); },
                [this, flight, alive](Result<Asked> claimed) {
                    if (*alive) decided(flight, std::move(claimed));
                });
        });
}

void Tokens::decided(const FlightPtr& flight, Result<Asked> asked) {
    flight->asking = false;
    const Time now = parts_.clock.now();
    if (!asked) {
        const End end = End::ours;
        return land(flight, {end, asked.error().message, now + kOursAgain});
    }
    const auto named = [&](const std::string& why, const char* cure) {
        return fmt::format("cannot renew the token of connector '{}': {}; {}", asked->connector,
                           why, cure);
    };
    std::visit(overloaded{
                   [&](const Keep&) {
                       // Somebody who needs it for longer has come meanwhile.
                       if (flight->need_until > asked->need_until) return look(flight);
                       land(flight, {});
                   },
                   [&](const Renew&) { ask(flight, std::move(*asked)); },
                   [&](const Hopeless& hopeless) {
                       land(flight, {End::refused, named(hopeless.why, kReconnect), now});
                   },
                   [&](const WaitUntil& wait) {
                       const auto delay = ceil<std::chrono::milliseconds>(wait.time - now);
                       // Somebody else is at it: his answer, or the end of his time.
                       if (asked->state.busy_until && *asked->state.busy_until > now)
                           return flight->at(delay, [this, flight] { look(flight); });
                       land(flight, {End::later, named(asked->state.reason, kWaiting), wait.time});
                   },
               },
               asked->decision);
}

void Tokens::ask(const FlightPtr& flight, Asked asked) {
    flight->asking = true;
    auto kind = oauth_kind(parts_.kinds, asked.material.connection);
    auto job = [&]() -> Result<Job> {
        if (!kind) return pass_on(kind);
        ExchangeOrder order;
        order.grant = renewal_grant(**kind);
        order.ticket = asked.ticket;
        order.key = asked.key;
        order.actor = "berthd";
        return make_exchange(**kind, asked.material, order, parts_.settings);
    }();
    if (!job)
        return drop(flight, asked.ticket,
                    {End::refused,
                     fmt::format("cannot renew the token of connector '{}': {}", asked.connector,
                                 job.error().message),
                     {}});
    // The claim is from when the answer may be, not from when the job was one of many.
    job->begins = [id = flight->connection, ticket = asked.ticket](Db& db, Time now) {
        return renew_claim(db, id, ticket, now, now + kClaim);
    };
    parts_.jobs.run(std::move(*job), [this, flight, ticket = asked.ticket, alive = alive_,
                                      connector = asked.connector](Result<JobAnswer> answer) {
        if (!*alive) return;
        if (answer)
            return keep(flight->connection, ticket,
                        std::make_shared<JobAnswer>(std::move(*answer)));
        TokensReady ready{End::ours,
                          fmt::format("cannot renew the token of connector '{}': {}", connector,
                                      answer.error().message),
                          parts_.clock.now() + kOursAgain};
        if (answer.error().kind == FailureKind::conflict) return lost(flight, std::move(ready));
        if (answer.error().kind == FailureKind::over_limit) {  // the provider's doing
            ready.end = End::later;
            ready.when += std::chrono::milliseconds{oauth_dice() % 8192};  // not all at once
        }
        drop(flight, ticket, std::move(ready));
    });
}

// The provider was not asked.
void Tokens::drop(const FlightPtr& flight, std::uint64_t ticket, TokensReady ready) {
    ++(ready.end == End::ours    ? counts_.ours
       : ready.end == End::later ? counts_.outages
                                 : counts_.refused);
    parts_.store.finish(
        [id = flight->connection, ticket](Db& db) { release_token(db, id, ticket); },
        [this, flight, ready, alive = alive_](Result<void>) mutable {
            if (!*alive) return;
            flight->asking = false;
            land(flight, std::move(ready));
        });
}

// The provider may have answered, with a token that takes the place of ours. The claim stays
// until its time is over, so that the answer is still taken when the runner tells it again,
// and nobody asks with the old token before.
void Tokens::lost(const FlightPtr& flight, TokensReady ready) {
    ++counts_.ours;
    flight->asking = false;
    land(flight, std::move(ready));
}

void Tokens::land(const FlightPtr& flight, TokensReady ready) {
    const auto found = flights_.find(flight->connection);
    if (found != flights_.end() && found->second == flight) flights_.erase(found);
    flight->timer.stop();
    flight->then = {};
    for (Waiting& waiting : std::exchange(flight->waiting, {}))
        waiting(ready);
    if (open_ && !idle_.armed()) wake_for_idle();
}

}  // namespace berth
