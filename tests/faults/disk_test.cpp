// The log store under power cuts, and the store above a disk that is slow.
#include <catch2/catch.hpp>
#include <condition_variable>
#include <iostream>
#include <mutex>

#include "base/file.h"
#include "base/log.h"
#include "base/loop/loop.h"
#include "model/limits.h"
#include "store/db_sqlite.h"
#include "store/logs.h"
#include "store/settings.h"
#include "store/store.h"
#include "tests/faults/model.h"
#include "tests/faults/vfs.h"
#include "tests/support/run_loop.h"
#include "tests/support/seed.h"

using namespace berth;
using namespace berth::test;

namespace {

const Time kNow = time_from_micros(1'800'000'000'000'000);

// Appends pieces until the disk is gone; how many were acknowledged.
std::uint64_t print_until_cut(const std::filesystem::path& dir, std::mt19937_64& random) {
    Loop loop;
    LogStore logs{dir, loop};
    std::uint64_t sent = 0, acknowledged = 0;
    bool failed = false;
    while (!failed) {
        std::vector<LogChunk> chunks(1 + below(random, 4));
        for (LogChunk& chunk : chunks)
            chunk = {RunId{1}, ++sent, kNow, OutputStream::err,
                     std::string(below(random, 5'000), 'x')};
        std::optional<bool> stored;
        logs.append(std::move(chunks), [&](Result<void> result) { stored = result.has_value(); });
        run_until(loop, [&] { return stored.has_value(); });
        if (*stored)
            acknowledged = sent;
        else
            failed = true;
    }
    return acknowledged;
}

class FixedClock final : public Clock {
public:
    Time now() const override { return kNow; }
    SteadyTime steady() const override { return SteadyTime{}; }
};

// A disk that takes its time: who syncs waits until it is opened.
class Gate {
public:
    void pass() {
        std::unique_lock lock{mutex_};
        opened_.wait(lock, [this] { return open_; });
    }
    void set(bool open) {
        const std::lock_guard lock{mutex_};
        open_ = open;
        opened_.notify_all();
    }

private:
    std::mutex mutex_;
    std::condition_variable opened_;
    bool open_ = true;
};

}  // namespace

TEST_CASE("after a power cut a log is a prefix that has all that was acknowledged", "[faults]") {
    set_log_sink([](LogLevel, std::string_view, LogFields) {});
    auto random = seeded_random("power cuts of the log store");
    FaultyVfs vfs{random()};
    const TempDir dir{"berth-logs"};
    const auto file = (dir.path() / (to_utc_day(kNow) + ".db")).string();
    std::uint64_t acknowledged = 0, more = 0;
    for (int cut = 0; cut < 2'000; ++cut) {
        vfs.with_disk([&](Disk& disk) {
            disk.load({});
            disk.cut_power_after(1 + below(random, 120));
        });
        const std::uint64_t promised = print_until_cut(dir.path(), random);
        vfs.with_disk([&](Disk& disk) { disk.restore_power(random); });
        INFO("cut " << cut << ", " << promised << " pieces acknowledged");
        const auto db = SqliteDb::open(file, SqliteDb::Access::read_write);
        REQUIRE(db);
        CHECK(damage(**db).empty());
        std::uint64_t found = 0;
        if ((*db)->one("select 1 from sqlite_schema where name = 'chunks'"))
            for (const Row& row :
                 (*db)->query("select seq from chunks where run_id = 1 order by seq"))
                REQUIRE(static_cast<std::uint64_t>(row.integer(0)) == ++found);
        REQUIRE(found >= promised);
        acknowledged += promised;
        more += found - promised;
    }
    std::cout << "2000 power cuts: " << acknowledged << " pieces acknowledged, all there; " << more
              << " more were there\n";
    CHECK(acknowledged > 2'000);
}

TEST_CASE("a slow disk fills a queue that has an end, and loses nothing", "[faults]") {
    set_log_sink([](LogLevel, std::string_view, LogFields) {});
    Gate gate;
    FaultyVfs vfs{1};
    vfs.on_sync([&gate] { gate.pass(); });
    const TempDir dir{"berth-slow"};
    Loop loop;
    const FixedClock clock;
    auto store = Store::open(dir.path(), loop, clock);
    REQUIRE(store);

    gate.set(false);
    constexpr std::size_t kMore = 500;
    // One batch may have been taken from the queue already.
    constexpr std::size_t kAsked = limits::kStoreQueue + limits::kStoreBatch + kMore;
    std::size_t done = 0, refused = 0;
    std::string why;
    for (std::size_t i = 0; i < kAsked; ++i)
        (*store)->write(
            [name = std::to_string(i)](Db& db) {
                set_setting(db, {"uid 0", kNow}, name, "1");
            },
            [&](Result<void> result) {
                if (result) {
                    ++done;
                } else {
                    ++refused;
                    CHECK(result.error().kind == FailureKind::busy);
                    why = result.error().message;
                }
            });
    // Who is too many is told so while the disk still stands.
    run_until(loop, [&] { return refused >= kMore; });
    CHECK(done == 0);
    CHECK(why == "too many changes wait for the store; try again in a moment");

    gate.set(true);
    run_until(
        loop, [&] { return done + refused == kAsked; }, std::chrono::seconds{60});
    std::optional<std::int64_t> stored;
    (*store)->read([](Db& db) { return db.must("select count(*) from settings").integer(0); },
                   [&](Result<std::int64_t> rows) { stored = rows.value_or(-1); });
    run_until(loop, [&] { return stored.has_value(); });
    CHECK(*stored == static_cast<std::int64_t>(done));
    std::cout << done << " done, " << refused << " refused at once\n";
}
