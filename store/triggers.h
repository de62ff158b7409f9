// Triggers: requests for a run. Accepted means committed (reliability.md 2.1).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/error.h"
#include "model/limits.h"
#include "model/values.h"
#include "store/db.h"

namespace berth {

// How many triggers may wait for a tenant, and on this host.
struct WaitingCaps {
    std::int64_t tenant = limits::kWaitingTriggersPerTenant;
    std::int64_t host = limits::kWaitingTriggers;
    bool operator==(const WaitingCaps&) const = default;
};

// Keeps the trigger until a run takes it. The same idempotency key from the same
// source gives the first trigger back. not_found, conflict (archived), or over_limit
// and busy when too much waits: for the tenant, its integration, the host.
Result<Trigger> accept_trigger(Db& db, const Trigger& trigger, const WaitingCaps& caps = {});
Result<Trigger> get_trigger(Db& db, const TriggerId& id);

// In the order of their acceptance, without a run yet.
std::vector<Trigger> list_waiting_triggers(Db& db, TenantId tenant, std::int64_t limit);
// What a bundle is chosen from, without the payloads: the oldest `of_each` of the
// crons, of the inits and of all others, in the order of their acceptance.
std::vector<WaitingTrigger> bundle_candidates(Db& db, TenantId tenant, std::int64_t of_each);
std::vector<Trigger> triggers_of_run(Db& db, RunId run);

// Tenants that have waiting triggers and may begin a run, in the order of their
// turns (shares.h).
std::vector<TenantId> tenants_ready(Db& db, std::int64_t limit);
// When the oldest of its waiting triggers was accepted.
std::optional<Time> waiting_since(Db& db, TenantId tenant);

}  // namespace berth
