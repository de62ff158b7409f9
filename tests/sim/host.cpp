#include "tests/sim/host.h"

#include <algorithm>

#include "store/leases.h"
#include "store/migrate.h"
#include "store/runs.h"
#include "store/triggers.h"
#include "tests/sim/host_daemon.h"
#include "tests/sim/plants.h"

namespace berth::sim {
namespace {

using namespace std::chrono_literals;
constexpr const char* kPath = "/sim/berth.db";

}  // namespace

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
