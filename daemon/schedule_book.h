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

namespace berth {

// Schedules as they were read, by their text: a million rows have few texts.
// Thread: store writer.
class ScheduleTexts {
public:
    Result<std::shared_ptr<const Schedule>> find(const ScheduleSettings& settings);
    Zones& zones() { return zones_; }

private:
    Zones zones_;
    std::map<std::string, std::shared_ptr<const Schedule>> read_;
};

// Settles at most `most` schedules that are due, in the caller's transaction. One
// that cannot be settled is put off with the reason on it and holds up no other.
ScheduleStore::Look look_at_schedules(Db& db, ScheduleTexts& texts, Time now, std::int64_t most);

// What a tenant's schedule follows from: its own text, or its integration's default.
// For a tenant that was created, or whose user_schedule was changed. unprocessable
// at `body.user_schedule`, also when the integration does not offer that text.
Result<void> follow_user_schedule(Db& db, const By& by, TenantId tenant, ScheduleTexts& texts);

// Thread: loop.
class ScheduleBook final : public ScheduleStore {
public:
    ScheduleBook(Store& store, const Clock& clock) : store_{store}, clock_{clock} {}
    void look(std::int64_t most, Callback<void(Result<Look>)> done) override;
    void rewind(Callback<void(Result<void>)> done) override;
    void prune(Callback<void(Result<void>)> done) override;

    // For operations of others; used on the store's writer thread only.
    const std::shared_ptr<ScheduleTexts>& texts() const { return texts_; }

private:
    Store& store_;
    const Clock& clock_;
    std::shared_ptr<ScheduleTexts> texts_ = std::make_shared<ScheduleTexts>();
    // Where pruning goes on. Thread: store writer.
    std::shared_ptr<ScheduleId> pruned_to_ = std::make_shared<ScheduleId>();
};

}  // namespace berth
