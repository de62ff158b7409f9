// A run on its way to a runner that the test plays by hand: what happens when something
// else wants it just then, and whose words about it still count.
#include "daemon/run_flow.h"

#include "daemon/lease_keeper.h"
#include "daemon/manifests.h"
#include "daemon/run_queue.h"
#include "store/cancels.h"
#include "store/connectors.h"
#include "store/leases.h"
#include "store/manifests.h"
#include "store/secrets.h"
#include "store/triggers.h"
#include "tests/daemon/played_runner.h"
#include "tests/store/support.h"
#include "tests/support/run_loop.h"

using namespace berth;
using namespace berth::test;

namespace {

class SetClock final : public Clock {
public:
    Time now() const override { return kNow; }
    SteadyTime steady() const override { return steady_; }
    void pass(SteadyTime::duration time) { steady_ += time; }

private:
    SteadyTime steady_{kNow.time_since_epoch()};
};

// Goes off when the test says so.
class HandAlarms final : public Alarms {
public:
    std::unique_ptr<Alarm> make(std::function<void()> on_alarm) override {
        struct Hand final : Alarm {
            void start(std::chrono::milliseconds) override {}
        };
        ring = std::move(on_alarm);
        return std::make_unique<Hand>();
    }
    std::function<void()> ring;
};

struct House {
    House() {
        acme = must(write_now(*store, loop, [](Db& db) -> Result<Tenant> {
            Tenant tenant = add_world(db);
            must(accept_trigger(db, trigger_for(tenant.id)));
            return tenant;
        }));
        runner.connect();
        played.accept();
        run_until(loop, [this] { return runner.ready(); });
    }
    // Asks for a pass, whose runs are launched when its answer comes.
    void begin() {
        queue.begin_runs(1, [this](Result<RunStore::Begun> begun) {
            for (const Run& run : must(std::move(begun)).runs)
                flow.launch(run);
            ++passes;
        });
    }
    void start() {
        begin();
        run_until(loop, [this] { return played.started.size() == 1; });
    }
    Run run() {
        return must(read_now(*store, loop, [](Db& db) { return get_run(db, kRun); }));
    }
    ipc::Output output(std::uint64_t seq, std::string text) const {
        ipc::Output made;
        made.run_id = kRun.value;
        made.seq = seq;
        made.time_us = to_micros(kNow);
        made.bytes = std::move(text);
        return made;
    }
    ipc::Ended ended(ipc::EndKind kind) const {
        ipc::Ended made;
        made.run_id = kRun.value;
        made.kind = kind;
        made.tree_empty = true;
        return made;
    }
    std::string log() {
        Wait<std::vector<LogChunk>> wait{loop};
        LogStore::Range range;
        range.run = kRun;
        range.from = range.to = kNow;
        logs.read(range, wait.callback());
        std::string text;
        for (const LogChunk& chunk : must(wait.get()))
            text += chunk.bytes;
        return text;
    }
    void heard(std::uint64_t bytes) {
        run_until(loop, [&] { return flow.counts().output_bytes >= bytes; });
    }
    void renew() {
        alarms.ring();
        must(write_now(*store, loop, [](Db&) -> Result<void> { return {}; }));  // comes behind it
    }

    static constexpr RunId kRun{1};
    TempDir dir{"run-flow"};
    Loop loop;
    SetClock clock;
    HandAlarms alarms;
    std::unique_ptr<Store> store = must(make_store(dir.path(), loop));
    LogStore logs{dir.path() / "logs", loop};
    LogHub hub{logs};
    PlayedRunner played{loop, dir.path() / "runner.sock"};
    RunnerLink runner{loop,
                      dir.path() / "runner.sock",
                      {[this](const ipc::RunnerHello&) {
                           runner.load_keys({}, [](const Result<ipc::KeysLoaded>&) {});
                       },
                       [this](const std::vector<ipc::RunName>& runs) { flow.live_runs(runs); },
                       [this](const std::string&) { flow.runner_gone(); },
                       [this](const ipc::Started& message) { flow.started(message); },
                       [this](ipc::Output message) { flow.output(std::move(message)); },
                       [this](ipc::Connection message) { flow.connection(std::move(message)); },
                       [this](const ipc::Ended& message) { flow.ended(message); },
                       [](const std::vector<std::uint64_t>&) {}, [](const ipc::JobEnded&) {}}};
    RunFlow flow{{loop, clock, *store, logs, hub, runner, work, {"prod", {}}},
                 [this](RunId) { ++ended_runs; }};
    RunQueue queue{*store, clock, 0, flow.start_at_once()};
    LeaseKeeper leases{alarms, clock, *store, [] {}};
    Tenant acme;
    int passes = 0, ended_runs = 0;
    Worker work{"work"};
};

// As another host's store does when a lease has lapsed; it begins nothing.
void take_away(House& house) {
    must(write_now(*house.store, house.loop, [](Db& db) -> Result<void> {
        REQUIRE(db.exec("update runs set owner = 'another' where id = 1", {}) == 1);
        return {};
    }));
}

const std::string kMac(32, 'm');

// A secret of the tenant, so that its list is at change 1; and a trigger that is too large for a
// run to be prepared in the pass that begins it.
KeyScope give_secret_and_payload(House& house) {
    return must(write_now(*house.store, house.loop, [&](Db& db) -> Result<KeyScope> {
        must(attach_connector(db, kBy, house.acme.integration_id, {"partner", false}));
        const auto place =
            must(reserve_secrets(db, kBy, {house.acme.integration_id, house.acme.id}, "partner"));
        must(add_kek(db, kBy, {1, fake_envelope(0)}));
        must(add_data_key(db, kBy, {7, place.scope, 1, fake_envelope(7)}));
        must(set_secrets(db, kBy, place.connection.id, place.version,
                         std::vector<SealedField>{{"token", fake_envelope(7)}}));
        must(put_manifest(db, {place.scope, 7, 1, kMac}));
        Trigger large = trigger_for(house.acme.id);
        large.payload = R"({"x": ")" + std::string(100'000, 'x') + R"("})";
        must(accept_trigger(db, large));
        return place.scope;
    }));
}

}  // namespace

TEST_CASE("a run whose secrets change while it is prepared starts with what they are now",
          "[daemon]") {
    House house;
    const KeyScope scope = give_secret_and_payload(house);
    // Each change is told to the runner when it is on record, as Manifests does.
    int left = 20;
    std::uint64_t counter = 1;
    std::function<void()> change = [&] {
        if (left-- == 0) return;
        house.store->write(
            [&, next = counter + 1](Db& db) {
                return put_manifest(db, {scope, 7, next, kMac});
            },
            [&](Result<void> done) {
                must(std::move(done));
                house.runner.anchor(scope_for_runner(scope), ++counter);
                change();
            });
    };
    house.begin();
    change();
    run_until(house.loop, [&] {
        return left < 0 && (house.played.started.size() == 1 || house.ended_runs == 1);
    });
    INFO(house.run().reason);
    REQUIRE(house.played.lists.size() == 1);
    CHECK(house.played.anchor_at_start > 0);
    CHECK(house.played.lists[0].counter >= house.played.anchor_at_start);
    CHECK(house.run().state == RunState::starting);
}

TEST_CASE("a cancel that meets a run which is begun and started in that moment ends it",
          "[daemon]") {
    House house;
    house.begin();  // on its way through the store
    Wait<RunView> cancelled{house.loop};
    house.flow.cancel(kBy, House::kRun, cancelled.callback());
    CHECK(must(cancelled.get()).run.state == RunState::starting);
    // It was promised: also to the next berthd, should this one end now.
    CHECK(must(read_now(*house.store, house.loop, [](Db& db) -> Result<std::string> {
              return cancel_requested(db, House::kRun).value();
          })) == kBy.actor);
    // Whether its start was said or not, it is not left to run.
    run_until(house.loop,
              [&] { return house.ended_runs == 1 || house.played.cancelled.size() == 1; });
    if (house.ended_runs == 0) {
        REQUIRE(house.played.started.size() == 1);
        house.played.say(house.ended(ipc::EndKind::cancelled));
        run_until(house.loop, [&] { return house.ended_runs == 1; });
    }
    CHECK(house.run().state == RunState::cancelled);
}

TEST_CASE("a stop while a pass is on its way through the store gives its run back", "[daemon]") {
    House house;
    house.begin();
    house.flow.close();  // as SIGTERM does: nothing has been heard of the pass
    run_until(house.loop, [&] { return house.ended_runs == 1; });
    CHECK(house.passes == 1);
    CHECK(house.played.started.empty());
    CHECK(house.flow.live() == 0);
    const Run run = house.run();
    CHECK(run.state == RunState::queued);
    CHECK(run.attempt == 2);
}

TEST_CASE("a stop after a start was said leaves the run to the runner", "[daemon]") {
    House house;  // the control: what is given back above would be here, if close() asked nobody
    house.start();
    house.flow.close();
    CHECK(house.flow.unsettled() == 0);
    CHECK(house.flow.live() == 1);
    CHECK(house.run().state == RunState::starting);
}

TEST_CASE("output of a run whose lease is not known to be ours waits", "[daemon]") {
    House house;
    house.leases.tell(house.flow);
    house.leases.open();
    house.start();
    house.played.say(house.output(1, "in time "));
    run_until(house.loop, [&] { return house.log() == "in time "; });

    house.clock.pass(kLeaseTime);  // as after a disk, or a host, that stood still
    house.played.say(house.output(2, "late"));
    house.heard(12);
    CHECK(house.log() == "in time ");

    house.renew();
    run_until(house.loop, [&] { return house.log() == "in time late"; });
}

TEST_CASE("nothing is written of a run that another host has taken over, and it is killed here",
          "[daemon]") {
    House house;
    house.leases.tell(house.flow);
    house.leases.open();
    house.start();
    house.played.say(house.output(1, "ours"));
    run_until(house.loop, [&] { return house.log() == "ours"; });

    house.clock.pass(kLeaseTime);
    take_away(house);
    house.played.say(house.output(2, "not ours any more"));
    house.heard(21);
    house.renew();
    run_until(house.loop, [&] { return house.played.cancelled.size() == 1; });
    CHECK(house.flow.live() == 0);
    CHECK(house.ended_runs == 1);  // its place is free
    // What it says of its end is settled, so that the runner forgets it, and is not written.
    house.played.say(house.output(3, "nor this"));
    house.played.say(house.ended(ipc::EndKind::cancelled));
    run_until(house.loop, [&] { return house.played.settled.size() == 1; });
    CHECK(house.log() == "ours");
    CHECK(house.run().state == RunState::starting);  // the other host says how it goes on
}
