// The store as the daemon uses it: one writer thread whose waiting operations
// share a commit, one reader thread, and a third that copies the write-ahead log
// back, off the path of the commits.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/callback.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/loop/loop.h"
#include "store/db.h"

namespace berth {

// What an operation's answer is wrapped in: T and Result<T> both give Result<T>.
template <typename T>
struct AnswerOf {
    using type = Result<T>;
};
template <typename T>
struct AnswerOf<Result<T>> {
    using type = Result<T>;
};
template <typename Op>
using Answer = typename AnswerOf<std::invoke_result_t<Op&, Db&>>::type;

// Thread: loop, for all but the operations themselves, which run on a thread of
// the store and so capture values only. `done` is called on the loop exactly
// once, never before write() or read() has returned, also for what is still
// waiting when the store goes away.
class Store {
public:
    // Opens or makes `dir`/berth.db (0600) and brings its schema up to date.
    // conflict: another daemon has it, or a newer Berth wrote it; invalid: it is
    // not a Berth store. Throws SystemError or StoreError for other trouble.
    static Result<std::unique_ptr<Store>> open(const std::filesystem::path& dir, Loop& loop,
                                               const Clock& clock);
    virtual ~Store() = default;  // finishes what was accepted

    // Runs op(Db&) in a savepoint of its own and calls done(Answer) only after the
    // commit has returned. A refusal or an exception undoes this operation alone;
    // a commit that fails is `unavailable` for all that shared it.
    //   store.write([t](Db& db) { return accept_trigger(db, t); },
    //               [](Result<Trigger> accepted) { ... });
    template <typename Op>
    void write(Op op, std::type_identity_t<Callback<void(Answer<Op>)>> done) {
        submit_write(std::make_unique<Call<Op>>(std::move(op), std::move(done)));
    }
    // The same for what ends something that was begun: on a full disk it has the reserve,
    // while all else is refused at once.
    template <typename Op>
    void finish(Op op, std::type_identity_t<Callback<void(Answer<Op>)>> done) {
        auto call = std::make_unique<Call<Op>>(std::move(op), std::move(done));
        call->purpose = Purpose::end;
        submit_write(std::move(call));
    }
    // The same for what nobody waits for: it shares the next commit, and gets one of its own
    // only when none comes for a few milliseconds.
    template <typename Op>
    void note(Op op, std::type_identity_t<Callback<void(Answer<Op>)>> done) {
        auto call = std::make_unique<Call<Op>>(std::move(op), std::move(done));
        call->purpose = Purpose::note;
        submit_write(std::move(call));
    }
    // Runs op(Db&) on one snapshot, read only.
    template <typename Op>
    void read(Op op, std::type_identity_t<Callback<void(Answer<Op>)>> done) {
        submit_read(std::make_unique<Call<Op>>(std::move(op), std::move(done)));
    }

    // After an I/O error nothing is known about what is on disk until the store is
    // opened again: from then on every write is refused. Called once, on the loop.
    virtual void on_broken(std::function<void(const Failure&)> tell) = 0;

    // Copies the write-ahead log back, off the path of the commits: pages that were
    // given back leave the file. It happens by itself when the log has grown.
    virtual void checkpoint() = 0;
    // The same, and the log is emptied: behind the commit that follows, or the next that can.
    virtual void empty_log() {}

    // The disk is full and the reserve is in use. Thread: any.
    virtual bool full() const { return false; }
    // Pages found damaged since the start, in words, the first few. Thread: any.
    virtual std::vector<std::string> damage() const { return {}; }
    // Somebody else met trouble on the same disk: full, or damaged. Thread: any.
    virtual void notice(const StoreError& trouble) { static_cast<void>(trouble); }

    struct Counts {
        std::uint64_t operations = 0;  // that were committed
        std::uint64_t commits = 0;     // that they took
        std::uint64_t checkpoints = 0;
    };
    virtual Counts counts() const = 0;  // Thread: any

protected:
    enum class Purpose { change, end, note };
    // One accepted operation on its way: run once, answered once.
    class Pending {
    public:
        virtual ~Pending() = default;
        virtual bool run(Db& db) = 0;  // false: it was refused, undo it
        virtual void refuse(Failure why) = 0;
        virtual void answer() = 0;  // Thread: loop

        Purpose purpose = Purpose::change;
    };
    virtual void submit_write(std::unique_ptr<Pending> pending) = 0;
    virtual void submit_read(std::unique_ptr<Pending> pending) = 0;

private:
    template <typename Op>
    class Call final : public Pending {
    public:
        Call(Op op, Callback<void(Answer<Op>)> done) : op_{std::move(op)}, done_{std::move(done)} {}
        bool run(Db& db) override {
            if constexpr (std::is_void_v<std::invoke_result_t<Op&, Db&>>) {
                op_(db);
                answer_ = Answer<Op>{};
            } else {
                answer_ = op_(db);
            }
            return answer_.has_value();
        }
        void refuse(Failure why) override { answer_ = tl::unexpected<Failure>{std::move(why)}; }
        void answer() override { done_(std::move(answer_)); }

    private:
        Op op_;
        Callback<void(Answer<Op>)> done_;
        Answer<Op> answer_ = tl::unexpected<Failure>{Failure{}};
    };
};

}  // namespace berth
