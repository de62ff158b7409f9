// Copies the store's write-ahead log back into the database, off the path of the commits:
// the commit that crossed a line would pay for it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/loop/worker.h"
#include "model/limits.h"
#include "store/db_sqlite.h"

namespace berth {

class Checkpoints {
public:
    // `db`: a connection of its own.
    explicit Checkpoints(std::unique_ptr<SqliteDb> db) : db_{std::move(db)} {}

    // Copies when the log has grown. Thread: the one that commits on `writer`.
    void after_commit(SqliteDb& writer);
    // Beside the commits, soon. Thread: any.
    void copy_back();
    // Empties the log, too, after the next commit that can; what was deleted is in it.
    void empty_after_commit() { empty_ = true; }    // Thread: any
    std::uint64_t count() const { return count_; }  // Thread: any

private:
    std::unique_ptr<SqliteDb> db_;  // Thread: worker_
    int copied_at_ = 0;             // pages; as the next, of the thread that commits
    int truncate_at_ = limits::kWalMaxPages;
    std::atomic<bool> empty_ = false;
    std::atomic<std::uint64_t> count_{0};
    Worker worker_{"store-check"};  // last, so that it is joined first
};

}  // namespace berth
