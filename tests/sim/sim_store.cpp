#include "tests/sim/sim_store.h"

#include "model/limits.h"

namespace berth::sim {

using namespace std::chrono_literals;

SimStore::SimStore(World& world, test::FaultyVfs& vfs, std::unique_ptr<SqliteDb> db, Hooks hooks)
    : world_{world}, vfs_{vfs}, db_{std::move(db)}, hooks_{std::move(hooks)} {}

SimStore::~SimStore() { *alive_ = false; }

void SimStore::submit_write(std::unique_ptr<Pending> pending) {
    waiting_.push_back(std::move(pending));
    if (std::exchange(writing_, true)) return;
    const auto delay = world_.one_in(200) ? world_.between(100ms, 3s) : world_.between(100us, 3ms);
    world_.after(delay, [this, alive = alive_] {
        if (*alive) write_waiting();
    });
}

void SimStore::submit_read(std::unique_ptr<Pending> pending) {
    auto shared = std::make_shared<std::unique_ptr<Pending>>(std::move(pending));
    world_.after(world_.between(50us, 1ms), [this, shared, alive = alive_] {
        if (!*alive) return;
        Tx tx{*db_, Tx::Mode::read};
        (*shared)->run(*db_);
        tx.commit();
        (*shared)->answer();
    });
}

void SimStore::die() {
    *alive_ = false;
    hooks_.died();
}

void SimStore::write_waiting() {
    Batch batch;
    while (!waiting_.empty() && batch.size() < limits::kStoreBatch) {
        batch.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
    }
    writing_ = false;
    const CommitFault fault = broken_ ? CommitFault::none : hooks_.fault();
    commit(batch, fault);
    if (!*alive_) return;
    answer_later(std::move(batch));
    if (waiting_.empty() || std::exchange(writing_, true)) return;
    world_.after(world_.between(100us, 3ms), [this, alive = alive_] {
        if (*alive) write_waiting();
    });
}

void SimStore::commit(Batch& batch, CommitFault fault) {
    const Failure refused{FailureKind::unavailable, "the store could not commit", {}};
    if (broken_ || fault == CommitFault::full) {
        for (auto& pending : batch)
            pending->refuse(refused);
        return;
    }
    if (fault == CommitFault::power_goes)
        vfs_.with_disk([&](test::Disk& disk) { disk.cut_power_after(1 + world_.below(8)); });
    if (fault == CommitFault::io_error)
        vfs_.with_disk([&](test::Disk& disk) {
            disk.arm({test::Fault::Kind::failed_sync, 1 + world_.below(2), false});
        });
    try {
        Tx tx{*db_, Tx::Mode::write};
        for (auto& pending : batch) {
            db_->savepoint();
            bool kept = false;
            try {
                kept = pending->run(*db_);
            } catch (const StoreError& error) {
                if (error.kind() != StoreError::Kind::other || !db_->in_transaction()) throw;
                world_.wrong(std::string{"an operation threw: "} + error.what());
            }
            if (kept)
                db_->release_savepoint();
            else
                db_->rollback_to_savepoint();
        }
        if (fault == CommitFault::dies_before) return die();
        tx.commit();
        if (fault == CommitFault::dies_after) return die();
        vfs_.with_disk([](test::Disk& disk) { disk.disarm(); });
        hooks_.committed(*db_);
    } catch (const StoreError& error) {
        // The power may go later than in the commit it was cut for.
        if (!vfs_.with_disk([](test::Disk& disk) { return disk.has_power(); })) return die();
        if (fault != CommitFault::power_goes && fault != CommitFault::io_error)
            world_.wrong(std::string{"the store failed by itself: "} + error.what());
        vfs_.with_disk([](test::Disk& disk) { disk.disarm(); });
        broken_ = true;
        for (auto& pending : batch)
            pending->refuse(refused);
        world_.after(1ms, [this, refused, alive = alive_] {
            if (*alive && tell_) tell_(refused);
        });
    }
}

void SimStore::answer_later(Batch batch) {
    auto answered = std::make_shared<Batch>(std::move(batch));
    world_.after(world_.between(10us, 500us), [answered, alive = alive_] {
        if (!*alive) return;
        for (auto& pending : *answered)
            pending->answer();
    });
}

}  // namespace berth::sim
