// What a pick costs, in steps of SQLite's machine, so that no clock is asked: as much with
// 10^5 tenants that wait, or 10^5 triggers of one, as with 10^2 (reliability.md T9, L4).
#include <sqlite3.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <iostream>

#include "tests/daemon/run_queue_world.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;

namespace {

std::atomic<std::int64_t> g_steps{0};

// SQLite calls it for each connection that is opened, and `profile` at the end of each
// statement. The types are SQLite's own.
int watch(sqlite3* db, const char**, const sqlite3_api_routines*) {
    const auto profile = [](unsigned, void*, void* statement, void*) {
        g_steps +=
            sqlite3_stmt_status(static_cast<sqlite3_stmt*>(statement), SQLITE_STMTSTATUS_VM_STEP,
                                /*resetFlg=*/1);
        return 0;
    };
    return sqlite3_trace_v2(db, SQLITE_TRACE_PROFILE, profile, nullptr);
}

class Watched {
public:
    Watched() { sqlite3_auto_extension(entry()); }
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;
    ~Watched() { sqlite3_cancel_auto_extension(entry()); }

private:
    static void (*entry())() { return reinterpret_cast<void (*)()>(watch); }
};

// Declared before the world, whose connections it watches.
struct CostWorld : Watched, QueueWorld {
    Tenant first = write([](Db& db) -> Result<Tenant> { return add_world(db); });

    // As many more tenants with one trigger each. By SQL, here and below: by hand it takes
    // minutes.
    void add_waiting_tenants(std::int64_t many) {
        write([many, id = first.integration_id](Db& db) -> Result<bool> {
            insert(db,
                   "insert into tenants (id, name, user_name, integration_id, archived, paused,"
                   " configs, dynamic_configs, user_schedule, schedule, source, release_channel,"
                   " created, modified) select i, 'waiting-' || i, '', $2, 0, 0, '{}', '{}', '',"
                   " '', 'api', 'Latest', $3, $3 from numbers",
                   {many, id, kNow});
            insert(db,
                   "insert into triggers (seq, id, tenant_id, source, mode, payload, body, headers,"
                   " created) select i, lower(hex(randomblob(16))), i, 'api', 'normal', '{}', x'',"
                   " '{}', $2 from numbers",
                   {many, kNow});
            insert(db,
                   "insert into waiting (tenant_id, triggers, oldest_seq, integration_id,"
                   " virtual_time) select i, 1, i, $2, 0 from numbers",
                   {many, id});
            add_load(db, id, many);
            return true;
        });
    }

    // As many triggers of the first tenant.
    void add_waiting_triggers(std::int64_t many) {
        write([many, tenant = first](Db& db) -> Result<bool> {
            insert(db,
                   "insert into triggers (seq, id, tenant_id, source, mode, payload, body, headers,"
                   " created) select i, lower(hex(randomblob(16))), $2, 'api', 'normal', '{}', x'',"
                   " '{}', $3 from numbers",
                   {many, tenant.id, kNow});
            db.exec(
                "insert into waiting (tenant_id, triggers, oldest_seq, integration_id,"
                " virtual_time) values ($1, $2, 1001, $3, 0)",
                {tenant.id, many, tenant.integration_id});
            add_load(db, tenant.integration_id, many);
            return true;
        });
    }

    // Of a pick; after each as many wait as before.
    std::int64_t steps_of_a_pick() {
        constexpr int kPicks = 8;
        std::int64_t sum = 0;
        for (int i = 0; i < kPicks; ++i) {
            g_steps = 0;
            const std::vector<Run> begun = begin(1);
            sum += g_steps;
            REQUIRE(begun.size() == 1);
            finish(begun[0], 1s);
            accept(begun[0].tenant_id);
        }
        return sum / kPicks;
    }

private:
    // $1 numbers, from 1001 on.
    static void insert(Db& db, const std::string& what, Db::Literals values) {
        db.exec(
            "with recursive numbers (i) as (select 1001 union all select i + 1 from numbers"
            " where i < 1000 + $1) " +
                what,
            values);
    }
    static void add_load(Db& db, IntegrationId id, std::int64_t many) {
        for (const std::int64_t load : {id.value, std::int64_t{0}})
            db.exec(
                "insert into loads (integration_id, waiting) values ($1, $2) on conflict"
                " (integration_id) do update set waiting = loads.waiting + excluded.waiting",
                {load, many});
    }
};

// Of something that does grow with what waits: what is counted must show it.
std::int64_t steps_of_a_scan(CostWorld& w) {
    g_steps = 0;
    w.write([](Db& db) { return db.must("select sum(triggers) from waiting").integer(0); });
    return g_steps;
}

}  // namespace

TEST_CASE("a pick among 10^5 tenants costs at most twice one among 10^2", "[daemon]") {
    CostWorld few, many;
    few.add_waiting_tenants(100);
    many.add_waiting_tenants(100'000);
    const std::int64_t of_few = few.steps_of_a_pick(), of_many = many.steps_of_a_pick();
    std::cout << "steps of a pick: " << of_few << " of 10^2, " << of_many << " of 10^5\n";
    REQUIRE(of_few > 100);
    CHECK(of_many <= 2 * of_few);
    // The control.
    CHECK(steps_of_a_scan(many) > 100 * steps_of_a_scan(few));
}

TEST_CASE("a pick of who has 10^5 triggers waiting costs at most twice one of a bundle's worth",
          "[daemon]") {
    constexpr auto kBundle = static_cast<std::int64_t>(limits::kTriggersPerRun);
    CostWorld few, many;
    few.add_waiting_triggers(10 * kBundle);
    many.add_waiting_triggers(static_cast<std::int64_t>(limits::kWaitingTriggersPerTenant));
    const std::int64_t of_few = few.steps_of_a_pick(), of_many = many.steps_of_a_pick();
    std::cout << "steps of a bundle of " << kBundle << ": " << of_few << " of " << 10 * kBundle
              << ", " << of_many << " of 10^5\n";
    REQUIRE(of_few > 100);
    CHECK(of_many <= 2 * of_few);
}
