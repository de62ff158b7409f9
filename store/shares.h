// Whose turn it is among tenants that wait: start-time fair queuing by the time
// their runs took. A tenant that begins to wait starts at the virtual time of the
// one served last, or beside the first of its integration where that is held back by a
// cap, or where it has had its share to; each run moves it on by its length. So whoever
// has much waiting costs the others one turn at most.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "model/ids.h"
#include "store/db.h"

namespace berth {

// Virtual time counts microseconds of run time.
using VirtualTime = std::int64_t;
// What the shortest run costs.
inline constexpr std::chrono::microseconds kLeastCharge{10'000};

// One more trigger waits; `seq` is its place.
void add_waiting(Db& db, TenantId tenant, IntegrationId integration, std::int64_t seq);
// `taken` of them were given to a run: the tenant is served. `oldest` is the first
// that is left, if any.
void take_waiting(Db& db, TenantId tenant, std::int64_t taken, std::optional<std::int64_t> oldest);
// A run of the tenant took so long; never more than its wall time is charged.
void charge(Db& db, TenantId tenant, std::chrono::microseconds took);

struct Load {
    std::int64_t tenant = 0, integration = 0, host = 0;
};
Load waiting_load(Db& db, TenantId tenant, IntegrationId integration);
// Integrations that have waiting triggers and are neither paused nor archived.
std::vector<IntegrationId> integrations_waiting(Db& db);

struct Turn {
    TenantId tenant;
    IntegrationId integration;
    VirtualTime virtual_time = 0;
    std::int64_t oldest_seq = 0;
};
// The tenants of the integration that may begin a run, whose turn comes first.
std::vector<Turn> turns(Db& db, IntegrationId integration, std::int64_t limit);
// Of all integrations.
std::vector<Turn> next_turns(Db& db, std::int64_t limit);
// Its run cannot be begun now: it lets all others of its integration pass, once.
void postpone(Db& db, TenantId tenant, IntegrationId integration);
// It cannot run at all (archived) until it is unparked: it is not among the turns.
void park(Db& db, TenantId tenant);
void unpark(Db& db, TenantId tenant);
// The integration may begin runs again (its pause ended, a cap was changed): turns that
// its tenants could not take meanwhile are not saved up.
void forget_credit(Db& db, IntegrationId integration);

// Of the newest `most` runs, those begun in the minute before `now`, and when the
// oldest of these began. What began later than now, began under a wrong clock.
struct Starts {
    std::int64_t count = 0;
    Time oldest{};
};
Starts starts_of(Db& db, TenantId tenant, Time now, std::int64_t most);
Starts starts_of(Db& db, IntegrationId integration, Time now, std::int64_t most);
Starts starts_of_host(Db& db, Time now, std::int64_t most);

}  // namespace berth
