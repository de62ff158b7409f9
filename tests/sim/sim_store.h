// The product's Store over real SQLite on a disk that can fail, driven by events
// of the world in place of threads: operations wait, share a commit, and are
// answered after it, or never, when the daemon dies in between.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "store/db_sqlite.h"
#include "store/store.h"
#include "tests/faults/vfs.h"
#include "tests/sim/world.h"

namespace berth::sim {

// What shall go wrong with a commit.
enum class CommitFault {
    none,
    dies_before,  // the daemon is killed with the transaction open
    dies_after,   // or after the commit, before anybody is answered
    power_goes,   // somewhere in the commit
    full,         // the disk has no room
    io_error      // the disk failed: nothing is certain any more
};

class SimStore final : public Store {
public:
    struct Hooks {
        std::function<CommitFault()> fault;  // asked once per commit
        std::function<void(Db&)> committed;  // looks at what is true now
        std::function<void()> died;          // the daemon is dead, from now on nothing is answered
    };
    SimStore(World& world, test::FaultyVfs& vfs, std::unique_ptr<SqliteDb> db, Hooks hooks);
    ~SimStore() override;

    void on_broken(std::function<void(const Failure&)> tell) override { tell_ = std::move(tell); }
    Counts counts() const override { return {}; }
    void checkpoint() override { db_->checkpoint(SqliteDb::Checkpoint::passive); }
    Db& db() { return *db_; }

protected:
    void submit_write(std::unique_ptr<Pending> pending) override;
    void submit_read(std::unique_ptr<Pending> pending) override;

private:
    using Batch = std::vector<std::unique_ptr<Pending>>;
    void write_waiting();
    void commit(Batch& batch, CommitFault fault);
    void answer_later(Batch batch);
    void die();

    World& world_;
    test::FaultyVfs& vfs_;
    std::unique_ptr<SqliteDb> db_;
    Hooks hooks_;
    std::function<void(const Failure&)> tell_;
    std::deque<std::unique_ptr<Pending>> waiting_;
    bool writing_ = false;
    bool broken_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace berth::sim
