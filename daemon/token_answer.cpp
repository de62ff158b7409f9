#include "daemon/token_answer.h"

#include <algorithm>

#include "base/crypto.h"
#include "base/text.h"
#include "store/connections.h"
#include "store/integrations.h"
#include "store/runs.h"

namespace berth {
namespace {

using namespace std::chrono_literals;
using End = TokensReady::End;

constexpr auto kMargin = 30s;          // from here to the script's first request
constexpr auto kMostPatience = 10min;  // a run waits as long as it may run, but no longer
constexpr auto kProvisionAgain = 60s;

}  // namespace

Result<KeptAnswer> keep_token_answer(Db& db, const KindLookup& kinds, ConnectionId id,
                                     std::uint64_t ticket, const JobAnswer& answer, Time now) {
    auto connection = get_connection(db, id);
    if (!connection) return pass_on(connection);
    const auto said = read_outcome(answer.plain);
    OAuthOutcome outcome;
    if (said)
        outcome = *said;
    else
        outcome.reason = said.error().message;
    const auto because = [&](const char* cure) {
        return fmt::format("cannot renew the token of connector '{}': {}; {}",
                           connection->connector_name, outcome.reason, cure);
    };
    const By by{"berthd", now};
    KeptAnswer kept{outcome.verdict, {}};
    Result<void> stored;
    switch (outcome.verdict) {
        case OAuthVerdict::granted: {
            auto kind = oauth_kind(kinds, *connection);
            if (!kind) return pass_on(kind);
            stored = store_renewal(db, by, id, ticket,
                                   to_grant(*(*kind)->oauth2, outcome, answer,
                                            renewal_grant(**kind), now, oauth_dice()));
            break;
        }
        case OAuthVerdict::refused_grant:
            kept.ready = {End::refused, because(kReconnect), now};
            stored = store_refusal(db, by, id, ticket, outcome.reason);
            break;
        case OAuthVerdict::refused_client:
            kept.ready = {End::refused, because(kProvision), now};
            stored = store_outage(db, id, ticket, outcome.reason, now + kProvisionAgain);
            break;
        case OAuthVerdict::outage: {
            const auto state = token_of(db, id);
            const int failures = state ? state->failures + 1 : 1;
            const Time next = next_try(failures, outcome.retry_after, now, oauth_dice());
            kept.ready = {End::later, because(kWaiting), next};
            stored = store_outage(db, id, ticket, outcome.reason, next);
            break;
        }
        case OAuthVerdict::ours:
            kept.ready = {End::ours, because("see the log of its job"), now};
            release_token(db, id, ticket);
            break;
    }
    if (!stored) return pass_on(stored);
    return kept;
}

Result<RunTokens> run_tokens(Db& db, RunId id, Time now) {
    auto run = get_run(db, id);
    if (!run) return pass_on(run);
    auto integration = get_integration(db, run->integration_id);
    if (!integration) return pass_on(integration);
    RunTokens tokens;
    tokens.need_until = now + integration->wall_time + kMargin;
    for (const RunToken& token : tokens_of_run(db, id))
        if (decide_token(token.state, now, tokens.need_until) != TokenDecision{Keep{}})
            tokens.stale.push_back(token.connection);
    if (tokens.stale.empty()) return tokens;
    const auto events = list_run_events(db, id);
    const auto first = std::ranges::find(events, RunState::preparing, &RunEvent::state);
    const auto patience = std::min<std::chrono::seconds>(integration->wall_time, kMostPatience);
    tokens.patient_until = (first == events.end() ? now : first->time) + patience;
    return tokens;
}

bool tokens_usable(Db& db, RunId run, Time now) {
    return std::ranges::all_of(tokens_of_run(db, run), [&](const RunToken& token) {
        return still_usable(token.state, now);
    });
}

bool tokens_serve(Db& db, const Run& run, Time now) {
    if (tokens_of_run(db, run.id).empty()) return true;  // of most runs
    const auto tokens = run_tokens(db, run.id, now);
    return tokens && tokens->stale.empty();
}

}  // namespace berth
