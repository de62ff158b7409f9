// What berth-oauth answered to a renewal, put on record in one transaction.
#pragma once

#include "daemon/oauth_exchange.h"
#include "daemon/tokens.h"

namespace berth {

inline constexpr const char* kReconnect = "reconnect it";
inline constexpr const char* kProvision = "check the client that it is provisioned with";
inline constexpr const char* kWaiting = "it is asked again later";
// When something of ours is in the way.
inline constexpr std::chrono::seconds kOursAgain{2};

struct KeptAnswer {
    OAuthVerdict verdict = OAuthVerdict::ours;
    TokensReady ready;
};
// conflict when the connection was connected anew or disconnected meanwhile. Thread: store.
Result<KeptAnswer> keep_token_answer(Db& db, const KindLookup& kinds, ConnectionId connection,
                                     std::uint64_t ticket, const JobAnswer& answer, Time now);

// For a run: what it needs is fresh, or what is to become of it. Thread: store.
struct RunTokens {
    std::vector<ConnectionId> stale;
    Time need_until{};
    Time patient_until{};  // it has waited long enough then
};
Result<RunTokens> run_tokens(Db& db, RunId run, Time now);
// The provider is out: whether all that the run gets can be tried all the same.
bool tokens_usable(Db& db, RunId run, Time now);

}  // namespace berth
