// What must be true, whatever happens: an account of what clients were told and
// what was executed, kept apart from the store, and held against it after every
// commit.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/values.h"
#include "store/db.h"
#include "tests/sim/world.h"

namespace berth::sim {

// The caps and rules that the world was set up with.
struct Rules {
    int max_runs = 3;
    IntegrationId capped;  // at most one run at once
    IntegrationId fails;   // on_lost: fail, no retries: executed once at most
    IntegrationId plain;   // no caps: its tenants' turns are fair
    std::chrono::seconds wall_time{60};
};

class Truth {
public:
    Truth(World& world, const Rules& rules) : world_{world}, rules_{rules} {}

    // A client was told; the same key may be told again.
    void told(TenantId tenant, const std::string& key, const TriggerId& id);
    void executed(const Run& run);
    void exited(RunId run, int attempt, bool well);  // its process is gone
    void all_killed();

    // After each commit, and after each start.
    void look(Db& db);
    // When all has been quiet long enough.
    void look_at_the_end(Db& db);

private:
    void look_at_triggers(Db& db);
    void look_at_events(Db& db);
    void look_at_caps(Db& db);
    void look_at_pauses(Db& db);
    void look_at_turns(Db& db);
    void look_at_sums(Db& db);
    void look_at_ledger(Db& db);
    void look_at_bundle(Db& db, RunId run);

    World& world_;
    const Rules& rules_;
    std::int64_t trigger_seen_ = 0, event_seen_ = 0;
    std::uint64_t looks_ = 0;

    std::map<std::pair<TenantId, std::string>, TriggerId> told_;
    std::map<RunId, int> last_attempt_;
    std::set<RunId> ended_;
    std::set<std::pair<RunId, int>> executed_, well_;
    std::map<TenantId, std::pair<RunId, int>> alive_;
    std::map<RunId, int> executions_;
    struct Pause {
        std::int64_t since = 0, modified = 0;
        std::uint64_t clock = 0;
    };
    std::map<std::int64_t, Pause> pauses_;  // by schedule
    std::map<RunId, std::pair<TenantId, microseconds>> running_since_;
    std::map<TenantId, std::map<TenantId, microseconds>> passed_by_;
    std::uint64_t clock_seen_ = 0;
};

}  // namespace berth::sim
