#include "store/shares.h"

#include <algorithm>
#include <limits>

#include "store/sql.h"

namespace berth {
namespace {

constexpr std::string_view kClock = "virtual_time";
// Behind everybody who may run.
constexpr VirtualTime kParked = std::numeric_limits<VirtualTime>::max();

VirtualTime virtual_now(Db& db) {
    const auto row = db.one("select value from counters where name = $1", {kClock});
    return row ? row->integer(0) : 0;
}

VirtualTime share_of(Db& db, TenantId tenant) {
    const auto row = db.one("select virtual_time from shares where tenant_id = $1", {tenant});
    return row ? row->integer(0) : 0;
}

void set_share(Db& db, TenantId tenant, VirtualTime to) {
    db.exec(
        "insert into shares (tenant_id, virtual_time) values ($1, $2)"
        " on conflict (tenant_id) do update set virtual_time = excluded.virtual_time",
        {tenant, to});
}

// Virtual time has come to the tenant's turn.
void serve(Db& db, TenantId tenant, VirtualTime turn) {
    if (turn == kParked) return;
    if (turn > virtual_now(db))
        db.exec(
            "insert into counters (name, value) values ($1, $2)"
            " on conflict (name) do update set value = excluded.value",
            {kClock, turn});
    set_share(db, tenant, turn);
}

// Where a tenant joins: at the virtual time of the host, but not behind what waits in its
// own integration. That lags behind the host's while a cap holds it back, and whoever
// joined at the host's time would wait until all the others had made up for it.
VirtualTime first_turn(Db& db, TenantId tenant, IntegrationId integration) {
    const auto row = db.must(
        "select coalesce((select value from counters where name = $1), 0),"
        " coalesce((select virtual_time from shares where tenant_id = $2), 0),"
        " (select min(virtual_time) from waiting where integration_id = $3)",
        {kClock, tenant, integration});
    const VirtualTime now = row.integer(0);
    return std::max(row.integer(1), row.is_null(2) ? now : std::min(now, row.integer(2)));
}

// Of the integration and (0) of the host.
void add_load(Db& db, IntegrationId integration) {
    db.exec(
        "insert into loads (integration_id, waiting) values ($1, 1), (0, 1)"
        " on conflict (integration_id) do update set waiting = loads.waiting + 1",
        {integration});
}

void less_load(Db& db, IntegrationId integration, std::int64_t by) {
    db.exec("update loads set waiting = waiting - $2 where integration_id in ($1, 0)",
            {integration, by});
}

Starts read_starts(const std::vector<Row>& newest_first, Time now) {
    Starts starts;
    for (const Row& row : newest_first) {
        const Time created = time_from_micros(row.integer(0));
        if (created > now) continue;
        if (created <= now - std::chrono::minutes{1}) break;
        ++starts.count;
        starts.oldest = created;
    }
    return starts;
}

}  // namespace

void add_waiting(Db& db, TenantId tenant, IntegrationId integration, std::int64_t seq) {
    // Who waits already keeps his turn.
    if (db.exec("update waiting set triggers = triggers + 1 where tenant_id = $1", {tenant}) == 0)
        db.exec(
            "insert into waiting (tenant_id, triggers, oldest_seq, integration_id, virtual_time)"
            " values ($1, 1, $2, $3, $4)",
            {tenant, seq, integration, first_turn(db, tenant, integration)});
    add_load(db, integration);
}

void take_waiting(Db& db, TenantId tenant, std::int64_t taken, std::optional<std::int64_t> oldest) {
    const auto row =
        db.one("select integration_id, virtual_time from waiting where tenant_id = $1", {tenant});
    if (!row) return;
    serve(db, tenant, row->integer(1));
    if (oldest)
        db.exec("update waiting set triggers = triggers - $2, oldest_seq = $3 where tenant_id = $1",
                {tenant, taken, *oldest});
    else
        db.exec("delete from waiting where tenant_id = $1", {tenant});
    less_load(db, IntegrationId{row->integer(0)}, taken);
}

void charge(Db& db, TenantId tenant, std::chrono::microseconds took) {
    // A clock that was put forward meanwhile must not cost the tenant a year.
    const auto most = db.must(
        "select wall_time_seconds from integrations where id ="
        " (select integration_id from tenants where tenants.id = $1)",
        {tenant});
    const std::chrono::microseconds longest = std::chrono::seconds{most.integer(0)};
    const VirtualTime share =
        share_of(db, tenant) + std::max(std::min(took, longest), kLeastCharge).count();
    set_share(db, tenant, share);
    db.exec("update waiting set virtual_time = $2 where tenant_id = $1 and virtual_time < $2",
            {tenant, share});
}

Load waiting_load(Db& db, TenantId tenant, IntegrationId integration) {
    const auto row = db.must(
        "select coalesce((select triggers from waiting where tenant_id = $1), 0),"
        " coalesce((select waiting from loads where integration_id = $2), 0),"
        " coalesce((select waiting from loads where integration_id = 0), 0)",
        {tenant, integration});
    return {row.integer(0), row.integer(1), row.integer(2)};
}

std::vector<IntegrationId> integrations_waiting(Db& db) {
    return read_rows(db.query("select loads.integration_id from loads"
                              " join integrations on integrations.id = loads.integration_id"
                              " where loads.waiting > 0 and integrations.paused = 0"
                              " and integrations.archived = 0 order by loads.integration_id"),
                     [](const Row& row) { return IntegrationId{row.integer(0)}; });
}

std::vector<Turn> turns(Db& db, IntegrationId integration, std::int64_t limit) {
    return read_rows(
        db.query("select tenant_id, virtual_time, oldest_seq from waiting"
                 " where integration_id = $1 and virtual_time < $3"
                 " and not exists (select 1 from runs"
                 "  where runs.tenant_id = waiting.tenant_id and runs.completed is null)"
                 " order by virtual_time, oldest_seq limit $2",
                 {integration, limit, kParked}),
        [&](const Row& row) {
            return Turn{TenantId{row.integer(0)}, integration, row.integer(1), row.integer(2)};
        });
}

std::vector<Turn> next_turns(Db& db, std::int64_t limit) {
    std::vector<Turn> all;
    for (const IntegrationId integration : integrations_waiting(db)) {
        const std::vector<Turn> some = turns(db, integration, limit);
        all.insert(all.end(), some.begin(), some.end());
    }
    std::ranges::sort(all, {}, [](const Turn& turn) {
        return std::pair{turn.virtual_time, turn.oldest_seq};
    });
    if (std::ssize(all) > limit) all.erase(all.begin() + limit, all.end());
    return all;
}

void postpone(Db& db, TenantId tenant, IntegrationId integration) {
    const auto last = db.must(
        "select virtual_time from waiting where integration_id = $1 and virtual_time < $2"
        " order by virtual_time desc limit 1",
        {integration, kParked});
    db.exec("update waiting set virtual_time = $2 where tenant_id = $1",
            {tenant, std::max(last.integer(0) + 1, virtual_now(db))});
}

void park(Db& db, TenantId tenant) {
    db.exec("update waiting set virtual_time = $2 where tenant_id = $1", {tenant, kParked});
}

void unpark(Db& db, TenantId tenant) {
    db.exec("update waiting set virtual_time = $2 where tenant_id = $1 and virtual_time = $3",
            {tenant, std::max(virtual_now(db), share_of(db, tenant)), kParked});
}

void forget_credit(Db& db, IntegrationId integration) {
    db.exec("update waiting set virtual_time = $2 where integration_id = $1 and virtual_time < $2",
            {integration, virtual_now(db)});
}

Starts starts_of(Db& db, TenantId tenant, Time now, std::int64_t most) {
    return read_starts(
        db.query("select created from runs where tenant_id = $1 order by id desc limit $2",
                 {tenant, most}),
        now);
}

Starts starts_of(Db& db, IntegrationId integration, Time now, std::int64_t most) {
    return read_starts(
        db.query("select created from runs where integration_id = $1 order by id desc limit $2",
                 {integration, most}),
        now);
}

Starts starts_of_host(Db& db, Time now, std::int64_t most) {
    return read_starts(db.query("select created from runs order by id desc limit $1", {most}), now);
}

}  // namespace berth
