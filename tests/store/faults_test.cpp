// kill -9, a full disk, a failing disk: what was acknowledged is there, what was
// not is refused, and the store heals or says that it needs a restart.
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iostream>

#include "base/pipe.h"
#include "store/audit.h"
#include "store/runs.h"
#include "store/triggers.h"
#include "tests/store/small_disk.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;

namespace {

constexpr std::size_t kIdBytes = 32;

// Accepts triggers without end, 16 at a time, begins and ends runs between, and
// writes each acknowledged id to the pipe.
[[noreturn]] void acknowledge_for_ever(const std::filesystem::path& dir, TenantId tenant, int ack) {
    Loop loop;
    auto store = make_store(dir, loop);
    if (!store) ::_exit(3);
    std::function<void()> accept = [&] {
        (*store)->write(
            [trigger = trigger_for(tenant)](Db& db) { return accept_trigger(db, trigger); },
            [&](Result<Trigger> accepted) {
                if (!accepted) ::_exit(4);
                write_all(ack, accepted->id.value);
                accept();
            });
    };
    std::function<void()> run = [&] {
        (*store)->write(
            [tenant](Db& db) -> Result<Run> {
                if (const auto live = live_run_of(db, tenant))
                    return move_run(db, live->id, live->attempt, RunState::cancelled, "", kNow);
                std::vector<TriggerId> ids;
                for (const Trigger& trigger : list_waiting_triggers(db, tenant, 5))
                    ids.push_back(trigger.id);
                return begin_run(db, tenant, ReleaseId{1}, RunMode::normal, ids, kNow);
            },
            [&](Result<Run> moved) {
                if (!moved) ::_exit(5);
                run();
            });
    };
    for (int i = 0; i < 16; ++i)
        accept();
    run();
    loop.run();
    ::_exit(6);
}

// Reads acknowledged ids: at least `enough`, and after the kill what else is in the pipe.
std::string read_acknowledged(int fd, std::size_t enough, pid_t child) {
    std::string ids;
    char chunk[4096];
    bool killed = false;
    for (;;) {
        if (!killed && ids.size() >= enough * kIdBytes) {
            ::kill(child, SIGKILL);
            killed = true;
        }
        const ssize_t n = ::read(fd, chunk, sizeof chunk);
        if (n <= 0) return ids;
        ids.append(chunk, static_cast<std::size_t>(n));
    }
}

void check_invariants(Db& db) {
    CHECK(db.must("pragma integrity_check").text(0) == "ok");
    CHECK(db.query("pragma foreign_key_check").empty());
    CHECK(verify_audit(db));
    // The sums beside the triggers are what counting gives.
    const auto counted =
        db.must("select count(*), coalesce(min(seq), 0) from triggers where run_id is null");
    const auto kept = db.one("select triggers, oldest_seq from waiting");
    CHECK((kept ? kept->integer(0) : 0) == counted.integer(0));
    CHECK((kept ? kept->integer(1) : 0) == counted.integer(1));
    // Each run has an event for the state it is in.
    CHECK(db.query("select id from runs where state <> (select state from run_events"
                   " where run_id = runs.id order by run_events.id desc limit 1)")
              .empty());
}

}  // namespace

TEST_CASE("nothing acknowledged is lost when the daemon is killed", "[store]") {
    auto random = seeded_random();
    const TempDir dir{"berth-store"};
    TenantId tenant;
    {
        Loop loop;
        const auto store = must(make_store(dir.path(), loop));
        tenant = must(write_now(*store, loop, [](Db& db) { return add_world(db).id; }));
    }
    std::size_t acknowledged = 0;
    for (int cycle = 0; cycle < 50; ++cycle) {
        Pipe pipe = make_pipe();
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) acknowledge_for_ever(dir.path(), tenant, pipe.write.get());
        pipe.write.reset();
        const std::size_t enough = std::uniform_int_distribution<std::size_t>{1, 200}(random);
        const std::string ids = read_acknowledged(pipe.read.get(), enough, child);
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        REQUIRE(WIFSIGNALED(status));
        REQUIRE(ids.size() >= enough * kIdBytes);

        const auto db = connect_again(dir.path());
        for (std::size_t at = 0; at + kIdBytes <= ids.size(); at += kIdBytes) {
            ++acknowledged;
            REQUIRE(get_trigger(*db, TriggerId{ids.substr(at, kIdBytes)}));
        }
        check_invariants(*db);
    }
    std::cout << acknowledged << " acknowledged triggers in 50 kills, none lost" << std::endl;
}

TEST_CASE("a full disk is said to be one, and the store heals when there is room", "[store]") {
    const TempDir dir{"berth-store"};
    const SmallDisk disk{dir.path(), "size=2m"};
    REQUIRE(disk.usable());
    if (!disk.mounted()) return;
    Loop loop;
    const SystemClock clock;
    {
        const auto store = must(Store::open(dir.path(), loop, clock));
        const TenantId acme =
            must(write_now(*store, loop, [](Db& db) { return add_world(db).id; }));
        std::vector<TriggerId> accepted;
        const auto accept = [&](std::size_t bytes) {
            Trigger trigger = trigger_for(acme);
            trigger.body.assign(bytes, 'x');
            auto result =
                write_now(*store, loop, [trigger](Db& db) { return accept_trigger(db, trigger); });
            if (result) accepted.push_back(trigger.id);
            return result;
        };
        must(accept(10));
        disk.fill();
        for (int i = 0; i < 5; ++i)
            CHECK_FAILS(accept(100'000), FailureKind::unavailable, "the store's disk is full");
        CHECK(must(read_now(*store, loop, [](Db& db) { return count(db, "triggers"); })) ==
              static_cast<std::int64_t>(accepted.size()));

        disk.make_room();
        // The disk is asked again a little later.
        const auto end = clock.steady() + std::chrono::seconds{180};
        while (!accept(100'000) && clock.steady() < end) {
        }
        CHECK(must(read_now(*store, loop, [](Db& db) { return count(db, "triggers"); })) ==
              static_cast<std::int64_t>(accepted.size()));
    }
    check_invariants(*connect_again(dir.path()));
}

TEST_CASE("a lock that another program keeps is waited for with a limit", "[store]") {
    const TempDir dir{"berth-store"};
    Loop loop;
    const auto store = must(make_store(dir.path(), loop));
    const auto other = connect_again(dir.path());
    other->begin_write();
    CHECK_FAILS(write_now(*store, loop, [](Db& db) { return add_world(db).id; }), FailureKind::busy,
                "another program holds the store's lock");
    other->rollback();
    CHECK(write_now(*store, loop, [](Db& db) { return add_world(db).id; }));
}

TEST_CASE("after a failing write nothing is accepted until the store is opened again", "[store]") {
    const TempDir dir{"berth-store"};
    Loop loop;
    auto store = must(make_store(dir.path(), loop));
    const TenantId acme = must(write_now(*store, loop, [](Db& db) { return add_world(db).id; }));
    std::string told;
    store->on_broken([&](const Failure& why) { told = why.message; });
    const auto accept = [&](std::size_t bytes) {
        Trigger trigger = trigger_for(acme);
        trigger.body.assign(bytes, 'x');
        return write_now(*store, loop, [trigger](Db& db) { return accept_trigger(db, trigger); });
    };
    must(accept(10));

    // Past this size write(2) fails with EFBIG: to SQLite an I/O error like any other.
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    const rlimit tight{600'000, before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
    const auto refused = accept(900'000);
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK_FAILS(refused, FailureKind::unavailable, "the store has failed");
    CHECK(told == "the store has failed; see the log of berthd");
    CHECK_FAILS(accept(10), FailureKind::unavailable, "the store has failed");

    store.reset();
    store = must(make_store(dir.path(), loop));
    must(accept(10));
    CHECK(must(read_now(*store, loop, [](Db& db) { return count(db, "triggers"); })) == 2);
}
