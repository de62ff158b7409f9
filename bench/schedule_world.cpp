#include "bench/schedule_world.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "bench/apart.h"
#include "model/jitter.h"
#include "store/db_sqlite.h"
#include "store/integrations.h"
#include "store/releases.h"

namespace berth::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kAtOnce = 100'000;  // rows in one transaction
constexpr const char* kNumbers =
    "with recursive numbers (i) as (select $1 union all select i + 1 from numbers where i < $2) ";

IntegrationId make_integration(Db& db, Time now) {
    const By by{.actor = "bench", .now = now};
    Integration wanted;
    wanted.name = "bench";
    const auto integration = must(create_integration(db, by, wanted));
    Release release;
    release.integration_id = integration.id;
    release.content_hash = "bench";
    must(create_release(db, by, release));
    return integration.id;
}

// Rows `from` to `to` of each kind.
class Rows {
public:
    Rows(Db& db, IntegrationId integration, Time now)
        : db_{db}, integration_{integration}, now_{now} {}

    void tenants(std::int64_t from, std::int64_t to) {
        insert(
            "insert into tenants (id, name, user_name, integration_id, archived, paused, configs,"
            " dynamic_configs, user_schedule, schedule, source, release_channel, created, modified)"
            " select i, 'tenant-' || i, '', $3, 0, 0, '{}', '{}', '', '', 'api', 'Latest', $4, $4"
            " from numbers",
            {from, to, integration_, now_});
    }

    // Spread over the minutes of a day; $4 is a day from now.
    void schedules(std::int64_t from, std::int64_t to) {
        insert(
            "insert into schedules (tenant_id, own, text, zone, gap, overlap, jitter_seconds,"
            " missed, window_seconds, when_busy, enabled, settled, forgotten, nominal, fire,"
            " trouble, created, modified) select i, 1, (i % 60) || ' ' || (i / 60 % 24) || ' * * "
            "*',"
            " 'Europe/Berlin', 'at_end', 'first', 0, 'one', 86400, 'queue', 1, $3, 0,"
            " $4 + i % 1440 * 60000000, $4 + i % 1440 * 60000000, '', $3, $3 from numbers",
            {from, to, now_, now_ + 24h});
    }

    void waiting(std::int64_t from, std::int64_t to) {
        insert(
            "insert into triggers (seq, id, tenant_id, source, mode, payload, body, headers,"
            " created) select i, lower(hex(randomblob(16))), i, 'api', 'normal', '{}', x'', '{}',"
            " $3 from numbers",
            {from, to, now_});
        insert(
            "insert into waiting (tenant_id, triggers, oldest_seq, integration_id, virtual_time)"
            " select i, 1, i, $3, 0 from numbers",
            {from, to, integration_});
        for (const std::int64_t of : {integration_.value, std::int64_t{0}})
            db_.exec(
                "insert into loads (integration_id, waiting) values ($1, $2) on conflict"
                " (integration_id) do update set waiting = loads.waiting + excluded.waiting",
                {of, to - from + 1});
    }

private:
    void insert(const std::string& what, Db::Literals values) { db_.exec(kNumbers + what, values); }

    Db& db_;
    IntegrationId integration_;
    Time now_;
};

void in_parts(SqliteDb& db, std::int64_t count,
              const std::function<void(std::int64_t, std::int64_t)>& insert) {
    for (std::int64_t done = 0; done < count; done += kAtOnce) {
        {
            Tx tx{db, Tx::Mode::write};
            insert(done + 1, std::min(done + kAtOnce, count));
            tx.commit();
        }
        db.checkpoint(SqliteDb::Checkpoint::truncate);
    }
}

void fill(const std::filesystem::path& dir, const Population& population) {
    SystemClock clock;
    {
        Loop loop;
        const auto store = must(Store::open(dir, loop, clock));  // makes the tables
    }
    const auto db = must(SqliteDb::open(dir / "berth.db", SqliteDb::Access::read_write));
    IntegrationId integration = population.integration;
    if (!integration && population.tenants > 0) {
        Tx tx{*db, Tx::Mode::write};
        integration = make_integration(*db, clock.now());
        tx.commit();
    }
    Rows rows{*db, integration, clock.now()};
    const auto add = [&](std::int64_t count, void (Rows::*insert)(std::int64_t, std::int64_t)) {
        in_parts(*db, count, [&](std::int64_t from, std::int64_t to) { (rows.*insert)(from, to); });
    };
    add(population.tenants, &Rows::tenants);
    add(population.scheduled, &Rows::schedules);
    add(population.waiting, &Rows::waiting);
}

}  // namespace

void populate(const std::filesystem::path& dir, const Population& population) {
    (void)apart([&]() -> nlohmann::json {
        fill(dir, population);
        return true;
    });
}

void arm(Db& db, const Arming& arming) {
    const auto of_day =
        std::chrono::hh_mm_ss{arming.due - std::chrono::floor<std::chrono::days>(arming.due)};
    const auto text = fmt::format("{} {} * * *", of_day.minutes().count(), of_day.hours().count());
    for (std::int64_t i = arming.first; i < arming.first + arming.count; ++i)
        db.exec(
            "update schedules set text = $2, zone = 'UTC', jitter_seconds = $3, settled = $4,"
            " nominal = $5, fire = $6 where tenant_id = $1",
            {i, text, arming.jitter.count(), arming.due - 1s, arming.due,
             Time{arming.due + jitter(TenantId{i}, 0, arming.jitter)}});
}

std::uint64_t bytes_below(const std::filesystem::path& dir) {
    std::uint64_t sum = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator{dir})
        if (entry.is_regular_file()) sum += entry.file_size();
    return sum;
}

}  // namespace berth::bench
