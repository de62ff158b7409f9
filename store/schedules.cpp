#include "store/schedules.h"

#include "model/json.h"
#include "store/shares.h"
#include "store/sql.h"

namespace berth {
namespace {

constexpr std::string_view kColumns =
    "schedules.id, schedules.tenant_id, own, text, zone, gap, overlap, jitter_seconds, missed,"
    " window_seconds, when_busy, enabled, settled, forgotten, nominal, fire, fired, paused_since,"
    " trouble";

std::string select(std::string_view rest) {
    return fmt::format("select {} from schedules {}", kColumns, rest);
}

ScheduleSettings read_settings(Columns& c) {
    ScheduleSettings settings;
    settings.text = c.text();
    settings.zone = c.text();
    settings.rule.gap = c.word(parse_gap_rule);
    settings.rule.overlap = c.word(parse_overlap_rule);
    settings.jitter = std::chrono::seconds{c.integer()};
    settings.missed = c.word(parse_missed_policy);
    settings.window = std::chrono::seconds{c.integer()};
    settings.when_busy = c.word(parse_when_busy);
    return settings;
}

TenantSchedule read_schedule(Columns& c) {
    TenantSchedule schedule;
    schedule.id = c.id<ScheduleId>();
    schedule.tenant_id = c.id<TenantId>();
    schedule.own = c.flag();
    schedule.settings = read_settings(c);
    schedule.enabled = c.flag();
    schedule.settled = c.time();
    schedule.forgotten = c.time();
    schedule.nominal = c.maybe_time();
    schedule.fire = c.maybe_time();
    schedule.fired = c.maybe_time();
    schedule.paused_since = c.maybe_time();
    schedule.trouble = c.text();
    return schedule;
}

TenantSchedule read_row(const Row& row) {
    Columns c{row};
    return read_schedule(c);
}

}  // namespace

IntegrationPolicy get_policy(Db& db, IntegrationId id) {
    IntegrationPolicy policy;
    const auto row = db.one(
        "select text, zone, gap, overlap, jitter_seconds, missed, window_seconds, when_busy,"
        " allowed, most_running, most_waiting, starts_per_minute, tenant_starts_per_minute,"
        " retries, retry_first_seconds, retry_longest_seconds,"
        " shortest_seconds from integration_policies where integration_id = $1",
        {id});
    if (!row) return policy;
    Columns c{*row};
    policy.schedule = read_settings(c);
    policy.allowed = read_list(c.text());
    policy.most_running = c.integer();
    policy.most_waiting = c.integer();
    policy.starts_per_minute = c.integer();
    policy.tenant_starts_per_minute = c.integer();
    policy.retries = c.integer();
    policy.retry_first = std::chrono::seconds{c.integer()};
    policy.retry_longest = std::chrono::seconds{c.integer()};
    policy.shortest = std::chrono::seconds{c.integer()};
    return policy;
}

Result<void> put_policy(Db& db, const By& by, IntegrationId id, const IntegrationPolicy& policy) {
    if (!db.one("select 1 from integrations where id = $1", {id}))
        return fail(FailureKind::not_found, "there is no integration '{}'", id.value);
    const ScheduleSettings& s = policy.schedule;
    const IntegrationPolicy before = get_policy(db, id);
    if (before.most_running != policy.most_running ||
        before.starts_per_minute != policy.starts_per_minute)
        forget_credit(db, id);
    db.exec("delete from integration_policies where integration_id = $1", {id});
    db.exec(
        "insert into integration_policies (integration_id, text, zone, gap, overlap,"
        " jitter_seconds, missed, window_seconds, when_busy, allowed, most_running, most_waiting,"
        " starts_per_minute, tenant_starts_per_minute, retries, retry_first_seconds,"
        " retry_longest_seconds, modified, shortest_seconds) values ($1, $2, $3, $4, $5, $6, $7, "
        "$8, $9, $10, $11,"
        " $12, $13, $14, $15, $16, $17, $18, $19)",
        {id, s.text, s.zone, to_string(s.rule.gap), to_string(s.rule.overlap), s.jitter.count(),
         to_string(s.missed), s.window.count(), to_string(s.when_busy), list_text(policy.allowed),
         policy.most_running, policy.most_waiting, policy.starts_per_minute,
         policy.tenant_starts_per_minute, policy.retries, policy.retry_first.count(),
         policy.retry_longest.count(), by.now, policy.shortest.count()});
    audit(db, by, "integration.policy", "integration " + id.str(), s.text);

    // Tenants without a schedule of their own follow; their next instant is worked
    // out when they are looked at, which is now.
    db.exec(
        "insert into schedules (tenant_id, own, text, zone, gap, overlap, jitter_seconds, missed,"
        " window_seconds, when_busy, enabled, settled, forgotten, trouble, created, modified)"
        " select id, 0, '', 'UTC', 'at_end', 'first', 0, 'one', 0, 'queue', 0, $2, 0, '', $2, $2"
        " from tenants where integration_id = $1 and user_schedule = '' and not exists"
        "  (select 1 from schedules where schedules.tenant_id = tenants.id)",
        {id, by.now});
    const bool on = !s.text.empty();
    std::optional<Time> look_at;
    if (on) look_at = by.now;
    db.exec(
        "update schedules set text = $2, zone = $3, gap = $4, overlap = $5, jitter_seconds = $6,"
        " missed = $7, window_seconds = $8, when_busy = $9, enabled = $10, fire = $11,"
        " nominal = null, settled = $12, trouble = '', modified = $12"
        " where own = 0 and tenant_id in (select id from tenants where integration_id = $1)",
        {id, s.text, s.zone, to_string(s.rule.gap), to_string(s.rule.overlap), s.jitter.count(),
         to_string(s.missed), s.window.count(), to_string(s.when_busy), on, look_at, by.now});
    db.exec(
        "update tenants set schedule = $2 where integration_id = $1 and user_schedule = ''"
        " and schedule <> $2",
        {id, s.text});
    return {};
}

Result<TenantSchedule> get_schedule(Db& db, TenantId tenant) {
    const auto row = db.one(select("where tenant_id = $1"), {tenant});
    if (row) return read_row(*row);
    if (!db.one("select 1 from tenants where id = $1", {tenant}))
        return fail(FailureKind::not_found, "there is no tenant '{}'", tenant.value);
    TenantSchedule none;
    none.tenant_id = tenant;
    return none;
}

std::vector<TenantSchedule> list_schedules(Db& db, std::optional<IntegrationId> integration,
                                           ScheduleId after, std::int64_t limit) {
    if (!integration)
        return read_rows(db.query(select("where schedules.id > $1 order by schedules.id limit $2"),
                                  {after, limit}),
                         read_row);
    return read_rows(db.query(select("join tenants on tenants.id = schedules.tenant_id"
                                     " where schedules.id > $1 and tenants.integration_id = $3"
                                     " order by schedules.id limit $2"),
                              {after, limit, integration}),
                     read_row);
}

Result<TenantSchedule> put_schedule(Db& db, const By& by, TenantId tenant,
                                    const ScheduleSettings& s, bool own) {
    if (!db.one("select 1 from tenants where id = $1", {tenant}))
        return fail(FailureKind::not_found, "there is no tenant '{}'", tenant.value);
    const bool on = !s.text.empty();
    std::optional<Time> look_at;
    if (on) look_at = by.now;
    db.exec(
        "insert into schedules (tenant_id, own, text, zone, gap, overlap, jitter_seconds, missed,"
        " window_seconds, when_busy, enabled, settled, forgotten, fire, trouble, created, modified)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, $13, '', $12, $12)"
        " on conflict (tenant_id) do update set own = excluded.own, text = excluded.text,"
        " zone = excluded.zone, gap = excluded.gap, overlap = excluded.overlap,"
        " jitter_seconds = excluded.jitter_seconds, missed = excluded.missed,"
        " window_seconds = excluded.window_seconds, when_busy = excluded.when_busy,"
        " enabled = excluded.enabled, settled = excluded.settled, fire = excluded.fire,"
        " nominal = null, paused_since = null, trouble = '', modified = excluded.modified",
        {tenant, own, s.text, s.zone, to_string(s.rule.gap), to_string(s.rule.overlap),
         s.jitter.count(), to_string(s.missed), s.window.count(), to_string(s.when_busy), on,
         by.now, look_at});
    db.exec("update tenants set schedule = $2, user_schedule = $3, modified = $4 where id = $1",
            {tenant, s.text, own ? std::string_view{s.text} : std::string_view{}, by.now});
    audit(db, by, "schedule.set", "tenant " + tenant.str(),
          own ? s.text : "the integration's default");
    return get_schedule(db, tenant);
}

std::vector<DueSchedule> due_schedules(Db& db, Time now, std::int64_t limit) {
    const auto sql = fmt::format(
        "select {}, tenants.archived + integrations.archived,"
        " tenants.paused + integrations.paused,"
        " case when when_busy = 'skip' and (exists (select 1 from runs"
        "   where runs.tenant_id = schedules.tenant_id and runs.completed is null)"
        "  or exists (select 1 from triggers where triggers.tenant_id = schedules.tenant_id"
        "   and triggers.run_id is null and triggers.source = 'cron')) then 1 else 0 end,"
        " case when exists (select 1 from releases"
        "   where releases.integration_id = tenants.integration_id) then 1 else 0 end"
        " from schedules join tenants on tenants.id = schedules.tenant_id"
        " join integrations on integrations.id = tenants.integration_id"
        " where schedules.fire <= $1 order by schedules.fire limit $2",
        kColumns);
    return read_rows(db.query(sql, {now, limit}), [](const Row& row) {
        Columns c{row};
        DueSchedule due;
        due.schedule = read_schedule(c);
        due.archived = c.flag();
        due.paused = c.flag();
        due.busy = c.flag();
        due.runnable = c.flag();
        return due;
    });
}

std::optional<Time> next_look(Db& db) {
    const auto row =
        db.one("select fire from schedules where fire is not null order by fire limit 1");
    if (!row) return {};
    return Columns{*row}.time();
}

Result<void> advance_schedule(Db& db, const TenantSchedule& before, const TenantSchedule& after) {
    const auto moved = db.exec(
        "update schedules set settled = $3, nominal = $4, fire = $5, fired = $6, paused_since = $7,"
        " trouble = $8 where id = $1 and settled = $2 and enabled = 1",
        {before.id, before.settled, after.settled, after.nominal, after.fire, after.fired,
         after.paused_since, after.trouble});
    if (moved == 0)
        return fail(FailureKind::conflict, "schedule '{}' has just changed; look again",
                    before.id.value);
    return {};
}

void look_at_schedules(Db& db, TenantId tenant, Time now) {
    db.exec("update schedules set fire = $2 where tenant_id = $1 and fire > $2", {tenant, now});
    unpark(db, tenant);
}

void look_at_schedules(Db& db, IntegrationId integration, Time now) {
    db.exec(
        "update schedules set fire = $2 where fire > $2"
        " and tenant_id in (select id from tenants where integration_id = $1)",
        {integration, now});
}

void look_at_schedules(Db& db, Time now) {
    db.exec("update schedules set fire = $1 where fire > $1", {now});
}

void look_at_schedules_ahead(Db& db, Time now) {
    // By an index of each, of which mostly nothing is found: berthd asks at every start.
    // `+fire`: not by the one over all that are enabled.
    db.exec(
        "update schedules set fire = $1 where enabled = 1 and settled > $1"
        " and settled > forgotten and +fire > $1",
        {now});
    db.exec("update schedules set fire = $1 where trouble <> '' and fire > $1", {now});
}

}  // namespace berth
