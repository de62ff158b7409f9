#include "store/store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <optional>
#include <vector>

#include "base/fd.h"
#include "base/guarded.h"
#include "base/log.h"
#include "base/loop/timer.h"
#include "base/loop/worker.h"
#include "model/limits.h"
#include "store/checkpoints.h"
#include "store/db_sqlite.h"
#include "store/dir_lock.h"
#include "store/leases.h"
#include "store/migrate.h"
#include "store/reserve.h"
#include "store/store_failures.h"

namespace berth {
namespace {

constexpr std::size_t kDamageKept = 20;
constexpr std::chrono::milliseconds kNotesWait{5};

class SqliteStore final : public Store {
public:
    SqliteStore(Fd lock, const std::filesystem::path& dir, Loop& loop, const Clock& clock,
                std::unique_ptr<SqliteDb> write_db, std::unique_ptr<SqliteDb> read_db,
                std::unique_ptr<SqliteDb> checkpoint_db)
        : lock_{std::move(lock)},
          loop_{loop},
          reserve_{dir, clock},
          write_db_{std::move(write_db)},
          read_db_{std::move(read_db)},
          checkpoints_{std::move(checkpoint_db)} {}
    ~SqliteStore() override {
        *alive_ = false;  // no turn comes any more
        wake_writer();
    }

    void on_broken(std::function<void(const Failure&)> tell) override { *tell_ = std::move(tell); }
    void checkpoint() override { checkpoints_.copy_back(); }
    void empty_log() override { checkpoints_.empty_after_commit(); }
    Counts counts() const override { return {operations_, commits_, checkpoints_.count()}; }
    bool full() const override { return reserve_.released(); }
    std::vector<std::string> damage() const override {
        return damage_.with([](const std::vector<std::string>& found) { return found; });
    }
    void notice(const StoreError& trouble) override;

protected:
    using Batch = std::vector<std::unique_ptr<Pending>>;

    void submit_write(std::unique_ptr<Pending> pending) override;
    void submit_read(std::unique_ptr<Pending> pending) override;

private:
    struct Queue {
        std::deque<std::unique_ptr<Pending>> waiting;
        bool being_written = false;  // the writer has been told to look
    };

    void wake_writer() {
        writer_.run([this] { write_waiting(); });
    }
    void write_notes();
    void write_waiting();  // Thread: writer_, as the next four
    void commit_batch(Batch& batch);
    bool run_alone(Pending& pending);
    bool run_in_savepoint(Pending& pending);
    Failure refusal_of(const std::exception& error, std::string_view what);
    void run_read(Pending& pending);  // Thread: reader_
    void answer_on_loop(Batch batch);
    void refuse_now(std::unique_ptr<Pending> pending, std::string_view what);
    void break_store(const Failure& why);

    Fd lock_;  // held until everything below is gone
    Loop& loop_;
    Reserve reserve_;
    mutable Guarded<std::vector<std::string>> damage_;
    std::unique_ptr<SqliteDb> write_db_;  // Thread: writer_
    std::unique_ptr<SqliteDb> read_db_;   // Thread: reader_
    Guarded<Queue> queue_;
    std::atomic<std::size_t> reads_waiting_{0};
    std::optional<Failure> broken_;  // Thread: writer_
    // Shared, since what is posted to the loop may run after the store is gone.
    std::shared_ptr<std::function<void(const Failure&)>> tell_ =
        std::make_shared<std::function<void(const Failure&)>>();
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // Thread: loop
    Timer notes_{loop_, [this] { write_notes(); }};
    std::atomic<std::uint64_t> operations_{0};
    std::atomic<std::uint64_t> commits_{0};
    // Last, so that they finish and are joined first; the writer before the checkpoints,
    // which it asks for.
    Checkpoints checkpoints_;
    Worker reader_{"store-reader"};
    Worker writer_{"store-writer"};
};

// What one turn of the loop asks for shares a commit: a trigger and the run that it
// begins, requests that came together.
void SqliteStore::submit_write(std::unique_ptr<Pending> pending) {
    enum class Place { full, joined, first, put_off };
    const Place place = queue_.with([&](Queue& queue) {
        if (queue.waiting.size() >= limits::kStoreQueue) return Place::full;
        const bool note = pending->purpose == Purpose::note;
        queue.waiting.push_back(std::move(pending));
        if (note && !queue.being_written) return Place::put_off;
        return std::exchange(queue.being_written, true) ? Place::joined : Place::first;
    });
    if (place == Place::full) return refuse_now(std::move(pending), "changes");
    if (place == Place::put_off && !notes_.armed()) notes_.start(kNotesWait);
    if (place == Place::first)
        loop_.later([this, alive = alive_] {
            if (*alive) wake_writer();
        });
}

void SqliteStore::write_notes() {
    const bool waiting = queue_.with([](Queue& queue) {
        return !queue.waiting.empty() && !std::exchange(queue.being_written, true);
    });
    if (waiting) wake_writer();
}

void SqliteStore::submit_read(std::unique_ptr<Pending> pending) {
    if (++reads_waiting_ > limits::kStoreReadQueue) {
        --reads_waiting_;
        return refuse_now(std::move(pending), "questions");
    }
    // std::function wants to be copied; there is one owner all the same.
    auto shared = std::make_shared<std::unique_ptr<Pending>>(std::move(pending));
    reader_.run([this, shared] {
        run_read(**shared);
        --reads_waiting_;
        Batch one;
        one.push_back(std::move(*shared));
        answer_on_loop(std::move(one));
    });
}

// Whatever arrives while a commit is on its way to the disk shares the next one.
void SqliteStore::write_waiting() {
    for (;;) {
        Batch batch;
        queue_.with([&](Queue& queue) {
            while (!queue.waiting.empty() && batch.size() < limits::kStoreBatch) {
                batch.push_back(std::move(queue.waiting.front()));
                queue.waiting.pop_front();
            }
            queue.being_written = !batch.empty();
        });
        if (batch.empty()) return;
        commit_batch(batch);
        answer_on_loop(std::move(batch));
        checkpoints_.after_commit(*write_db_);
    }
}

void SqliteStore::commit_batch(Batch& batch) {
    std::optional<Failure> lost = broken_;
    if (!lost) {
        const bool only_ends = !reserve_.remake();
        std::uint64_t ran = 0;
        try {
            Tx tx{*write_db_, Tx::Mode::write};
            bool kept = false;  // of what was done anything
            for (auto& pending : batch) {
                if (only_ends && pending->purpose == Purpose::change) {
                    pending->refuse(disk_is_full());
                    continue;
                }
                kept |= batch.size() == 1 ? run_alone(*pending) : run_in_savepoint(*pending);
                ++ran;
            }
            if (kept) {
                tx.commit();
                ++commits_;
            }
            operations_ += ran;
        } catch (const std::exception& error) {
            log_error("cannot commit",
                      {{"operations", ran}, {"error", std::string_view{error.what()}}});
            lost = failure_of(error);
            if (const auto* trouble = dynamic_cast<const StoreError*>(&error)) notice(*trouble);
            if (breaks_store(error)) break_store(*lost);
        }
    }
    if (!lost) return;
    for (auto& pending : batch)
        pending->refuse(*lost);
}

void SqliteStore::notice(const StoreError& trouble) {
    if (trouble.kind() == StoreError::Kind::full) reserve_.release();
    if (trouble.kind() != StoreError::Kind::damaged) return;
    damage_.with([&](std::vector<std::string>& found) {
        const bool known = std::ranges::find(found, trouble.what()) != found.end();
        if (!known && found.size() < kDamageKept) found.emplace_back(trouble.what());
    });
}

// False when nothing of it may stay. Throws only what takes the whole batch with it.
bool SqliteStore::run_alone(Pending& pending) {
    try {
        return pending.run(*write_db_);
    } catch (const std::exception& error) {
        if (breaks_store(error) || is_full(error) || !write_db_->in_transaction()) throw;
        log_error("an operation on the store failed", {{"error", std::string_view{error.what()}}});
        pending.refuse(refusal_of(error, "the store could not do this; see the log of berthd"));
        return false;
    }
}

// Only where a batch has others: SQLite keeps a copy of each page that changes in a
// savepoint, and at the end of each savepoint within walks along all of them.
bool SqliteStore::run_in_savepoint(Pending& pending) {
    write_db_->savepoint();
    const bool kept = run_alone(pending);
    if (kept)
        write_db_->release_savepoint();
    else
        write_db_->rollback_to_savepoint();
    return kept;
}

void SqliteStore::run_read(Pending& pending) {
    try {
        Tx tx{*read_db_, Tx::Mode::read};
        pending.run(*read_db_);
        tx.commit();
    } catch (const std::exception& error) {
        log_error("cannot read the store", {{"error", std::string_view{error.what()}}});
        pending.refuse(refusal_of(error, "the store could not be read; see the log of berthd"));
    }
}

// Of one operation, while the store goes on.
Failure SqliteStore::refusal_of(const std::exception& error, std::string_view what) {
    const auto* const trouble = dynamic_cast<const StoreError*>(&error);
    if (trouble == nullptr || trouble->kind() != StoreError::Kind::damaged)
        return {FailureKind::unavailable, std::string{what}, {}};
    notice(*trouble);
    return failure_of(error);
}

void SqliteStore::answer_on_loop(Batch batch) {
    auto answered = std::make_shared<Batch>(std::move(batch));
    loop_.post([answered] {
        for (auto& pending : *answered)
            pending->answer();
    });
}

void SqliteStore::refuse_now(std::unique_ptr<Pending> pending, std::string_view what) {
    pending->refuse({FailureKind::busy,
                     fmt::format("too many {} wait for the store; try again in a moment", what),
                     {}});
    Batch one;
    one.push_back(std::move(pending));
    answer_on_loop(std::move(one));
}

void SqliteStore::break_store(const Failure& why) {
    broken_ = why;
    loop_.post([tell = tell_, why] {
        if (*tell) (*tell)(why);
    });
}

// 0600 from birth; SQLite gives its companions the same mode.
void make_private_file(const std::filesystem::path& path) {
    const Fd fd{check(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600),
                      "opening '{}'", path.string())};
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const std::filesystem::path& dir, Loop& loop,
                                           const Clock& clock) {
    if (::mkdir(dir.c_str(), 0700) < 0 && errno != EEXIST) check(-1, "making '{}'", dir.string());
    auto lock = lock_dir(dir);
    if (!lock) return pass_on(lock);

    const auto path = dir / "berth.db";
    make_private_file(path);
    auto writer = SqliteDb::open(path, SqliteDb::Access::read_write);
    if (!writer) return pass_on(writer);
    if (auto ok = migrate(**writer, path.string(), clock.now()); !ok) return pass_on(ok);
    (*writer)->write_as(this_host(dir, clock));
    auto reader = SqliteDb::open(path, SqliteDb::Access::read_only);
    if (!reader) return pass_on(reader);
    auto checkpointer = SqliteDb::open(path, SqliteDb::Access::read_write);
    if (!checkpointer) return pass_on(checkpointer);
    return std::unique_ptr<Store>{
        std::make_unique<SqliteStore>(*std::move(lock), dir, loop, clock, *std::move(writer),
                                      *std::move(reader), *std::move(checkpointer))};
}

}  // namespace berth
