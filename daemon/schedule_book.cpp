#include "daemon/schedule_book.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "model/jitter.h"
#include "scheduler/settle.h"
#include "store/tenants.h"
#include "store/triggers.h"

namespace berth {
namespace {

using namespace std::chrono_literals;
constexpr std::size_t kTextsKept = 10'000;
constexpr auto kTryAgain = 10min;      // a schedule in trouble
constexpr std::int64_t kPruned = 100;  // schedules in one transaction
constexpr std::int64_t kWatched = 500;

std::string key_of(const ScheduleSettings& settings) {
    return fmt::format("{}\n{}\n{}\n{}", settings.zone, to_string(settings.rule.gap),
                       to_string(settings.rule.overlap), settings.text);
}

SlotReason reason_of(const Failure& refused) {
    const bool limit = refused.kind == FailureKind::over_limit || refused.kind == FailureKind::busy;
    return limit ? SlotReason::limit : SlotReason::refused;
}

// One schedule on its way through settle().
class Looking {
public:
    Looking(Db& db, const DueSchedule& due, Time now)
        : db_{db}, due_{due}, now_{now}, after_{due.schedule} {}

    std::int64_t fired() const { return fired_; }

    Result<void> look(ScheduleTexts& texts) {
        after_.trouble.clear();
        if (due_.archived) {
            after_.nominal.reset();
            after_.settled = std::max(after_.settled, now_);
            after_.fire = now_ + kLookAgain;
            return advance_schedule(db_, due_.schedule, after_);
        }
        auto schedule = texts.find(due_.schedule.settings);
        if (!schedule) return trouble(schedule.error().message);
        caps_ = texts.rules().waiting;
        settle_with(**schedule);
        return advance_schedule(db_, due_.schedule, after_);
    }

    // Nothing is lost: its instants are settled when it can be read again.
    Result<void> trouble(const std::string& why) {
        log_warning("cannot tell when a schedule fires, trying again later",
                    {{"tenant", due_.schedule.tenant_id.str()}, {"reason", why}});
        after_ = due_.schedule;
        after_.trouble = why;
        after_.fire = now_ + kTryAgain;
        return advance_schedule(db_, due_.schedule, after_);
    }

private:
    void settle_with(const Schedule& schedule) {
        const TenantSchedule& before = due_.schedule;
        Due due{before.settled, before.forgotten, before.fired, before.paused_since, {},
                due_.paused,    due_.busy};
        due.settled = rewound(due, now_);
        due.jitter = jitter(before.tenant_id, 0, before.settings.jitter);
        const Settled settled = settle(schedule, before.settings, due, now_);
        for (const Slot& slot : settled.made_up)
            write(slot);
        for (const Slot& slot : settled.slots)
            write(slot);
        after_.settled = settled.settled;
        after_.nominal = settled.nominal;
        after_.fire = settled.look_at;
        after_.paused_since = settled.paused_since;
    }

    void write(const Slot& slot) {
        if (slot.outcome == SlotOutcome::skipped) {
            write_slot(db_, due_.schedule, slot, {}, now_);
            return;
        }
        Trigger trigger;
        trigger.id = TriggerId::make();
        trigger.tenant_id = due_.schedule.tenant_id;
        trigger.source = TriggerSource::cron;
        trigger.created = now_;
        // Were the ledger ever cut too deep, the trigger's own key still holds.
        trigger.idempotency_key =
            fmt::format("slot {} {}", due_.schedule.id.value, to_micros(slot.nominal));
        if (!write_slot(db_, due_.schedule, slot, trigger.id, now_)) return;  // it has fired
        auto kept = due_.runnable ? accept_trigger(db_, trigger, caps_)
                                  : fail(FailureKind::conflict, "there is no release");
        if (!kept || kept->id != trigger.id) {
            const auto reason = kept ? SlotReason::repeated : reason_of(kept.error());
            slot_skipped(db_, due_.schedule.id, slot.nominal, reason);
            return;
        }
        ++fired_;
        after_.fired = std::max(after_.fired.value_or(slot.nominal), slot.nominal);
    }

    Db& db_;
    const DueSchedule& due_;
    const Time now_;
    TenantSchedule after_;
    WaitingCaps caps_;
    std::int64_t fired_ = 0;
};

// A schedule without a next instant, or in trouble, is looked at within a day.
bool armed_in_time(const TenantSchedule& schedule, ScheduleTexts& texts, Time now) {
    Time latest = now + kLookAgain;
    const auto read = texts.find(schedule.settings);
    const auto from = std::chrono::floor<std::chrono::seconds>(schedule.settled);
    const auto next = read && schedule.nominal ? (*read)->next(from) : std::nullopt;
    if (next && schedule.trouble.empty())
        latest = Time{next->at} + jitter(schedule.tenant_id, 0, schedule.settings.jitter);
    return schedule.fire && *schedule.fire <= latest;
}

// In a savepoint of its own: what is wrong with one schedule is its own affair.
std::int64_t look_at_one(Db& db, ScheduleTexts& texts, const DueSchedule& due, Time now) {
    Looking looking{db, due, now};
    db.savepoint();
    try {
        auto looked = looking.look(texts);
        if (looked) {
            db.release_savepoint();
            return looking.fired();
        }
        db.rollback_to_savepoint();  // it was changed meanwhile: the next look finds it
    } catch (const StoreError& error) {
        if (error.kind() != StoreError::Kind::other || !db.in_transaction()) throw;
        db.rollback_to_savepoint();
        auto noted = looking.trouble(error.what());
        if (!noted) log_error("cannot put off a schedule", {{"reason", noted.error().message}});
    }
    return 0;
}

}  // namespace

Result<std::shared_ptr<const Schedule>> ScheduleTexts::find(const ScheduleSettings& settings) {
    std::string key = key_of(settings);
    if (const auto found = read_.find(key); found != read_.end()) return found->second;
    auto schedule = check_schedule(settings, zones_, rules_.seconds);
    if (!schedule) return pass_on(schedule);
    if (read_.size() >= kTextsKept) {
        read_.clear();
        zones_.forget();
    }
    auto kept = std::make_shared<const Schedule>(std::move(*schedule));
    read_.emplace(std::move(key), kept);
    return kept;
}

bool ScheduleTexts::refresh() {
    if (!zones_.forget_if_updated()) return false;
    read_.clear();
    return true;
}

ScheduleStore::Look look_at_schedules(Db& db, ScheduleTexts& texts, Time now, std::int64_t most) {
    ScheduleStore::Look look;
    if (texts.refresh()) {
        log_info("the zone data was updated, looking at all schedules");
        look_at_schedules(db, now);
    }
    for (const DueSchedule& due : due_schedules(db, now, most)) {
        ++look.seen;
        look.fired += look_at_one(db, texts, due, now);
    }
    look.next = next_look(db);
    return look;
}

Watched watch_schedules(Db& db, ScheduleTexts& texts, Time now, ScheduleId after,
                        std::int64_t most) {
    Watched watched;
    for (const TenantSchedule& schedule : list_schedules(db, {}, after, most)) {
        watched.last = schedule.id;
        if (!schedule.enabled || armed_in_time(schedule, texts, now)) continue;
        log_error("a schedule was armed too late and is looked at now",
                  {{"tenant", schedule.tenant_id.str()}, {"schedule", schedule.settings.text}});
        look_at_schedules(db, schedule.tenant_id, now);
        ++watched.rearmed;
    }
    return watched;
}

Result<void> follow_user_schedule(Db& db, const By& by, TenantId id, ScheduleTexts& texts) {
    auto tenant = get_tenant(db, id);
    if (!tenant) return pass_on(tenant);
    const IntegrationPolicy policy = get_policy(db, tenant->integration_id);
    auto before = get_schedule(db, id);
    if (!before) return pass_on(before);
    const bool own = !trim(tenant->user_schedule).empty();
    if (!own && policy.schedule.text.empty() && !before->id) return {};

    ScheduleSettings settings = own && before->own ? before->settings : policy.schedule;
    if (own) {
        settings.text = tenant->user_schedule;
        if (!policy.allowed.empty() &&
            std::ranges::find(policy.allowed, settings.text) == policy.allowed.end())
            return fail_at(FailureKind::unprocessable, "body.user_schedule",
                           "this integration offers these schedules only: '{}'",
                           fmt::join(policy.allowed, "', '"));
        auto good = texts.find(settings);
        if (!good)
            return fail_at(FailureKind::unprocessable, "body.user_schedule", "{}",
                           good.error().message);
        const auto interval = (*good)->shortest_interval();
        if (interval && *interval < policy.shortest)
            return fail_at(FailureKind::unprocessable, "body.user_schedule",
                           "'{}' fires after {} s at the shortest; this integration offers "
                           "nothing more often than each {} s",
                           settings.text, interval->count(), policy.shortest.count());
    }
    auto put = put_schedule(db, by, id, settings, own);
    if (!put) return pass_on(put);
    return {};
}

void ScheduleBook::look(std::int64_t most, Callback<void(Result<Look>)> done) {
    store_.write([most, texts = texts_,
                  now = clock_.now()](Db& db) { return look_at_schedules(db, *texts, now, most); },
                 std::move(done));
}

void ScheduleBook::rewind(Callback<void(Result<void>)> done) {
    store_.write([now = clock_.now()](Db& db) { look_at_schedules_ahead(db, now); },
                 std::move(done));
}

void ScheduleBook::prune(Callback<void(Result<void>)> done) {
    store_.write(
        [rounds = rounds_, texts = texts_, now = clock_.now(), kept = history_](Db& db) {
            rounds->pruned_to =
                prune_slots(db, now - kept, rounds->pruned_to, kPruned).value_or(ScheduleId{});
            rounds->watched_to = watch_schedules(db, *texts, now, rounds->watched_to, kWatched)
                                     .last.value_or(ScheduleId{});
        },
        std::move(done));
}

}  // namespace berth
