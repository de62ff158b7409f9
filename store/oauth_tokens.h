// The lives of connections' tokens: when they end, who is renewing them, and what the
// provider last said. The tokens are sealed fields (secrets.h) and change in the same
// transaction as their row here.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/token_state.h"
#include "model/values.h"
#include "store/audit.h"
#include "store/db.h"
#include "store/secrets.h"

namespace berth {

// Nothing when the connection has no tokens.
std::optional<TokenState> token_of(Db& db, ConnectionId connection);

// The tokens that this run gets: its tenant's, and the global ones of its integration; also
// those that the provider refuses.
struct RunToken {
    ConnectionId connection;
    std::string connector_name;
    TokenState state;
};
std::vector<RunToken> tokens_of_run(Db& db, RunId run);

// The fence: from here on nobody else asks the provider until `until`, and only the answer
// with this ticket counts. It is the version to seal its tokens under. conflict when somebody
// is at it already.
Result<std::uint64_t> claim_token(Db& db, ConnectionId connection, Time now, Time until);
// It is asked only now: the claim is good until `until`, and a token's life begins no earlier.
// busy when the claim has lapsed and somebody else holds one, or nothing is left to renew.
Result<void> renew_claim(Db& db, ConnectionId connection, std::uint64_t ticket, Time now,
                         Time until);
// It came to nothing, and was not the provider's doing.
void release_token(Db& db, ConnectionId connection, std::uint64_t ticket);

// What the provider gave.
struct TokenGrant {
    std::vector<SealedField> sealed;
    std::map<std::string, std::string> readable;
    std::optional<std::chrono::seconds> lifetime;  // from when it was asked
    // A renewal without a new refresh token leaves the old one good: nothing says that.
    std::optional<bool> renewable;
    std::string scope;
    std::optional<Time> keep_alive;
};
// The answer to claim `ticket`; conflict when the connection was disconnected or connected
// anew meanwhile: what was given then belongs to nobody.
Result<void> store_renewal(Db& db, const By& by, ConnectionId connection, std::uint64_t ticket,
                           const TokenGrant& grant);
// The first tokens of a connection, or those of a new consent: they end what was before.
// `asked` is when the exchange began.
Result<Connection> store_consent(Db& db, const By& by, ConnectionId connection,
                                 std::uint64_t version, Time asked, const TokenGrant& grant);

// The provider is out: nobody asks before `next`. conflict as in store_renewal().
Result<void> store_outage(Db& db, ConnectionId connection, std::uint64_t ticket,
                          std::string_view reason, Time next);
// The provider takes the tokens no more: the connection is failed_refresh until it is
// connected again. conflict as in store_renewal().
Result<void> store_refusal(Db& db, const By& by, ConnectionId connection, std::uint64_t ticket,
                           std::string_view reason);

// Due to be kept alive, the longest due first; not those of archived tenants.
std::vector<ConnectionId> due_tokens(Db& db, Time now, std::int64_t limit);
std::optional<Time> next_keep_alive(Db& db);
// If it is still due.
void put_off_keep_alive(Db& db, ConnectionId connection, Time now, Time until);

}  // namespace berth
