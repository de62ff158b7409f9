#include "store/logs.h"

#include <sys/stat.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "base/cptr.h"
#include "base/log.h"
#include "model/limits.h"
#include "store/db_sqlite.h"
#include "store/log_chunks.h"

namespace berth {
namespace {

constexpr std::size_t kOpenDays = 3;  // per thread
constexpr int kCheckpointPages = 4 * limits::kCheckpointPages;
constexpr std::string_view kSuffix = ".db";

// A day's chunks go into a second file when the first is damaged: what can still be
// read there stays, and nobody's output waits for a file that cannot be written.
std::string second_file(const std::string& day) { return day + "b"; }
std::string day_of(const std::string& file) { return file.substr(0, file.find('b')); }

// std::function wants to be copied; there is one owner all the same.
template <typename T>
void answer(Loop& loop, Callback<void(Result<T>)> done, Result<T> result) {
    auto held = std::make_shared<std::pair<Callback<void(Result<T>)>, Result<T>>>(
        std::move(done), std::move(result));
    loop.post([held] { held->first(std::move(held->second)); });
}

void add(std::vector<LogChunk>& chunks, std::vector<LogChunk> more) {
    std::ranges::move(more, std::back_inserter(chunks));
}

// Each day gave its lowest; the lowest of all are among them. One chunk can be in two days
// when the clock was set back between two tries.
void tidy(std::vector<LogChunk>& chunks, const LogStore::Range& range) {
    std::ranges::stable_sort(chunks, {}, &LogChunk::seq);
    const auto doubled = std::ranges::unique(chunks, {}, &LogChunk::seq);
    chunks.erase(doubled.begin(), doubled.end());
    if (chunks.size() > static_cast<std::size_t>(range.limit))
        chunks.resize(static_cast<std::size_t>(range.limit));
}

// As many as were asked for, without a gap: no other day has anything that belongs here.
bool is_whole(const std::vector<LogChunk>& chunks, const LogStore::Range& range) {
    return chunks.size() == static_cast<std::size_t>(range.limit) && !chunks.empty() &&
           chunks.back().seq == range.after + chunks.size();
}

}  // namespace

// Opens on demand, and closes the oldest past a few.
class LogStore::Days {
public:
    Days(std::filesystem::path dir, Guarded<std::monostate>& opening)
        : dir_{std::move(dir)}, opening_{opening} {}

    SqliteDb& get(const std::string& day) {
        if (const auto found = open_.find(day); found != open_.end()) return *found->second;
        if (open_.size() >= kOpenDays) open_.erase(open_.begin());
        // A reader that came between the making of the file and its schema would
        // find half a database.
        auto made = opening_.with([&](std::monostate) {
            auto db =
                SqliteDb::open(dir_ / (day + std::string{kSuffix}), SqliteDb::Access::read_write);
            if (!db) throw StoreError{StoreError::Kind::corrupt, db.error().message};
            (*db)->exec_script(kLogSchema);
            return *std::move(db);
        });
        return *open_.emplace(day, std::move(made)).first->second;
    }

    // After an error: the next use opens, and so recovers, it anew.
    void close(const std::string& day) { open_.erase(day); }
    void close_before(const std::string& day) {
        open_.erase(open_.begin(), open_.lower_bound(day));
    }

    // Days that have a file, in order.
    std::vector<std::string> all() const {
        std::vector<std::string> days;
        for (const auto& entry : std::filesystem::directory_iterator{dir_})
            if (entry.path().extension() == kSuffix) days.push_back(entry.path().stem().string());
        std::ranges::sort(days);
        return days;
    }

private:
    const std::filesystem::path dir_;
    Guarded<std::monostate>& opening_;
    std::map<std::string, std::unique_ptr<SqliteDb>> open_;
};

LogStore::LogStore(std::filesystem::path dir, Loop& loop,
                   std::function<void(const StoreError&)> notice)
    : dir_{std::move(dir)},
      loop_{loop},
      notice_{std::move(notice)},
      written_{std::make_unique<Days>(dir_, opening_)},
      read_{std::make_unique<Days>(dir_, opening_)} {
    if (::mkdir(dir_.c_str(), 0700) < 0 && errno != EEXIST) check(-1, "making '{}'", dir_.string());
}

LogStore::~LogStore() = default;

Failure LogStore::trouble(const std::exception& error, std::string_view doing) const {
    log_error(fmt::format("cannot {} logs", doing), {{"error", std::string_view{error.what()}}});
    const auto* const store = dynamic_cast<const StoreError*>(&error);
    if (store && notice_) notice_(*store);
    if (store && store->kind() == StoreError::Kind::full)
        return {
            FailureKind::unavailable, "the disk of the logs is full; make room and try again", {}};
    if (store && store->kind() == StoreError::Kind::damaged)
        return {FailureKind::conflict,
                fmt::format("the log is damaged: {}; restore a backup", store->what()),
                {}};
    return {
        FailureKind::unavailable, fmt::format("cannot {} logs; see the log of berthd", doing), {}};
}

void LogStore::append(std::vector<LogChunk> chunks, Callback<void(Result<void>)> done) {
    std::size_t bytes = 0;
    for (const LogChunk& chunk : chunks)
        bytes += chunk.bytes.size();
    enum class Place { full, joined, first };
    const Place place = queue_.with([&](Queue& queue) {
        if (queue.bytes > 0 && queue.bytes + bytes > limits::kLogQueueBytes) return Place::full;
        queue.waiting.push_back({std::move(chunks), std::move(done)});
        queue.bytes += bytes;
        return std::exchange(queue.being_written, true) ? Place::joined : Place::first;
    });
    if (place == Place::full)
        return answer<void>(loop_, std::move(done),
                            fail(FailureKind::busy, "too much output waits to be stored"));
    if (place == Place::first) writer_.run([this] { write_waiting(); });
}

void LogStore::write_waiting() {
    std::size_t written = 0;  // bytes; they count as waiting until they are on the disk
    for (;;) {
        std::vector<Append> batch;
        queue_.with([&](Queue& queue) {
            queue.bytes -= std::exchange(written, 0);
            batch.swap(queue.waiting);
            queue.being_written = !batch.empty();
        });
        if (batch.empty()) return;

        std::map<std::string, std::vector<const LogChunk*>> by_day;
        for (const Append& append : batch)
            for (const LogChunk& chunk : append.chunks) {
                by_day[to_utc_day(chunk.time)].push_back(&chunk);
                written += chunk.bytes.size();
            }

        // One answer for the batch: what was stored before a failure is ignored
        // when it comes again.
        Result<void> result;
        for (const auto& [day, chunks] : by_day) {
            try {
                write_day(day, chunks);
            } catch (const std::exception& error) {
                written_->close(day);
                result = tl::unexpected<Failure>{trouble(error, "store")};
            }
        }
        for (Append& append : batch)
            answer(loop_, std::move(append.done), result);
    }
}

void LogStore::write_day(const std::string& day, const std::vector<const LogChunk*>& chunks) {
    const auto write = [&](SqliteDb& db) {
        Tx tx{db, Tx::Mode::write};
        for (const LogChunk* chunk : chunks)
            write_chunk(db, *chunk);
        tx.commit();
        if (db.wal_pages() >= kCheckpointPages) db.checkpoint(SqliteDb::Checkpoint::passive);
    };
    try {
        if (!set_aside_.contains(day)) return write(written_->get(day));
    } catch (const StoreError& error) {
        if (error.kind() != StoreError::Kind::damaged && error.kind() != StoreError::Kind::corrupt)
            throw;
        trouble(error, "store");
        log_error("a day's logs are damaged, going on in a second file", {{"day", day}});
        written_->close(day);
        set_aside_.insert(day);
    }
    write(written_->get(second_file(day)));
}

std::vector<LogChunk> LogStore::read_range(const Range& range) {
    const std::string first = to_utc_day(range.from);
    const std::string last = to_utc_day(std::max(range.from, range.to));
    std::vector<LogChunk> chunks;
    std::vector<std::string> later;
    for (const std::string& file : read_->all()) {
        const std::string day = day_of(file);
        if (day > last) later.push_back(file);
        if (day >= first && day <= last) add(chunks, read_chunks(read_->get(file), range));
    }
    tidy(chunks, range);
    if (is_whole(chunks, range)) return chunks;
    for (const std::string& file : later)
        add(chunks, read_later_day(file, range));
    tidy(chunks, range);
    return chunks;
}

// Damage in a day that is most likely none of this run's costs nobody his log.
std::vector<LogChunk> LogStore::read_later_day(const std::string& file, const Range& range) {
    try {
        return read_chunks(read_->get(file), range);
    } catch (const StoreError& error) {
        read_->close(file);
        trouble(error, "read");
        return {};
    }
}

void LogStore::read(Range range, Callback<void(Result<std::vector<LogChunk>>)> done) {
    auto held = std::make_shared<Callback<void(Result<std::vector<LogChunk>>)>>(std::move(done));
    reader_.run([this, range, held] {
        Result<std::vector<LogChunk>> result;
        try {
            result = read_range(range);
        } catch (const std::exception& error) {
            result = tl::unexpected<Failure>{trouble(error, "read")};
        }
        answer(loop_, std::move(*held), std::move(result));
    });
}

void LogStore::remove_between(RunId run, Time from, Time to) {
    const std::string first = to_utc_day(from);
    const std::string last = to_utc_day(to);
    for (const std::string& day : written_->all()) {
        if (day_of(day) < first || day_of(day) > last) continue;
        try {
            SqliteDb& db = written_->get(day);
            Tx tx{db, Tx::Mode::write};
            db.exec("delete from chunks where run_id = $1", {run});
            db.query("pragma incremental_vacuum");
            tx.commit();
            db.checkpoint(SqliteDb::Checkpoint::passive);
        } catch (const StoreError&) {
            written_->close(day);
            throw;
        }
    }
}

void LogStore::remove_run(RunId run, Time from, Time to, Callback<void(Result<void>)> done) {
    auto held = std::make_shared<Callback<void(Result<void>)>>(std::move(done));
    writer_.run([this, run, from, to, held] {
        Result<void> removed;
        try {
            remove_between(run, from, to);
        } catch (const std::exception& error) {
            removed = tl::unexpected<Failure>{trouble(error, "delete")};
        }
        answer(loop_, std::move(*held), std::move(removed));
    });
}

void LogStore::remove_before(Time oldest_kept, Callback<void(Result<std::int64_t>)> done) {
    auto held = std::make_shared<Callback<void(Result<std::int64_t>)>>(std::move(done));
    const std::string day = to_utc_day(oldest_kept);
    // The reader lets go first: a connection that is closed later would delete the
    // companions of a new file of the same name.
    reader_.run([this, day, held] {
        read_->close_before(day);
        writer_.run([this, day, held] {
            Result<std::int64_t> removed = 0;
            try {
                written_->close_before(day);
                for (const std::string& old : written_->all()) {
                    if (old >= day) break;
                    const auto path = dir_ / (old + std::string{kSuffix});
                    for (const char* companion : {"-wal", "-shm", ""})
                        std::filesystem::remove(path.string() + companion);
                    ++*removed;
                }
            } catch (const std::exception& error) {
                removed = tl::unexpected<Failure>{trouble(error, "delete")};
            }
            answer(loop_, std::move(*held), std::move(removed));
        });
    });
}

}  // namespace berth
