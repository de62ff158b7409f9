// A copy of a database that is being written to.
#include "store/backup.h"

#include <sys/stat.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <fstream>
#include <thread>

#include "base/file.h"
#include "store/db_sqlite.h"
#include "store/page_sums.h"

using namespace berth;
namespace fs = std::filesystem;

namespace {

// A database with sums and its writer, which goes on.
struct Source {
    TempDir dir{"berth-backup"};
    fs::path path = dir.path() / "a.db";
    fs::path copy = dir.path() / "copy.db";
    std::unique_ptr<SqliteDb> writer;

    Source() {
        std::ofstream{path};
        auto opened = SqliteDb::open(path, SqliteDb::Access::read_write);
        REQUIRE(opened);
        writer = *std::move(opened);
        writer->exec_script("create table t (n integer primary key, text text not null) strict");
        add(1, 500);
    }
    void add(int first, int last) {
        Tx tx{*writer, Tx::Mode::write};
        for (int n = first; n <= last; ++n)
            writer->exec("insert into t values ($1, $2)", {n, std::string(300, 'x')});
        tx.commit();
    }
};

std::int64_t rows_of(const fs::path& path) {
    auto db = SqliteDb::open(path, SqliteDb::Access::read_write);
    REQUIRE(db);
    CHECK((*db)->must("pragma integrity_check").text(0) == "ok");
    return (*db)->must("select count(*) from t").integer(0);
}

}  // namespace

TEST_CASE("a copy has what was committed, and nothing that was not", "[store]") {
    Source source;
    // In the write-ahead log only, and a transaction that goes on.
    source.writer->begin_write();
    source.writer->exec("insert into t values (501, 'not yet')");
    const auto copied = copy_database(source.path, source.copy);
    source.writer->commit();
    REQUIRE(copied);
    CHECK(copied->pages > 10);
    CHECK(copied->bytes == fs::file_size(source.copy));
    source.add(502, 600);  // nobody was stopped by it

    CHECK_FALSE(fs::exists(source.copy.string() + "-wal"));
    CHECK(check_pages(source.copy, 1, 100'000).has_sums);
    CHECK(rows_of(source.copy) == 500);
    CHECK(rows_of(source.path) == 600);
}

TEST_CASE("a copy is for its maker's eyes", "[store]") {
    Source source;
    REQUIRE(copy_database(source.path, source.copy));
    struct stat info {};
    REQUIRE(::stat(source.copy.c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0600);
}

TEST_CASE("every page of a copy has its sum, and one that is changed is found", "[store]") {
    Source source;
    const auto copied = copy_database(source.path, source.copy);
    REQUIRE(copied);
    const auto whole = check_pages(source.copy, 1, 100'000);
    CHECK(whole.looked_at == copied->pages);
    CHECK(whole.damaged.empty());
    {
        std::fstream file{source.copy, std::ios::in | std::ios::out | std::ios::binary};
        file.seekp(4096 * 5 + 2000);
        file.put('!');
    }
    CHECK(check_pages(source.copy, 1, 100'000).damaged == std::vector<std::uint32_t>{6});
}

TEST_CASE("nothing is copied over what is there, and what is no database is refused", "[store]") {
    Source source;
    std::ofstream{source.copy} << "mine";
    auto copied = copy_database(source.path, source.copy);
    REQUIRE_FALSE(copied);
    CHECK(copied.error().kind == FailureKind::conflict);
    CHECK(read_file(source.copy, 100).value() == "mine");

    const fs::path text = source.dir.path() / "text.db";
    std::ofstream{text} << std::string(8192, 't');
    copied = copy_database(text, source.dir.path() / "other.db");
    REQUIRE_FALSE(copied);
    CHECK(copied.error().kind == FailureKind::invalid);
    CHECK(copied.error().message == "'" + text.string() + "' is not a database");
}

TEST_CASE("a hundred copies, made while another goes on writing, are each whole", "[store]") {
    constexpr int kAtOnce = 10;  // rows that belong together
    Source source;
    std::atomic<int> committed{500};
    std::atomic<bool> stop{false};
    std::thread other{[&] {
        // Old rows go, so that the file does not grow and pages are used again.
        for (int n = 501; !stop; n += kAtOnce) {
            Tx tx{*source.writer, Tx::Mode::write};
            for (int row = n; row < n + kAtOnce; ++row)
                source.writer->exec("insert into t values ($1, $2)", {row, std::string(300, 'y')});
            source.writer->exec("delete from t where n < $1", {n - 1000});
            tx.commit();
            committed = n + kAtOnce - 1;
        }
    }};
    struct Joined {
        std::atomic<bool>& stop;
        std::thread& thread;
        ~Joined() {
            stop = true;
            thread.join();
        }
    } const joined{stop, other};
    for (int i = 0; i < 100; ++i) {
        INFO("copy " << i);
        fs::remove(source.copy);
        const int before = committed;
        REQUIRE(copy_database(source.path, source.copy));
        const int after = committed + kAtOnce;  // one may be on its way
        CHECK(check_pages(source.copy, 1, 100'000).damaged.empty());
        auto db = SqliteDb::open(source.copy, SqliteDb::Access::read_write);
        REQUIRE(db);
        CHECK((*db)->must("pragma integrity_check").text(0) == "ok");
        const auto row = (*db)->must("select max(n), min(n), count(*) from t");
        CHECK(row.integer(0) >= before);
        CHECK(row.integer(0) <= after);
        CHECK(row.integer(0) % kAtOnce == 0);
        CHECK(row.integer(2) == row.integer(0) - row.integer(1) + 1);
    }
}
