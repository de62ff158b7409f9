// Schedules, their ledger, and the policy of integrations.
#include <algorithm>
#include <utility>

#include "daemon/api_impl.h"
#include "daemon/schedule_warning.h"
#include "model/jitter.h"
#include "store/integrations.h"
#include "store/schedules.h"
#include "store/tenants.h"

namespace berth {
namespace {

template <typename T>
void take(const std::optional<T>& given, T& member) {
    if (given) member = *given;
}

void apply(const ScheduleInput& input, ScheduleSettings& settings) {
    take(input.text, settings.text);
    take(input.zone, settings.zone);
    take(input.gap, settings.rule.gap);
    take(input.overlap, settings.rule.overlap);
    take(input.jitter, settings.jitter);
    take(input.missed, settings.missed);
    take(input.window, settings.window);
    take(input.when_busy, settings.when_busy);
}

// An empty text is none, and good.
Result<void> check(const ScheduleSettings& settings, ScheduleTexts& texts) {
    if (settings.text.empty()) return {};
    auto good = texts.find(settings);
    if (good) return {};
    return fail_at(good.error().kind, "body." + good.error().where, "{}", good.error().message);
}

std::string on_the_wall(const Zone& zone, UtcSeconds at) {
    const ZoneSpan span = zone.span_at(at);
    const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(span.offset).count();
    std::string wall = to_rfc3339(Time{UtcSeconds{span.to_local(at).time_since_epoch()}});
    wall[10] = ' ';
    return fmt::format("{} {}{:02}:{:02}", wall.substr(0, 19), minutes < 0 ? '-' : '+',
                       std::abs(minutes) / 60, std::abs(minutes) % 60);
}

// Archived, paused: nothing is coming then, but what would is worth seeing.
Result<std::vector<ComingInstant>> preview(const TenantSchedule& schedule, std::int64_t count,
                                           Seconds seconds, Time now) {
    std::vector<ComingInstant> coming;
    if (schedule.settings.text.empty()) return coming;
    Zones zones;
    auto read = check_schedule(schedule.settings, zones, seconds);
    if (!read) return pass_on(read);
    const auto delay = jitter(schedule.tenant_id, 0, schedule.settings.jitter);
    const auto firings = read->firings(std::chrono::floor<std::chrono::seconds>(now - delay),
                                       UtcSeconds::max(), static_cast<std::size_t>(count));
    for (const Firing& firing : firings)
        coming.push_back({Time{firing.at}, Time{firing.at} + delay,
                          on_the_wall(*read->zone(), firing.at), firing.kind});
    return coming;
}

}  // namespace

void ApiImpl::get_schedule(TenantId id, Done<TenantSchedule> done) {
    parts_.store.read(
        [id](Db& db) {
            auto schedule = berth::get_schedule(db, id);
            if (schedule) schedule->warning = schedule_warning(db, *schedule);
            return schedule;
        },
        std::move(done));
}

void ApiImpl::set_schedule(Caller who, TenantId id, ScheduleInput input,
                           Done<TenantSchedule> done) {
    parts_.store.write(
        [by = by(who), id, input = std::move(input),
         texts = parts_.book.texts()](Db& db) -> Result<TenantSchedule> {
            auto tenant = berth::get_tenant(db, id);
            if (!tenant) return pass_on(tenant);
            auto schedule = berth::get_schedule(db, id);
            if (!schedule) return schedule;
            if (input.follow_integration)
                return put_schedule(db, by, id,
                                    berth::get_policy(db, tenant->integration_id).schedule,
                                    /*own=*/false);
            apply(input, schedule->settings);
            auto good = check(schedule->settings, *texts);
            if (!good) return pass_on(good);
            return put_schedule(db, by, id, schedule->settings, /*own=*/true);
        },
        [this, done = std::move(done)](Result<TenantSchedule> set) mutable {
            if (set) parts_.schedules.kick();
            done(std::move(set));
        });
}

void ApiImpl::list_schedules(ScheduleQuery query, Done<std::vector<TenantSchedule>> done) {
    parts_.store.read(
        [query](Db& db) {
            return berth::list_schedules(db, query.integration_id, query.after, query.limit);
        },
        std::move(done));
}

void ApiImpl::schedule_history(TenantId id, std::optional<Time> before, std::int64_t limit,
                               Done<std::vector<SlotView>> done) {
    parts_.store.read(
        [id, before, limit](Db& db) -> Result<std::vector<SlotView>> {
            auto schedule = berth::get_schedule(db, id);
            if (!schedule) return pass_on(schedule);
            return slot_history(db, schedule->id, before, limit);
        },
        std::move(done));
}

void ApiImpl::schedule_preview(TenantId id, std::int64_t count,
                               Done<std::vector<ComingInstant>> done) {
    parts_.store.read(
        [id, count, seconds = parts_.book.texts()->rules().seconds,
         now = parts_.clock.now()](Db& db) -> Result<std::vector<ComingInstant>> {
            auto schedule = berth::get_schedule(db, id);
            if (!schedule) return pass_on(schedule);
            return preview(*schedule, count, seconds, now);
        },
        std::move(done));
}

void ApiImpl::get_policy(IntegrationId id, Done<IntegrationPolicy> done) {
    parts_.store.read(
        [id](Db& db) -> Result<IntegrationPolicy> {
            auto integration = berth::get_integration(db, id);
            if (!integration) return pass_on(integration);
            return berth::get_policy(db, id);
        },
        std::move(done));
}

void ApiImpl::set_policy(Caller who, IntegrationId id, PolicyInput input,
                         Done<IntegrationPolicy> done) {
    parts_.store.write(
        [by = by(who), id, input = std::move(input),
         texts = parts_.book.texts()](Db& db) -> Result<IntegrationPolicy> {
            IntegrationPolicy policy = berth::get_policy(db, id);
            apply(input.schedule, policy.schedule);
            take(input.allowed, policy.allowed);
            take(input.shortest, policy.shortest);
            take(input.most_running, policy.most_running);
            take(input.most_waiting, policy.most_waiting);
            take(input.starts_per_minute, policy.starts_per_minute);
            take(input.tenant_starts_per_minute, policy.tenant_starts_per_minute);
            take(input.retries, policy.retries);
            take(input.retry_first, policy.retry_first);
            take(input.retry_longest, policy.retry_longest);
            auto good = check(policy.schedule, *texts);
            if (!good) return pass_on(good);
            for (const std::string& text : policy.allowed) {
                ScheduleSettings offered = policy.schedule;
                offered.text = text;
                if (auto offer = texts->find(offered); !offer)
                    return fail_at(FailureKind::unprocessable, "body.allowed_schedules", "{}",
                                   offer.error().message);
            }
            auto put = put_policy(db, by, id, policy);
            if (!put) return pass_on(put);
            return policy;
        },
        [this, done = std::move(done)](Result<IntegrationPolicy> set) mutable {
            if (set) parts_.schedules.kick();
            if (set) parts_.engine.kick();
            done(std::move(set));
        });
}

}  // namespace berth
