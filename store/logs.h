// What runs print: chunks in one SQLite database per UTC day, beside the main
// store, so that a busy log never delays a trigger's commit and retention is the
// deletion of a file. Chunks are compressed with zstd where that makes them smaller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/callback.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/guarded.h"
#include "base/loop/loop.h"
#include "base/loop/worker.h"
#include "model/values.h"
#include "store/db.h"

namespace berth {

// Thread: loop. Each `done` is called on the loop exactly once, also for what is
// still waiting when this goes away: the destructor finishes what was accepted.
class LogStore {
public:
    // `dir` is made (0700) if it is not there. `notice` is told, on any thread, of a full
    // disk and of damage. Throws SystemError.
    LogStore(std::filesystem::path dir, Loop& loop,
             std::function<void(const StoreError&)> notice = {});
    ~LogStore();

    // Durable when `done` is told so. A chunk goes to the day of its own time. One
    // with a (run, seq) that is stored already is ignored. busy past the queue's limit.
    void append(std::vector<LogChunk> chunks, Callback<void(Result<void>)> done);

    // Up to `limit` chunks of `run` with seq > `after`, in order. `from` and `to` are the
    // times between which the run printed: their days are looked at first. Later ones are
    // where something is missing, for the clock may have been ahead while it printed.
    struct Range {
        RunId run;
        Time from{};
        Time to{};
        std::uint64_t after = 0;
        std::int64_t limit = 500;
        std::optional<OutputStream> stream{};
    };
    void read(Range range, Callback<void(Result<std::vector<LogChunk>>)> done);

    // Deletes what this run printed between these times, and gives the room back.
    void remove_run(RunId run, Time from, Time to, Callback<void(Result<void>)> done);
    // Deletes the files of days before the one of `oldest_kept`; says how many.
    void remove_before(Time oldest_kept, Callback<void(Result<std::int64_t>)> done);

private:
    struct Append {
        std::vector<LogChunk> chunks;
        Callback<void(Result<void>)> done;
    };
    struct Queue {
        std::vector<Append> waiting;
        std::size_t bytes = 0;
        bool being_written = false;  // the writer has been told to look
    };
    // The databases that one thread has open, by day.
    class Days;

    void write_waiting();  // Thread: writer_, as the next
    void write_day(const std::string& day, const std::vector<const LogChunk*>& chunks);
    void remove_between(RunId run, Time from, Time to);    // Thread: writer_
    std::vector<LogChunk> read_range(const Range& range);  // Thread: reader_
    std::vector<LogChunk> read_later_day(const std::string& file, const Range& range);

    Failure trouble(const std::exception& error, std::string_view doing) const;

    const std::filesystem::path dir_;
    Loop& loop_;
    const std::function<void(const StoreError&)> notice_;
    std::set<std::string> set_aside_;  // days whose file is damaged. Thread: writer_
    Guarded<Queue> queue_;
    Guarded<std::monostate> opening_;  // one thread at a time makes a day's file
    std::unique_ptr<Days> written_;    // Thread: writer_
    std::unique_ptr<Days> read_;       // Thread: reader_
    // Last, so that they are joined first; the reader before the writer, whom it calls.
    Worker writer_{"log-writer"};
    Worker reader_{"log-reader"};
};

}  // namespace berth
