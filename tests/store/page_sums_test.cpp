// What the disk has changed behind our back is noticed before it is believed, whoever
// does not need it goes on.
#include "store/page_sums.h"

#include <sqlite3.h>

#include <fstream>
#include <iostream>

#include "store/db_sqlite.h"
#include "store/logs.h"
#include "store/triggers.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;

namespace {

constexpr std::size_t kPage = 4096;

std::string slurp(const std::filesystem::path& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}
void spit(const std::filesystem::path& path, const std::string& bytes) {
    std::ofstream{path, std::ios::binary} << bytes;
}

// All rows of all tables, as one text; throws what the database says.
std::string read_all(const std::filesystem::path& path) {
    auto db = SqliteDb::open(path, SqliteDb::Access::read_write);
    if (!db) throw StoreError{StoreError::Kind::corrupt, db.error().message};
    std::string all;
    for (const Row& table :
         (*db)->query("select name from sqlite_schema where type = 'table' order by name"))
        for (const Row& row : (*db)->query("select * from " + table.text(0)))
            for (std::size_t i = 0; i < row.size(); ++i)
                all += row.is_null(i)      ? "null "
                       : row.is_integer(i) ? std::to_string(row.integer(i)) + " "
                                           : row.text(i) + " ";
    // Indexes too, and the map of pages.
    const auto verdict = (*db)->must("pragma integrity_check").text(0);
    if (verdict != "ok") throw StoreError{StoreError::Kind::damaged, verdict};
    return all;
}

// A closed store with rows, large bodies among them.
struct Filled {
    Filled() {
        Loop loop;
        const auto store = must(make_store(dir.path(), loop));
        tenant = must(write_now(*store, loop, [](Db& db) { return add_world(db).id; }));
        for (int i = 0; i < 20; ++i) {
            Trigger trigger = trigger_for(tenant);
            trigger.body =
                fmt::format("body {} ", i) + std::string(10'000, static_cast<char>('a' + i));
            must(
                write_now(*store, loop, [trigger](Db& db) { return accept_trigger(db, trigger); }));
            triggers.push_back(trigger.id);
        }
    }
    std::filesystem::path file() const { return dir.path() / "berth.db"; }
    TempDir dir{"berth-rot"};
    TenantId tenant;
    std::vector<TriggerId> triggers;
};

}  // namespace

TEST_CASE("no flipped bit is believed, wherever it is", "[store]") {
    const Filled filled;
    const std::string whole = slurp(filled.file());
    const std::string rows = read_all(filled.file());
    REQUIRE(whole.size() / kPage > 40);
    auto random = seeded_random();
    std::size_t noticed = 0, harmless = 0;
    for (int i = 0; i < 400; ++i) {
        const auto bit =
            std::uniform_int_distribution<std::size_t>{0, whole.size() * 8 - 1}(random);
        std::string rotten = whole;
        rotten[bit / 8] = static_cast<char>(rotten[bit / 8] ^ (1 << (bit % 8)));
        spit(filled.file(), rotten);
        INFO("bit " << bit << ", page " << bit / 8 / kPage + 1);
        try {
            const bool same = read_all(filled.file()) == rows;
            CHECK(same);
            ++harmless;
        } catch (const StoreError& error) {
            const bool told = error.kind() == StoreError::Kind::damaged || bit < 100 * 8;
            CHECK(told);
            ++noticed;
        }
    }
    std::cout << noticed << " flips noticed, " << harmless << " in pages that nobody read\n";
    CHECK(harmless == 0);
    spit(filled.file(), whole);
    CHECK(read_all(filled.file()) == rows);
}

TEST_CASE("the bit that says that there are sums cannot switch them off", "[store]") {
    const Filled filled;
    std::string bytes = slurp(filled.file());
    REQUIRE(bytes[20] == kPageSumBytes);
    bytes[20] = 0;
    spit(filled.file(), bytes);
    CHECK_THROWS_WITH(read_all(filled.file()), Catch::Contains("page 1 of '"));
    CHECK(check_pages(filled.file(), 1, 10).damaged == std::vector<std::uint32_t>{1});
}

TEST_CASE("a page in another one's place is noticed", "[store]") {
    const Filled filled;
    std::string bytes = slurp(filled.file());
    const auto last = bytes.size() - kPage;
    bytes.replace(last - kPage, kPage, bytes.substr(last));
    spit(filled.file(), bytes);
    CHECK_THROWS_WITH(read_all(filled.file()), Catch::Contains("is not what Berth wrote there"));
}

TEST_CASE("a database without sums is read as before, and a flip in it may be believed",
          "[store]") {
    const TempDir dir{"berth-rot"};
    const auto path = dir.path() / "old.db";
    sqlite3* raw = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &raw) == SQLITE_OK);
    REQUIRE(sqlite3_exec(raw, "create table t (x text) strict; insert into t values ('precious')",
                         nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(raw);
    CHECK(read_all(path) == "precious ");
    CHECK_FALSE(check_pages(path, 1, 100).has_sums);
    // What the sums are for.
    std::string bytes = slurp(path);
    bytes[bytes.find("precious")] = 'q';
    spit(path, bytes);
    CHECK(read_all(path) == "qrecious ");
}

TEST_CASE("a page that another program has copied is read without its sum", "[store]") {
    const Filled filled;
    const std::string rows = read_all(filled.file());
    std::string bytes = slurp(filled.file());
    bytes.replace(2 * kPage - kPageSumBytes, kPageSumBytes, std::string(kPageSumBytes, '\0'));
    spit(filled.file(), bytes);
    CHECK(read_all(filled.file()) == rows);
}

TEST_CASE("who needs a damaged page is refused by name, and others go on", "[store]") {
    const Filled filled;
    std::string bytes = slurp(filled.file());
    const auto at = bytes.rfind(std::string(2'000, 'c'));  // of trigger 2's body
    REQUIRE(at != std::string::npos);
    bytes[at + 100] = 'X';
    spit(filled.file(), bytes);

    Loop loop;
    auto store = must(make_store(filled.dir.path(), loop));
    bool broken = false;
    store->on_broken([&](const Failure&) { broken = true; });
    const auto get = [&](std::size_t i) {
        return read_now(*store, loop,
                        [id = filled.triggers[i]](Db& db) { return get_trigger(db, id); });
    };
    const auto page = at / kPage + 1;
    const auto named = fmt::format("the store is damaged: page {} of '", page);
    CHECK_FAILS(get(2), FailureKind::conflict, named);
    CHECK_FAILS(get(2), FailureKind::conflict, "restore a backup");
    // The writer, too, refuses it alone.
    CHECK_FAILS(
        write_now(*store, loop, [id = filled.triggers[2]](Db& db) { return get_trigger(db, id); }),
        FailureKind::conflict, named);
    CHECK(must(get(1)).body.starts_with("body 1 "));
    must(write_now(*store, loop, [trigger = trigger_for(filled.tenant)](Db& db) {
        return accept_trigger(db, trigger);
    }));
    CHECK_FALSE(broken);
    REQUIRE(store->damage().size() == 1);
    CHECK_THAT(store->damage().front(), Catch::Contains(fmt::format("page {} of", page)));
}

TEST_CASE("damage is found before anybody needs the page", "[store]") {
    const Filled filled;
    std::string bytes = slurp(filled.file());
    const auto pages = static_cast<std::uint32_t>(bytes.size() / kPage);
    const PageCheck whole = check_pages(filled.file(), 1, pages + 10);
    CHECK(whole.has_sums);
    CHECK(whole.next == 0);
    CHECK(whole.damaged.empty());

    bytes[kPage * 6 + 99] = static_cast<char>(bytes[kPage * 6 + 99] ^ 1);
    bytes[kPage * 30] = static_cast<char>(bytes[kPage * 30] ^ 64);
    spit(filled.file(), bytes);
    const PageCheck first = check_pages(filled.file(), 1, 10);
    CHECK(first.damaged == std::vector<std::uint32_t>{7});
    CHECK(first.next == 11);
    CHECK(check_pages(filled.file(), first.next, pages).damaged == std::vector<std::uint32_t>{31});
}

TEST_CASE("a damaged day of logs costs nobody else's output", "[store]") {
    const TempDir dir{"berth-rot"};
    Loop loop;
    const Time now = kNow;
    std::vector<std::string> noticed;
    const auto make = [&] {
        return std::make_unique<LogStore>(
            dir.path(), loop, [&](const StoreError& error) { noticed.emplace_back(error.what()); });
    };
    auto logs = make();
    const auto append = [&](std::int64_t run, std::uint64_t seq, std::size_t bytes) {
        Wait<void> wait{loop};
        // Not compressible, so that it can be found in the file.
        std::string text = fmt::format("run {} seq {} ", run, seq);
        std::mt19937_64 random{static_cast<std::uint64_t>(run) * 100 + seq};
        while (text.size() < bytes)
            text += static_cast<char>('!' + random() % 90);
        logs->append({{RunId{run}, seq, now, OutputStream::err, text}}, wait.callback());
        return wait.get();
    };
    const auto read = [&](std::int64_t run) {
        Wait<std::vector<LogChunk>> wait{loop};
        logs->read({RunId{run}, now, now}, wait.callback());
        return wait.get();
    };
    for (const std::int64_t run : {1, 2, 3})
        must(append(run, 1, 30'000));
    logs.reset();
    // Every page of the file that has nothing of run 1's text in it.
    const auto file = dir.path() / (to_utc_day(now) + ".db");
    std::string bytes = slurp(file);
    REQUIRE(bytes.size() > 10 * kPage);
    const auto last = bytes.size() - kPage;
    bytes[last + 50] = static_cast<char>(bytes[last + 50] ^ 1);
    spit(file, bytes);

    logs = make();
    CHECK_FAILS(read(3), FailureKind::conflict, "the log is damaged: page ");
    REQUIRE(noticed.size() == 1);
    CHECK(must(read(1)).size() == 1);
    CHECK(must(read(2)).size() == 1);
    must(append(4, 1, 100));
    CHECK(must(read(4)).size() == 1);

    // The whole of it: what is printed from now on goes into a second file.
    logs.reset();
    for (std::size_t at = kPage; at < bytes.size(); at += kPage)
        bytes[at + 9] = static_cast<char>(bytes[at + 9] ^ 4);
    spit(file, bytes);
    std::filesystem::remove(file.string() + "-wal");
    logs = make();
    must(append(5, 1, 100));
    must(append(5, 2, 100));
    CHECK(std::filesystem::exists(dir.path() / (to_utc_day(now) + "b.db")));
}
