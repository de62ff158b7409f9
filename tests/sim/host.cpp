#include "tests/sim/host.h"

#include <algorithm>

#include "daemon/run_end.h"
#include "store/leases.h"
#include "store/migrate.h"
#include "store/runs.h"
#include "store/triggers.h"
#include "tests/sim/plants.h"

namespace berth::sim {
namespace {

using namespace std::chrono_literals;
constexpr const char* kPath = "/sim/berth.db";
constexpr auto kStoreRetry = 500ms;

bool heals(const Failure& why) {
    return why.kind == FailureKind::unavailable || why.kind == FailureKind::busy;
}

}  // namespace

// Sees runs through, as daemon/run_flow does, without runner and output.
class Host::Flow final : public Launcher {
public:
    Flow(Host& host, Daemon& daemon) : host_{host}, daemon_{daemon} {}
    void launch(const Run& run) override;
    // One that an earlier daemon handed over.
    void expect(const Run& run);
    void exited(RunId run, int attempt, const Outcome& outcome);
    void cancel(RunId run);

private:
    void hand_over(const Run& run);
    void end(const Run& run, const Outcome& outcome, Time at);
    void later(microseconds delay, std::function<void()> what);

    Host& host_;
    Daemon& daemon_;
    std::map<RunId, Run> live_;
    std::set<RunId> ending_;  // what is said of these later does not count
};

struct Host::Daemon {
    Daemon(Host& host, std::unique_ptr<SqliteDb> db)
        : store{host.world_, host.vfs_, std::move(db),
                SimStore::Hooks{[&host] { return host.next_fault(); },
                                [&host](Db& now) { host.truth_.look(now); },
                                [&host] { host.dead_ = true; }}},
          alarms{host.world_},
          flow{host, *this},
          queue{store, host.clock_, 0, host.begin_further()},
          engine{alarms, queue, flow, host.rules_.max_runs},
          book{store, host.clock_},
          schedules{alarms, host.clock_, book, [this] { engine.kick(); }},
          leases{alarms, host.clock_, store, [this] { engine.kick(); }} {}

    std::uint64_t number = 0;
    bool recovered = false;
    SimStore store;
    SimAlarms alarms;
    Flow flow;
    RunQueue queue;
    Engine engine;
    ScheduleBook book;
    ScheduleEngine schedules;
    LeaseKeeper leases;
};

void Host::Flow::later(microseconds delay, std::function<void()> what) {
    host_.world_.after(delay, [&host = host_, number = daemon_.number, what = std::move(what)] {
        if (host.daemon_ && host.daemon_->number == number && !host.dead_) what();
    });
}

void Host::Flow::launch(const Run& run) {
    live_[run.id] = run;
    if (run.state == RunState::starting) return host_.execute(run);
    later(host_.world_.between(200us, 20ms), [this, run] { hand_over(run); });
}

void Host::Flow::expect(const Run& run) {
    live_[run.id] = run;
    const auto found = host_.processes_.find(run.id);
    if (found == host_.processes_.end() || found->second.run.attempt != run.attempt) {
        host_.world_.sometimes("a run was lost");
        ending_.insert(run.id);
        return end(run, Lost{"berth-runner no longer has it"}, host_.clock_.now());
    }
    host_.world_.sometimes("a live run was adopted");
    if (found->second.ended) host_.end(run.id, run.attempt, Outcome{found->second.outcome});
}

void Host::Flow::hand_over(const Run& run) {
    daemon_.store.write(
        [run, now = host_.clock_.now()](Db& db) {
            return move_run(db, run.id, run.attempt, RunState::starting, "", now);
        },
        [this, run](Result<Run> moved) {
            if (moved) {
                live_[run.id] = *moved;
                return host_.execute(*moved);
            }
            if (heals(moved.error())) {
                host_.world_.sometimes("a run was handed over again");
                return later(kStoreRetry, [this, run] { hand_over(run); });
            }
            live_.erase(run.id);  // somebody has cancelled it
            daemon_.engine.ended(run.id);
        });
    // The process tells that it runs; the store may not hear of it.
}

void Host::Flow::exited(RunId id, int attempt, const Outcome& outcome) {
    if (!daemon_.recovered) return;  // it speaks to the runner only then
    const auto found = live_.find(id);
    if (found == live_.end() || found->second.attempt != attempt) {
        // What the store itself says to a voice from the past.
        host_.world_.sometimes("an end of an older attempt arrived");
        Run stale;
        stale.id = id;
        stale.attempt = attempt;
        daemon_.store.write(
            [stale, outcome, now = host_.clock_.now()](Db& db) -> Result<RunView> {
                auto run = get_run(db, stale.id);
                if (!run) return pass_on(run);
                run->attempt = stale.attempt;
                return write_end(db, *run, outcome, {}, now);
            },
            [](Result<RunView>) {});
        return;
    }
    if (ending_.insert(id).second) end(found->second, outcome, host_.clock_.now());
}

void Host::Flow::end(const Run& run, const Outcome& outcome, Time at) {
    daemon_.store.write(
        [run, outcome, at](Db& db) -> Result<RunView> {
            auto now = get_run(db, run.id);
            if (!now) return pass_on(now);
            if (is_final(now->state) || now->attempt != run.attempt) return view_run(db, run.id);
            return write_end(db, *now, outcome, {}, at);
        },
        [this, run, outcome, at](Result<RunView> view) {
            if (!view) {
                host_.world_.sometimes("an end was written again");
                return later(kStoreRetry, [this, run, outcome, at] { end(run, outcome, at); });
            }
            if (view->run.state == RunState::queued) host_.world_.sometimes("a run was retried");
            live_.erase(run.id);
            ending_.erase(run.id);
            daemon_.engine.ended(run.id);
        });
}

void Host::Flow::cancel(RunId id) {
    if (live_.contains(id)) {
        if (host_.processes_.contains(id)) {
            host_.world_.sometimes("a running run was cancelled");
            host_.end(id, live_[id].attempt, Cancelled{});
        }
        return;
    }
    host_.world_.sometimes("a waiting run was cancelled");
    daemon_.store.write(
        [id, now = host_.clock_.now()](Db& db) -> Result<Run> {
            auto run = get_run(db, id);
            if (!run) return run;
            if (run->state == RunState::starting)
                return fail(FailureKind::conflict, "run '{}' is on its way to its process",
                            id.str());
            return move_run(db, id, run->attempt, RunState::cancelled, "", now);
        },
        [this, id](Result<Run>) {
            if (!live_.contains(id)) daemon_.engine.ended(id);
        });
}

// As daemon/run_start does with most runs: what is small starts in the transaction that
// begins it.
RunQueue::GoOn Host::begin_further() {
    return [this](Db& db, Run& run, Time now) {
        if (world_.one_in(3)) return;
        world_.sometimes("a run began and started in one commit");
        auto moved = move_run(db, run.id, run.attempt, RunState::starting, "", now);
        if (moved) run = *std::move(moved);
    };
}

Host::Host(World& world, test::FaultyVfs& vfs, Truth& truth, const Rules& rules)
    : world_{world}, vfs_{vfs}, truth_{truth}, rules_{rules}, clock_{world} {}
Host::~Host() = default;

std::unique_ptr<SqliteDb> Host::open() {
    auto db = SqliteDb::open(kPath, SqliteDb::Access::read_write);
    if (!db) throw StoreError{StoreError::Kind::corrupt, db.error().message};
    (*db)->write_as({"ours", "clock", &clock_});
    if (planted("synchronous_normal")) (*db)->exec_script("pragma synchronous=normal");
    return *std::move(db);
}

void Host::set_up(const std::function<void(Db&)>& rows) {
    const auto db = open();
    if (auto ok = migrate(*db, kPath, clock_.now()); !ok) world_.wrong(ok.error().message);
    Tx tx{*db, Tx::Mode::write};
    rows(*db);
    tx.commit();
    // No power cut may take the world itself.
    db->checkpoint(SqliteDb::Checkpoint::truncate);
    rival_looks();
}

void Host::start() {
    ++starts_;
    world_.log("start", static_cast<std::int64_t>(starts_));
    daemon_ = std::make_unique<Daemon>(*this, open());
    daemon_->number = starts_;
    truth_.look(daemon_->store.db());
    daemon_->store.on_broken([this](const Failure&) {
        world_.sometimes("the store broke and the daemon left");
        dead_ = true;
    });
    daemon_->store.write(
        [now = clock_.now()](Db& db) { return recover_runs(db, now); },
        [this](Result<Recovered> recovered) {
            if (!recovered) {  // as the daemon does: it leaves and is started again
                dead_ = true;
                return;
            }
            if (recovered->waiting_again > 0) world_.sometimes("a run waits again after a start");
            daemon_->recovered = true;
            daemon_->leases.open();
            kill_what_is_not(recovered->handed_over);
            for (const HandedOver& run : recovered->handed_over) {
                daemon_->engine.adopt(run.run.id);
                daemon_->flow.expect(run.run);
            }
            daemon_->schedules.open();
            world_.after(world_.between(1ms, 2s), [this, number = starts_] {
                if (daemon_ && daemon_->number == number && !dead_) daemon_->engine.open();
            });
        });
}

// As the runner does with what it is not asked to keep: somebody else has it now.
void Host::kill_what_is_not(const std::vector<HandedOver>& ours) {
    std::erase_if(processes_, [&](const auto& entry) {
        const Run& run = entry.second.run;
        const bool kept = std::ranges::any_of(ours, [&](const HandedOver& handed) {
            return handed.run.id == run.id && handed.run.attempt == run.attempt;
        });
        if (!kept) {
            world_.sometimes("a run that another host has was killed");
            truth_.exited(run.id, run.attempt, /*well=*/false);
            world_.after(world_.between(1ms, 40s), [this, run] {
                if (daemon_ && !dead_) daemon_->flow.exited(run.id, run.attempt, Exited{0});
            });
        }
        return !kept;
    });
}

// Another host at the same store. While this one renews its leases there is nothing for
// it to take; when this one is away for long, it ends what this one had.
void Host::rival_looks() {
    world_.after(world_.between(3s, 20s), [this] { rival_looks(); });
    const LeaseHolder rival{"theirs", "clock", &clock_};
    if (daemon_) {
        if (dead_ || !daemon_->recovered) return;
        Db& db = daemon_->store.db();
        if (db.in_transaction()) return;
        const LeaseHolder ours = db.holder();
        const Tx not_committed{db, Tx::Mode::write};
        db.write_as(rival);
        const auto lapsed = take_lapsed_leases(db);
        db.write_as(ours);
        // It is renewed every 5 s, unless the disk is full; a slow commit takes 3 s.
        if (!lapsed.empty() && world_.steady() - full_seen_ > 15s)
            world_.wrong("a lease has lapsed though its host was there");
        return;
    }
    if (power_lost_ || !vfs_.with_disk([](test::Disk& disk) { return disk.has_power(); })) return;
    const auto db = open();
    db->write_as(rival);
    Tx tx{*db, Tx::Mode::write};
    if (recover_lapsed_runs(*db, clock_.now()) > 0)
        world_.sometimes("another host took over what had lapsed");
    tx.commit();
    truth_.look(*db);
}

CommitFault Host::next_fault() {
    if (world_.steady() < weather.full_until) {
        world_.sometimes("the disk was full");
        full_seen_ = world_.steady();
        return CommitFault::full;
    }
    if (weather.dies != 0 && world_.one_in(weather.dies)) {
        const bool before = world_.one_in(2);
        world_.sometimes(before ? "killed before a commit" : "killed after a commit");
        return before ? CommitFault::dies_before : CommitFault::dies_after;
    }
    if (weather.power != 0 && world_.one_in(weather.power)) {
        world_.sometimes("the power went");
        power_lost_ = true;
        return CommitFault::power_goes;
    }
    if (weather.io_error != 0 && world_.one_in(weather.io_error)) {
        world_.sometimes("a sync failed");
        return CommitFault::io_error;
    }
    return CommitFault::none;
}

void Host::bury_the_dead() {
    // The power may go at any moment after its commit began.
    if (power_lost_ && daemon_ &&
        !vfs_.with_disk([](test::Disk& disk) { return disk.has_power(); }))
        dead_ = true;
    if (!dead_ || !daemon_) return;
    world_.log("died");
    // The runner lives on and keeps its runs, unless it goes too. Of those that die
    // with it, some have said something that arrives late.
    if (power_lost_ || world_.one_in(2)) {
        for (const auto& [id, process] : processes_)
            if (world_.one_in(2))
                world_.after(world_.between(1ms, 40s), [this, run = process.run] {
                    if (daemon_ && !dead_) daemon_->flow.exited(run.id, run.attempt, Exited{0});
                });
        processes_.clear();
        truth_.all_killed();
    }
    daemon_.reset();
    dead_ = false;
    if (power_lost_)
        vfs_.with_disk([&](test::Disk& disk) {
            std::mt19937_64 random{world_.below(UINT64_MAX)};
            disk.restore_power(random);
        });
    power_lost_ = false;
    const auto down = world_.one_in(5) ? world_.between(1s, 20min) : world_.between(10ms, 3s);
    world_.after(down, [this] { start(); });
}

void Host::execute(const Run& run) {
    truth_.executed(run);
    static constexpr int kCodes[] = {0, 0, 0, 0, 1};
    const bool noisy = run.tenant_id == TenantId{1};
    const auto takes =
        noisy || world_.one_in(4) ? world_.between(10s, 60s) : world_.between(1ms, 3s);
    processes_[run.id] = {run, Exited{kCodes[world_.below(5)]}, false};
    if (!world_.one_in(10))
        daemon_->store.write(
            [run, now = clock_.now()](Db& db) {
                return move_run(db, run.id, run.attempt, RunState::running, "", now);
            },
            [](Result<Run>) {});
    world_.after(takes, [this, id = run.id, attempt = run.attempt] {
        const auto found = processes_.find(id);
        if (found == processes_.end() || found->second.run.attempt != attempt) return;
        truth_.exited(id, attempt, found->second.outcome == Outcome{Exited{0}});
        if (daemon_ && daemon_->recovered && !dead_)
            end(id, attempt, Outcome{found->second.outcome});
        else
            found->second.ended = true;  // kept until somebody asks
    });
}

void Host::end(RunId id, int attempt, const Outcome& outcome) {
    processes_.erase(id);
    truth_.exited(id, attempt, /*well=*/false);
    daemon_->flow.exited(id, attempt, outcome);
}

void Host::sync(TenantId tenant, RunMode mode, std::string key) {
    const auto again = [this, tenant, mode, key] {
        world_.after(world_.between(1s, 20s),
                     [this, tenant, mode, key] { sync(tenant, mode, key); });
    };
    if (!daemon_ || dead_) return again();
    Trigger trigger;
    trigger.id = TriggerId::make();
    trigger.tenant_id = tenant;
    trigger.mode = mode;
    trigger.idempotency_key = key;
    trigger.created = clock_.now();
    auto answered = std::make_shared<bool>(false);
    daemon_->store.write([trigger](Db& db) { return accept_trigger(db, trigger); },
                         [this, tenant, key, answered, again](Result<Trigger> accepted) {
                             *answered = true;
                             if (accepted) return truth_.told(tenant, key, accepted->id);
                             if (heals(accepted.error())) return again();
                             world_.sometimes("a trigger was refused");
                         });
    daemon_->engine.kick();  // right behind it, as the API does
    // A client that hears nothing asks again, with the same key.
    world_.after(10s, [this, answered, again] {
        if (*answered) return;
        world_.sometimes("a client heard nothing and asked again");
        again();
    });
}

void Host::change(std::function<void(Db&, Time)> what) {
    if (!daemon_ || dead_) return;
    daemon_->store.write([what = std::move(what), now = clock_.now()](Db& db) { what(db, now); },
                         [this](Result<void> changed) {
                             if (!changed) return;
                             daemon_->engine.kick();
                             daemon_->schedules.kick();
                         });
}

void Host::cancel_one() {
    if (!daemon_ || dead_) return;
    const auto live = live_runs(daemon_->store.db());
    if (!live.empty()) daemon_->flow.cancel(live[world_.below(live.size())].id);
}

void Host::look_at_the_end() {
    if (daemon_)
        truth_.look_at_the_end(daemon_->store.db());
    else
        world_.wrong("the daemon is not up at the end");
}

}  // namespace berth::sim
