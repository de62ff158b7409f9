#include "store/triggers.h"

#include <array>

#include "model/limits.h"
#include "store/shares.h"
#include "store/sql.h"

namespace berth {
namespace {

constexpr std::string_view kSelect =
    "select id, tenant_id, source, mode, payload, body, headers, idempotency_key, run_id, created"
    " from triggers";

Trigger read_trigger(const Row& row) {
    Columns c{row};
    Trigger trigger;
    trigger.id = {c.text()};
    trigger.tenant_id = c.id<TenantId>();
    trigger.source = c.word(parse_trigger_source);
    trigger.mode = c.word(parse_run_mode);
    trigger.payload = c.text();
    trigger.body = c.text();
    trigger.headers = c.text();
    trigger.idempotency_key = c.maybe([](Columns& columns) { return columns.text(); }).value_or("");
    trigger.run_id = c.maybe_id<RunId>();
    trigger.created = c.time();
    return trigger;
}

Result<void> check_trigger(const Trigger& trigger) {
    if (!TriggerId::parse(trigger.id.value))
        return fail_at(FailureKind::invalid, "trigger_id", "'{}' is no id of a trigger",
                       printable(trigger.id.value));
    constexpr auto kKeyBytes = limits::kLongNameBytes;
    if (trigger.idempotency_key.size() > kKeyBytes)
        return fail_at(FailureKind::unprocessable, "Idempotency-Key",
                       "the idempotency key has {} bytes; at most {} are allowed",
                       trigger.idempotency_key.size(), kKeyBytes);
    const auto payload = std::max(trigger.payload.size(), trigger.body.size());
    const auto most = trigger.source == TriggerSource::webhook ? limits::kWebhookBodyBytes
                                                               : limits::kTriggerPayloadBytes;
    if (payload > most)
        return fail_at(FailureKind::over_limit, "body",
                       "the payload has {} bytes; at most {} are allowed", payload, most);
    return {};
}

// The one that was accepted with this key before.
std::optional<Trigger> by_key(Db& db, const Trigger& trigger) {
    if (trigger.idempotency_key.empty()) return {};
    const auto first = db.one(
        fmt::format("{} where tenant_id = $1 and source = $2 and idempotency_key = $3", kSelect),
        {trigger.tenant_id, to_string(trigger.source), trigger.idempotency_key});
    if (!first) return {};
    return read_trigger(*first);
}

// Its place in the order; nothing when its id or its key is there already.
std::optional<std::int64_t> insert(Db& db, const Trigger& trigger) {
    std::optional<std::string_view> key;
    if (!trigger.idempotency_key.empty()) key = trigger.idempotency_key;
    const auto row = db.one(
        "insert into triggers (id, tenant_id, source, mode, payload, body, headers,"
        " idempotency_key, created) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        " on conflict do nothing returning seq",
        {trigger.id, trigger.tenant_id, to_string(trigger.source), to_string(trigger.mode),
         trigger.payload, Bytes{trigger.body}, trigger.headers, key, trigger.created});
    if (!row) return {};
    return row->integer(0);
}

// What waits already, against the caps of the tenant, its integration and the host.
Result<void> check_load(const Load& load, TenantId tenant, IntegrationId integration,
                        std::int64_t most_of_integration, const WaitingCaps& caps) {
    if (load.tenant >= caps.tenant)
        return fail(FailureKind::over_limit,
                    "tenant '{}' has {} triggers waiting already; wait until its runs have caught "
                    "up, or raise 'max_tenant_waiting'",
                    tenant.value, caps.tenant);
    if (most_of_integration > 0 && load.integration >= most_of_integration)
        return fail(FailureKind::over_limit,
                    "integration '{}' has {} triggers waiting already, as many as its cap allows; "
                    "wait until its runs have caught up, or raise 'most_waiting'",
                    integration.value, most_of_integration);
    if (load.host >= caps.host)
        return fail(FailureKind::busy,
                    "{} triggers wait on this host already; try again when runs have caught up, "
                    "or raise 'max_waiting'",
                    caps.host);
    return {};
}

}  // namespace

Result<Trigger> accept_trigger(Db& db, const Trigger& trigger, const WaitingCaps& caps) {
    if (auto ok = check_trigger(trigger); !ok) return pass_on(ok);
    const auto tenant = db.one(
        "select tenants.archived, tenants.integration_id, coalesce(most_waiting, 0) from tenants"
        " left join integration_policies"
        " on integration_policies.integration_id = tenants.integration_id where tenants.id = $1",
        {trigger.tenant_id});
    if (!tenant)
        return fail(FailureKind::not_found, "there is no tenant '{}'", trigger.tenant_id.value);

    auto accepted = [&]() -> Result<Trigger> {
        if (tenant->integer(0) != 0)
            return fail(FailureKind::conflict, "tenant '{}' is archived and starts no run",
                        trigger.tenant_id.value);
        const IntegrationId integration{tenant->integer(1)};
        const Load load = waiting_load(db, trigger.tenant_id, integration);
        if (auto ok = check_load(load, trigger.tenant_id, integration, tenant->integer(2), caps);
            !ok)
            return pass_on(ok);
        const auto seq = insert(db, trigger);
        if (!seq)
            return fail(FailureKind::conflict, "there is a trigger '{}' already", trigger.id.value);
        add_waiting(db, trigger.tenant_id, integration, *seq);
        Trigger fresh = trigger;
        fresh.run_id.reset();
        return fresh;
    }();
    // What was accepted before stays accepted, whatever would refuse it now.
    if (!accepted)
        if (auto first = by_key(db, trigger)) return *std::move(first);
    return accepted;
}

Result<Trigger> get_trigger(Db& db, const TriggerId& id) {
    const auto row = db.one(fmt::format("{} where id = $1", kSelect), {id});
    if (!row) return fail(FailureKind::not_found, "there is no trigger '{}'", printable(id.value));
    return read_trigger(*row);
}

std::vector<Trigger> list_waiting_triggers(Db& db, TenantId tenant, std::int64_t limit) {
    return read_rows(
        db.query(fmt::format("{} where tenant_id = $1 and run_id is null order by seq limit $2",
                             kSelect),
                 {tenant, limit}),
        read_trigger);
}

std::vector<WaitingTrigger> bundle_candidates(Db& db, TenantId tenant, std::int64_t of_each) {
    constexpr std::string_view kOldest =
        "select * from (select seq, id, source, mode, length(body), rerun from triggers"
        " where tenant_id = $1 and run_id is null and {} order by seq limit $2) as {}";
    const auto sql = fmt::format(
        "{} union all {} union all {} order by 1", fmt::format(kOldest, "source = 'cron'", "crons"),
        fmt::format(kOldest, "source <> 'cron' and mode = 'init'", "inits"),
        fmt::format(kOldest, "source <> 'cron' and mode <> 'init'", "rest"));
    return read_rows(db.query(sql, {tenant, of_each}), [](const Row& row) {
        Columns c{row};
        c.integer();  // its place in the order
        WaitingTrigger waiting;
        waiting.id = {c.text()};
        waiting.source = c.word(parse_trigger_source);
        waiting.mode = c.word(parse_run_mode);
        waiting.body_bytes = static_cast<std::uint64_t>(c.integer());
        waiting.rerun = c.flag();
        return waiting;
    });
}

std::vector<Trigger> triggers_of_run(Db& db, RunId run) {
    return read_rows(db.query(fmt::format("{} where run_id = $1 order by seq", kSelect), {run}),
                     read_trigger);
}

std::vector<TenantId> tenants_ready(Db& db, std::int64_t limit) {
    std::vector<TenantId> ready;
    for (const Turn& turn : next_turns(db, limit))
        ready.push_back(turn.tenant);
    return ready;
}

std::optional<Time> waiting_since(Db& db, TenantId tenant) {
    const auto row = db.one(
        "select created from triggers where seq ="
        " (select oldest_seq from waiting where waiting.tenant_id = $1)",
        {tenant});
    if (!row) return {};
    return Columns{*row}.time();
}

}  // namespace berth
