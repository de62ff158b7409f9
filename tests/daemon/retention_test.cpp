// The sweep, with a real store and a clock and alarms in the test's hands.
#include "daemon/retention.h"

#include "daemon/config.h"
#include "store/runs.h"
#include "store/triggers.h"
#include "tests/store/support.h"
#include "tests/support/run_loop.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;

namespace {

class SetClock final : public Clock {
public:
    Time now() const override { return now_; }
    SteadyTime steady() const override { return SteadyTime{now_.time_since_epoch()}; }
    Time now_ = kNow;
};

// Rings when the test says so.
class HandAlarms final : public Alarms {
public:
    std::unique_ptr<Alarm> make(std::function<void()> on_alarm) override {
        ring = std::move(on_alarm);
        return std::make_unique<Handle>(*this);
    }
    std::function<void()> ring;
    std::vector<std::chrono::milliseconds> set;

private:
    struct Handle final : Alarm {
        explicit Handle(HandAlarms& its_owner) : owner{its_owner} {}
        void start(std::chrono::milliseconds delay) override { owner.set.push_back(delay); }
        HandAlarms& owner;
    };
};

struct House {
    explicit House(RetentionPolicy policy = {})
        : store{must(make_store(dir.path(), loop))},
          logs{dir.path() / "logs", loop},
          retention{{alarms, clock, *store, logs, policy},
                    [this](Result<Swept> result) { sweeps.push_back(std::move(result)); }},
          acme{must(write_now(*store, loop, [](Db& db) { return add_world(db).id; }))} {}

    // `count` runs that ended so long ago, each with output and a body of so many bytes.
    void add_runs(int count, std::chrono::hours ago, std::size_t body_bytes = 0) {
        for (int i = 0; i < count; ++i) {
            const Time when = kNow - ago;
            const Run run = must(write_now(*store, loop, [=, this](Db& db) {
                Trigger trigger = trigger_for(acme);
                trigger.created = when;
                trigger.body.assign(body_bytes, 'b');
                must(accept_trigger(db, trigger));
                Run made =
                    must(begin_run(db, acme, ReleaseId{1}, RunMode::normal, {trigger.id}, when));
                for (const RunState next : {RunState::preparing, RunState::starting,
                                            RunState::running, RunState::succeeded})
                    made = must(move_run(db, made.id, 1, next, "", when));
                db.exec("update runs set log_bytes = 5 where id = $1", {made.id});
                return made;
            }));
            Wait<void> stored{loop};
            logs.append({{run.id, 1, when, OutputStream::err, "hello"}}, stored.callback());
            must(stored.get());
            runs.push_back(run);
        }
    }
    Swept sweep() {
        const auto before = sweeps.size();
        alarms.ring();
        run_until(loop, [&] { return sweeps.size() > before; });
        return must(sweeps.back());
    }
    std::int64_t rows(const std::string& table) {
        return must(read_now(*store, loop, [table](Db& db) { return count(db, table); }));
    }
    std::size_t log_chunks(const Run& run) {
        Wait<std::vector<LogChunk>> read{loop};
        logs.read({run.id, run.created, *run.completed}, read.callback());
        return must(read.get()).size();
    }

    TempDir dir{"berth-retention"};
    Loop loop;
    SetClock clock;
    HandAlarms alarms;
    std::unique_ptr<Store> store;
    LogStore logs;
    std::vector<Result<Swept>> sweeps;
    Retention retention;
    TenantId acme;
    std::vector<Run> runs;
};

}  // namespace

TEST_CASE("a sweep removes old runs, their logs and their room, and comes again", "[daemon]") {
    House house;
    house.add_runs(30, 40 * 24h, 200'000);
    house.add_runs(3, 24h);
    house.retention.open();
    REQUIRE(house.alarms.set.size() == 1);

    const Swept swept = house.sweep();
    CHECK(swept.runs == 30);
    CHECK(swept.log_days == 1);
    CHECK(swept.pages > 1'000);
    CHECK(swept.slices > 5);  // and not one long one
    CHECK(house.rows("runs") == 3);
    CHECK(house.log_chunks(house.runs.front()) == 0);
    CHECK(house.log_chunks(house.runs.back()) == 1);
    CHECK(house.alarms.set.back() == 1h);

    CHECK(house.sweep().runs == 0);
}

TEST_CASE("a tenant past its quota loses its oldest runs with their logs", "[daemon]") {
    RetentionPolicy policy;
    policy.log_bytes_of_tenant = 20;  // 4 runs
    House house{policy};
    house.add_runs(10, 24h);
    house.retention.open();
    CHECK(house.sweep().runs == 6);
    CHECK(house.rows("runs") == 4);
    CHECK(house.log_chunks(house.runs[5]) == 0);
    CHECK(house.log_chunks(house.runs[6]) == 1);
}

TEST_CASE("while a sweep goes on others get their turn between its slices", "[daemon]") {
    House house;
    house.add_runs(40, 40 * 24h, 200'000);
    house.retention.open();
    house.alarms.ring();
    // One after the other, each is answered before the sweep has ended.
    for (int i = 0; i < 5; ++i) {
        must(write_now(*house.store, house.loop, [acme = house.acme](Db& db) {
            return accept_trigger(db, trigger_for(acme));
        }));
        REQUIRE(house.sweeps.empty());
    }
    run_until(house.loop, [&] { return !house.sweeps.empty(); });
    CHECK(must(house.sweeps.back()).runs == 39);  // one is the tenant's last
    CHECK(house.rows("triggers") == 6);
}

TEST_CASE("a sweep that is closed asks for no slice more", "[daemon]") {
    House house;
    house.add_runs(5, 40 * 24h);
    house.retention.open();
    house.alarms.ring();
    house.retention.close();
    CHECK(house.rows("runs") == 5);
    house.alarms.ring();  // an alarm that was on its way
    CHECK(house.rows("runs") == 5);
    CHECK(house.sweeps.empty());
}

TEST_CASE("how long things are kept is in the configuration", "[daemon]") {
    CHECK(must(parse_config("", "c")).retention.runs == 30 * 24h);
    const Config config =
        must(parse_config("retention_days = 7\ntenant_runs = 500\ntenant_log_mib = 64", "c"));
    CHECK(config.retention.runs == 7 * 24h);
    CHECK(config.retention.runs_of_tenant == 500);
    CHECK(config.retention.log_bytes_of_tenant == std::uint64_t{64} << 20);
    CHECK_FAILS(parse_config("retention_days = 0", "c"), FailureKind::invalid,
                "c:1: 'retention_days' must be a number from 1 to 36500");
}
