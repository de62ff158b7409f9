// Who is on the way to a provider and back, to consent to a connection. Only hashes of what
// their browsers hold; the verifier (RFC 7636) is sealed.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "model/values.h"
#include "store/audit.h"
#include "store/db.h"

namespace berth {

inline constexpr std::chrono::minutes kAttemptLife{10};
// So long after its beginning an exchange can still be ended: a disk that is full for hours,
// or a host that is down, costs no consent whose answer the runner has.
inline constexpr std::chrono::hours kExchangeKept{24};

struct OAuthAttempt {
    std::string key_hash;  // of the state; of an invitation, of its ticket
    ConnectionId connection;
    std::string cookie_hash;  // empty: an invitation
    std::string verifier;     // envelope; empty: there is none
    std::uint64_t version = 0;
    std::string return_to;
    std::string actor;
    Time created{};
    Time expires{};
};

// A number that nothing else of this connection is sealed under.
std::uint64_t reserve_version(Db& db, ConnectionId connection);

// Forgets those that are over. over_limit when too many are on their way.
Result<void> add_attempt(Db& db, const OAuthAttempt& attempt);
// What take_attempt() would take; uses nothing up.
Result<OAuthAttempt> find_attempt(Db& db, std::string_view key_hash, std::string_view cookie_hash,
                                  Time now);
// Once: the second time it is not_found, as after its time and for a cookie of another
// browser, which uses nothing up.
Result<OAuthAttempt> take_attempt(Db& db, std::string_view key_hash, std::string_view cookie_hash,
                                  Time now);
// What was taken is exchanged: kept until it is stored, for a daemon that comes after us.
// `ticket` is the version of the tokens.
void begin_exchange(Db& db, const OAuthAttempt& attempt, std::uint64_t ticket);
// Nothing when it was ended meanwhile (a disconnect, a link revoked), or begun longer ago than
// kExchangeKept.
std::optional<OAuthAttempt> end_exchange(Db& db, ConnectionId connection, std::uint64_t ticket,
                                         Time now);

}  // namespace berth
