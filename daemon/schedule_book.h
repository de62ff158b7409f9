// Fires what is due: the scheduler's pure decision (settle.h) applied to what is
// in the store. Slot, trigger and cursor of a schedule are one transaction.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "model/schedule_settings.h"
#include "scheduler/ports.h"
#include "store/schedules.h"
#include "store/store.h"
#include "store/triggers.h"

namespace berth {

// What the administrator of this host allows.
struct ScheduleRules {
    Seconds seconds = Seconds::refused;
    WaitingCaps waiting;
};

// Schedules as they were read, by their text: a million rows have few texts.
// Thread: store writer.
class ScheduleTexts {
public:
    explicit ScheduleTexts(ScheduleRules rules = {}, Zones zones = Zones{})
        : rules_{rules}, zones_{std::move(zones)} {}
    Result<std::shared_ptr<const Schedule>> find(const ScheduleSettings& settings);
    Zones& zones() { return zones_; }
    const ScheduleRules& rules() const { return rules_; }
    // Forgets what was read by zone data that was updated since; whether it was.
    bool refresh();

private:
    const ScheduleRules rules_;
    Zones zones_;
    std::map<std::string, std::shared_ptr<const Schedule>> read_;
};

// Settles at most `most` schedules that are due, in the caller's transaction. One
// that cannot be settled is put off with the reason on it and holds up no other.
ScheduleStore::Look look_at_schedules(Db& db, ScheduleTexts& texts, Time now, std::int64_t most);

// The watchdog: works out anew when up to `most` schedules after `after` fire, and has
// those that are armed later than that looked at now. The schema keeps `enabled` from
// having nothing armed at all; this finds what is armed wrongly. Answers with the last it
// has seen; nothing after the last one.
struct Watched {
    std::optional<ScheduleId> last;
    std::int64_t rearmed = 0;
};
Watched watch_schedules(Db& db, ScheduleTexts& texts, Time now, ScheduleId after,
                        std::int64_t most);

// What a tenant's schedule follows from: its own text, or its integration's default.
// For a tenant that was created, or whose user_schedule was changed. unprocessable
// at `body.user_schedule`, also when the integration does not offer that text.
Result<void> follow_user_schedule(Db& db, const By& by, TenantId tenant, ScheduleTexts& texts);

// Thread: loop.
class ScheduleBook final : public ScheduleStore {
public:
    ScheduleBook(Store& store, const Clock& clock, ScheduleRules rules = {})
        : store_{store}, clock_{clock}, texts_{std::make_shared<ScheduleTexts>(rules)} {}
    void look(std::int64_t most, Callback<void(Result<Look>)> done) override;
    void rewind(Callback<void(Result<void>)> done) override;
    void prune(Callback<void(Result<void>)> done) override;

    // How long the ledger goes back; from the next cut on.
    void keep_history(std::chrono::days days) { history_ = days; }
    // For operations of others; used on the store's writer thread only.
    const std::shared_ptr<ScheduleTexts>& texts() const { return texts_; }

private:
    std::chrono::days history_{30};  // contract 5.5: runs are visible for 30 days
    Store& store_;
    const Clock& clock_;
    const std::shared_ptr<ScheduleTexts> texts_;
    // Where pruning and watching go on. Thread: store writer.
    struct Rounds {
        ScheduleId pruned_to, watched_to;
    };
    std::shared_ptr<Rounds> rounds_ = std::make_shared<Rounds>();
};

}  // namespace berth
