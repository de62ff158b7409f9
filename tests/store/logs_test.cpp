#include "store/logs.h"

#include <fstream>

#include "model/limits.h"
#include "store/db_sqlite.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;

namespace {

const Time kEvening = *parse_rfc3339("2026-11-22T23:59:59.5Z");
const Time kMorning = *parse_rfc3339("2026-11-23T00:00:01Z");
const RunId kRun{7};

LogChunk chunk(std::uint64_t seq, Time time, std::string bytes,
               OutputStream stream = OutputStream::err) {
    return {kRun, seq, time, stream, std::move(bytes)};
}

struct World {
    TempDir dir{"berth-logs"};
    Loop loop;
    std::unique_ptr<LogStore> logs = std::make_unique<LogStore>(dir.path() / "logs", loop);

    Result<void> append(std::vector<LogChunk> chunks) {
        Wait<void> wait{loop};
        logs->append(std::move(chunks), wait.callback());
        return wait.get();
    }
    std::vector<LogChunk> read(LogStore::Range range) {
        Wait<std::vector<LogChunk>> wait{loop};
        logs->read(range, wait.callback());
        return must(wait.get());
    }
    std::vector<LogChunk> read_all() { return read({kRun, kEvening, kMorning}); }
    bool has_day(const std::string& day) {
        return std::filesystem::exists(dir.path() / "logs" / (day + ".db"));
    }
};

}  // namespace

TEST_CASE("a log that crosses midnight is read as one, from any place", "[store]") {
    World w;
    std::vector<LogChunk> chunks;
    for (std::uint64_t seq = 1; seq <= 10; ++seq)
        chunks.push_back(chunk(seq, seq <= 4 ? kEvening : kMorning, "line " + std::to_string(seq)));
    must(w.append(chunks));
    CHECK(w.has_day("2026-11-22"));
    CHECK(w.has_day("2026-11-23"));

    const auto all = w.read_all();
    REQUIRE(all.size() == 10);
    for (std::uint64_t i = 0; i < 10; ++i) {
        CHECK(all[i].seq == i + 1);
        CHECK(all[i].bytes == chunks[i].bytes);
        CHECK(all[i].time == chunks[i].time);
    }
    const auto middle = w.read({kRun, kEvening, kMorning, 3, 3});
    REQUIRE(middle.size() == 3);
    CHECK(middle[0].seq == 4);
    CHECK(middle[2].seq == 6);
    CHECK(w.read({RunId{8}, kEvening, kMorning}).empty());
    CHECK(w.read({kRun, kEvening, kMorning, 10}).empty());
}

TEST_CASE("what was written while the clock was ahead is found, then and for good", "[store]") {
    World w;
    const Time ahead = kEvening + std::chrono::days{5};
    must(w.append({chunk(1, kEvening, "before"), chunk(2, ahead, "meanwhile"),
                   chunk(3, kMorning, "after"), chunk(4, ahead, "last")}));
    // Other runs have printed on all the days between, and later.
    for (int day = 1; day <= 7; ++day) {
        auto other = chunk(1, kMorning + std::chrono::days{day}, "another's");
        other.run_id = RunId{8};
        must(w.append({other}));
    }
    LogStore::Range range{kRun, kEvening, kMorning};
    const auto all = w.read(range);
    REQUIRE(all.size() == 4);
    CHECK(all[1].bytes == "meanwhile");
    CHECK(all[3].bytes == "last");
    range.limit = 2;  // a page that is full, and has a gap
    CHECK(w.read(range) == std::vector{all[0], all[1]});
    range.after = 2;
    CHECK(w.read(range) == std::vector{all[2], all[3]});
    // A run that began then, and ended before it began.
    CHECK(w.read({kRun, ahead, kEvening}).size() == 2);
}

TEST_CASE("a damaged later day costs nobody a log that is not in it", "[store]") {
    World w;
    must(w.append({chunk(1, kEvening, "here")}));
    std::ofstream{w.dir.path() / "logs" / "2026-11-25.db"} << std::string(8192, 'x');
    const auto all = w.read_all();
    REQUIRE(all.size() == 1);
    CHECK(all[0].bytes == "here");
}

TEST_CASE("a chunk that comes twice is kept once", "[store]") {
    World w;
    must(w.append({chunk(1, kEvening, "first"), chunk(2, kEvening, "second")}));
    must(w.append({chunk(2, kEvening, "changed"), chunk(3, kEvening, "third")}));
    // The clock was set forward between the two tries.
    must(w.append({chunk(3, kMorning, "third")}));
    const auto all = w.read_all();
    REQUIRE(all.size() == 3);
    CHECK(all[1].bytes == "second");
    CHECK(all[2].bytes == "third");
}

TEST_CASE("bytes come back as they were, compressed or not", "[store]") {
    World w;
    auto random = seeded_random();
    std::string noise(limits::kLogChunkBytes, '\0');
    for (char& byte : noise)
        byte = static_cast<char>(random());
    const std::vector<std::string> bytes{"", "x", std::string(limits::kLogChunkBytes, 'a'), noise,
                                         std::string("\0\xff\n", 3)};
    std::vector<LogChunk> chunks;
    for (const std::string& each : bytes)
        chunks.push_back(chunk(chunks.size() + 1, kEvening, each, OutputStream::out));
    chunks.push_back(chunk(6, kEvening, "cut here", OutputStream::note));
    must(w.append(chunks));
    const auto all = w.read_all();
    REQUIRE(all.size() == 6);
    for (std::size_t i = 0; i < bytes.size(); ++i)
        CHECK((all[i].bytes == bytes[i]));
    LogStore::Range notes{kRun, kEvening, kMorning};
    notes.stream = OutputStream::note;
    CHECK(w.read(notes).size() == 1);

    std::vector<LogChunk> many;
    for (std::uint64_t seq = 10; seq < 110; ++seq)
        many.push_back(chunk(seq, kMorning, std::string(limits::kLogChunkBytes, 'b')));
    must(w.append(many));
    w.logs.reset();
    CHECK(std::filesystem::file_size(w.dir.path() / "logs/2026-11-23.db") < 200'000);
}

TEST_CASE("what was told to be stored is there after the store is opened again", "[store]") {
    World w;
    int stored = 0;
    for (std::uint64_t seq = 1; seq <= 100; ++seq)
        w.logs->append({chunk(seq, kEvening, "x")}, [&](Result<void> result) {
            CHECK(result);
            ++stored;
        });
    CHECK(stored == 0);
    w.logs.reset();
    w.loop.later([&] { w.loop.stop(); });
    w.loop.run();
    CHECK(stored == 100);
    w.logs = std::make_unique<LogStore>(w.dir.path() / "logs", w.loop);
    CHECK(w.read_all().size() == 100);
}

TEST_CASE("old days are deleted whole", "[store]") {
    World w;
    const Time old = kEvening - std::chrono::days{40};
    must(w.append({chunk(1, old, "old"), chunk(2, kEvening, "new")}));
    CHECK(w.read({kRun, old, kMorning}).size() == 2);

    Wait<std::int64_t> wait{w.loop};
    w.logs->remove_before(kEvening - std::chrono::days{30}, wait.callback());
    CHECK(must(wait.get()) == 1);
    CHECK_FALSE(w.has_day("2026-10-13"));
    CHECK(w.read({kRun, old, kMorning}).size() == 1);
    must(w.append({chunk(3, old, "late")}));
    CHECK(w.read({kRun, old, kMorning}).size() == 2);
}

TEST_CASE("output that comes faster than the disk is answered busy", "[store]") {
    World w;
    must(w.append({chunk(1, kEvening, "x")}));
    // Somebody else's lock keeps the writer from committing.
    const auto other =
        must(SqliteDb::open(w.dir.path() / "logs/2026-11-22.db", SqliteDb::Access::read_write));
    other->begin_write();
    const std::string half(limits::kLogQueueBytes / 2, 'x');
    std::vector<std::string> answers;
    for (std::uint64_t seq = 2; seq <= 4; ++seq)
        w.logs->append({chunk(seq, kEvening, half)}, [&](Result<void> result) {
            answers.push_back(result ? "stored" : result.error().message);
            if (answers.size() == 1) other->rollback();
            if (answers.size() == 3) w.loop.stop();
        });
    CHECK(answers.empty());
    w.loop.run();
    CHECK(answers ==
          std::vector<std::string>{"too much output waits to be stored", "stored", "stored"});
    CHECK(w.append({chunk(4, kEvening, half)}));
    CHECK(w.read_all().size() == 4);
}
