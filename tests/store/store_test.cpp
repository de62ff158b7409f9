#include "store/store.h"

#include <future>
#include <tuple>

#include "model/limits.h"
#include "store/runs.h"
#include "store/shares.h"
#include "store/triggers.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;

namespace {

struct World {
    TempDir dir{"berth-store"};
    Loop loop;
    std::unique_ptr<Store> store = must(make_store(dir.path(), loop));
    TenantId acme = must(write_now(*store, loop, [](Db& db) { return add_world(db).id; }));

    // Keeps the writer busy until the promise is kept, so that what is written
    // meanwhile waits together.
    std::promise<void> hold_writer() {
        std::promise<void> release;
        auto held = std::make_shared<std::future<void>>(release.get_future());
        std::promise<void> begun;
        auto busy = begun.get_future();
        store->write(
            [held, begun = std::make_shared<std::promise<void>>(std::move(begun))](Db&) {
                begun->set_value();
                held->wait();
            },
            [](Result<void>) {});
        loop.later([this] { loop.stop(); });  // it is written when the turn ends
        loop.run();
        busy.wait();
        return release;
    }
    std::int64_t triggers() {
        return must(read_now(*store, loop, [](Db& db) { return count(db, "triggers"); }));
    }
};

}  // namespace

TEST_CASE("operations that wait together share one commit", "[store]") {
    World w;
    const auto before = w.store->counts();
    auto writer = w.hold_writer();
    int answered = 0;
    for (int i = 0; i < 100; ++i) {
        w.store->write(
            [trigger = trigger_for(w.acme)](Db& db) { return accept_trigger(db, trigger); },
            [&](Result<Trigger> accepted) {
                CHECK(accepted);
                if (++answered == 100) w.loop.stop();
            });
    }
    CHECK(answered == 0);
    writer.set_value();
    w.loop.run();
    CHECK(w.store->counts().operations - before.operations == 101);
    CHECK(w.store->counts().commits - before.commits == 2);
    CHECK(w.triggers() == 100);
}

TEST_CASE("what one turn of the loop asks for shares one commit", "[store]") {
    World w;
    const auto before = w.store->counts();
    int answered = 0;
    for (int i = 0; i < 5; ++i)
        w.store->write(
            [trigger = trigger_for(w.acme)](Db& db) { return accept_trigger(db, trigger); },
            [&](Result<Trigger> accepted) {
                CHECK(accepted);
                if (++answered == 5) w.loop.stop();
            });
    w.loop.run();
    CHECK(w.store->counts().operations - before.operations == 5);
    CHECK(w.store->counts().commits - before.commits == 1);
}

TEST_CASE("a note shares the next commit, and gets its own when none comes", "[store]") {
    World w;
    const auto before = w.store->counts().commits;
    int answered = 0;
    const auto note = [&] {
        w.store->note(
            [trigger = trigger_for(w.acme)](Db& db) { return accept_trigger(db, trigger); },
            [&](Result<Trigger> accepted) {
                CHECK(accepted);
                ++answered;
                w.loop.stop();
            });
    };
    note();
    CHECK(write_now(*w.store, w.loop, [trigger = trigger_for(w.acme)](Db& db) {
        return accept_trigger(db, trigger);
    }));
    CHECK(answered == 1);
    CHECK(w.store->counts().commits == before + 1);
    note();
    w.loop.run();
    CHECK(answered == 2);
    CHECK(w.store->counts().commits == before + 2);
    CHECK(w.triggers() == 3);
    note();  // the store goes away before it has a commit
    w.store.reset();
    w.store = must(make_store(w.dir.path(), w.loop));
    CHECK(w.triggers() == 4);
}

TEST_CASE("an operation that is alone and is refused or throws leaves nothing", "[store]") {
    World w;
    const bool throws = GENERATE(false, true);
    const auto refused = write_now(
        *w.store, w.loop, [throws, trigger = trigger_for(w.acme)](Db& db) -> Result<Trigger> {
            must(accept_trigger(db, trigger));
            if (throws) throw std::runtime_error{"a mistake"};
            return fail(FailureKind::conflict, "not now");
        });
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == (throws ? FailureKind::unavailable : FailureKind::conflict));
    CHECK(w.triggers() == 0);
    CHECK(write_now(*w.store, w.loop, [trigger = trigger_for(w.acme)](Db& db) {
        return accept_trigger(db, trigger);
    }));
    CHECK(w.triggers() == 1);
}

TEST_CASE("an operation that is refused or throws harms none of its neighbours", "[store]") {
    World w;
    auto writer = w.hold_writer();
    std::vector<std::string> answers(6);
    int answered = 0;
    for (int i = 0; i < 6; ++i) {
        w.store->write(
            [i, trigger = trigger_for(w.acme)](Db& db) -> Result<Trigger> {
                auto accepted = accept_trigger(db, trigger);
                if (i == 1) return fail(FailureKind::conflict, "changed my mind");
                if (i == 3) throw std::runtime_error{"a bug"};
                if (i == 4) db.exec("insert into nowhere values (1)");
                return accepted;
            },
            [&, i](Result<Trigger> accepted) {
                answers[static_cast<std::size_t>(i)] = accepted ? "ok" : accepted.error().message;
                if (++answered == 6) w.loop.stop();
            });
    }
    writer.set_value();
    w.loop.run();
    const std::string bug = "the store could not do this; see the log of berthd";
    CHECK(answers == std::vector<std::string>{"ok", "changed my mind", "ok", bug, bug, "ok"});
    CHECK(w.triggers() == 3);
    CHECK(must(read_now(*w.store, w.loop,
                        [id = w.acme](Db& db) { return waiting_triggers(db, id); })) == 3);
}

TEST_CASE("an answer comes after the commit, in order, and never at once", "[store]") {
    World w;
    const auto other = connect_again(w.dir.path());
    std::vector<int> order;
    for (int i = 0; i < 50; ++i) {
        const Trigger trigger = trigger_for(w.acme);
        w.store->write([trigger](Db& db) { return accept_trigger(db, trigger); },
                       [&, i, id = trigger.id](Result<Trigger>) {
                           CHECK(get_trigger(*other, id));  // another connection sees it
                           order.push_back(i);
                           if (order.size() == 50) w.loop.stop();
                       });
        CHECK(order.empty());
    }
    w.loop.run();
    CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("two runs begun at once for a tenant are one run and a conflict", "[store]") {
    World w;
    auto writer = w.hold_writer();
    int won = 0;
    int refused = 0;
    for (int i = 0; i < 2; ++i)
        w.store->write(
            [id = w.acme](Db& db) {
                return begin_run(db, id, ReleaseId{1}, RunMode::normal, {}, kNow);
            },
            [&](Result<Run> run) {
                (run ? won : refused) += 1;
                if (!run) CHECK(run.error().kind == FailureKind::conflict);
                if (won + refused == 2) w.loop.stop();
            });
    writer.set_value();
    w.loop.run();
    CHECK(won == 1);
    CHECK(refused == 1);
}

TEST_CASE("a full queue answers busy and takes more when it is empty again", "[store]") {
    World w;
    auto writer = w.hold_writer();
    std::size_t done = 0;
    std::size_t busy = 0;
    constexpr std::size_t kOver = 3;
    for (std::size_t i = 0; i < limits::kStoreQueue + kOver; ++i)
        w.store->write([](Db&) {},
                       [&](Result<void> result) {
                           if (!result) {
                               CHECK(result.error().kind == FailureKind::busy);
                               ++busy;
                           }
                           if (++done == limits::kStoreQueue + kOver) w.loop.stop();
                       });
    CHECK(busy == 0);
    writer.set_value();
    w.loop.run();
    CHECK(busy == kOver);
    CHECK(write_now(*w.store, w.loop, [](Db&) { return 1; }));
}

TEST_CASE("a store that goes away finishes what it accepted and answers it", "[store]") {
    World w;
    auto writer = w.hold_writer();
    int answered = 0;
    for (int i = 0; i < 100; ++i)
        w.store->write(
            [trigger = trigger_for(w.acme)](Db& db) { return accept_trigger(db, trigger); },
            [&](Result<Trigger> accepted) {
                CHECK(accepted);
                ++answered;
            });
    writer.set_value();
    w.store.reset();
    CHECK(answered == 0);
    w.loop.later([&] { w.loop.stop(); });
    w.loop.run();
    CHECK(answered == 100);
    w.store = must(make_store(w.dir.path(), w.loop));
    CHECK(w.triggers() == 100);
}

TEST_CASE("a reader cannot write", "[store]") {
    World w;
    const auto written =
        read_now(*w.store, w.loop, [](Db& db) { return add_integration(db, "x"); });
    CHECK_FAILS(written, FailureKind::unavailable, "could not be read");
    CHECK(must(read_now(*w.store, w.loop, [](Db& db) { return count(db, "integrations"); })) == 1);
}

TEST_CASE("a refusal in a read arrives as it was", "[store]") {
    World w;
    CHECK_FAILS(read_now(*w.store, w.loop, [](Db& db) { return get_tenant(db, TenantId{99}); }),
                FailureKind::not_found, "there is no tenant '99'");
}

TEST_CASE("the write-ahead log is copied back beside the commits", "[store]") {
    World w;
    const std::string body(256 * 1024, 'x');
    for (int i = 0; i < 40; ++i) {
        Trigger trigger = trigger_for(w.acme);
        trigger.body = body;
        must(
            write_now(*w.store, w.loop, [trigger](Db& db) { return accept_trigger(db, trigger); }));
    }
    w.store.reset();  // joins the checkpointer
    CHECK(std::filesystem::file_size(w.dir.path() / "berth.db") > 10'000'000);
    CHECK_FALSE(std::filesystem::exists(w.dir.path() / "berth.db-wal"));
}

TEST_CASE("two tenants that race at their caps 10^4 times are never over them", "[store]") {
    constexpr int kTries = 10'000, kAtOnce = 100;
    constexpr WaitingCaps kCaps{.tenant = 15, .host = 20};
    World w;
    auto random = seeded_random();
    const auto ids = must(write_now(*w.store, w.loop, [&w](Db& db) {
        const Tenant acme = must(get_tenant(db, w.acme));
        return std::tuple{acme.integration_id, add_tenant(db, acme.integration_id, "zeta").id};
    }));
    const auto [integration, zeta] = ids;
    // What waits is taken by a run, and the run is out of the way again.
    const auto take = [](Db& db, TenantId tenant) {
        std::vector<TriggerId> waiting;
        for (const Trigger& trigger : list_waiting_triggers(db, tenant, 3))
            waiting.push_back(trigger.id);
        if (waiting.empty()) return;
        const Run run = must(begin_run(db, tenant, ReleaseId{1}, RunMode::normal, waiting, kNow));
        must(move_run(db, run.id, run.attempt, RunState::cancelled, "", kNow));
    };
    int answered = 0, accepted = 0, refused = 0, over = 0, early = 0;
    while (answered < kTries) {
        for (int i = 0; i < kAtOnce; ++i) {
            const TenantId tenant = random() % 2 == 0 ? w.acme : zeta;
            const bool takes = random() % 6 == 0;
            w.store->write(
                [&, tenant, takes, zeta = zeta, integration = integration,
                 trigger = trigger_for(tenant)](Db& db) -> Result<Trigger> {
                    if (takes) take(db, tenant);
                    const Load before = waiting_load(db, tenant, integration);
                    auto made = accept_trigger(db, trigger, kCaps);
                    const bool full = before.tenant >= kCaps.tenant || before.host >= kCaps.host;
                    over += made && full ? 1 : 0;
                    early += !made && !full ? 1 : 0;
                    return made;
                },
                [&](Result<Trigger> made) {
                    ++(made ? accepted : refused);
                    if (++answered % kAtOnce == 0) w.loop.stop();
                });
        }
        w.loop.run();
    }
    CHECK(over == 0);
    CHECK(early == 0);
    CHECK(accepted > kTries / 10);
    CHECK(refused > kTries / 10);
    CHECK(accepted + refused == kTries);
}
