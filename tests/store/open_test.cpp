// What a store refuses to open, and that it says what to do instead.
#include <sys/stat.h>
#include <unistd.h>

#include "store/db_sqlite.h"
#include "store/migrate.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;

TEST_CASE("a second daemon on the same store is refused and told who has it", "[store]") {
    const TempDir dir{"berth-store"};
    Loop loop;
    auto first = must(make_store(dir.path(), loop));
    const auto second = make_store(dir.path(), loop);
    CHECK_FAILS(second, FailureKind::conflict,
                "is in use by process " + std::to_string(::getpid()) +
                    "; stop that berthd first, or name another directory");
    first.reset();
    CHECK(make_store(dir.path(), loop));
}

TEST_CASE("a store from a newer version is refused, naming both versions", "[store]") {
    const TempDir dir{"berth-store"};
    Loop loop;
    must(make_store(dir.path(), loop));
    const auto known = migrations().back().number;
    connect_again(dir.path())
        ->exec("insert into migrations (number, name, applied) values ($1, 'future', 0)",
               {known + 5});
    const auto opened = make_store(dir.path(), loop);
    CHECK_FAILS(opened, FailureKind::conflict,
                "its schema has version " + std::to_string(known + 5) +
                    ", this program knows version " + std::to_string(known));
}

TEST_CASE("a file that is not a database is refused", "[store]") {
    const TempDir dir{"berth-store"};
    Loop loop;
    write_file_atomically(dir.path() / "berth.db", std::string(8192, 'x'), 0600);
    CHECK_FAILS(make_store(dir.path(), loop), FailureKind::invalid, "it is not a database");
}

TEST_CASE("a database of somebody else is refused", "[store]") {
    const TempDir dir{"berth-store"};
    Loop loop;
    connect_again(dir.path())->exec_script("create table theirs (a integer) strict");
    CHECK_FAILS(make_store(dir.path(), loop), FailureKind::invalid, "but not a Berth store");
}

TEST_CASE("a planted trigger or view is refused", "[store]") {
    const TempDir dir{"berth-store"};
    Loop loop;
    must(make_store(dir.path(), loop));
    const auto* planted =
        GENERATE("create trigger evil after insert on runs begin delete from audit; end",
                 "create view evil as select * from secrets");
    connect_again(dir.path())->exec_script(planted);
    CHECK_FAILS(make_store(dir.path(), loop), FailureKind::invalid,
                "'evil', which Berth did not make");
}

TEST_CASE("the store's files are for its owner only", "[store]") {
    const TempDir dir{"berth-store"};
    Loop loop;
    const auto store = must(make_store(dir.path() / "state", loop));
    for (const char* name : {"state/berth.db", "state/berth.db-wal", "state/berth.lock"}) {
        INFO(name);
        struct stat info {};
        REQUIRE(::stat((dir.path() / name).c_str(), &info) == 0);
        CHECK((info.st_mode & 0077) == 0);
    }
}

TEST_CASE("every connection has SQLite's guards against hostile files", "[store]") {
    const TempDir dir{"berth-store"};
    const auto db = connect_again(dir.path());
    CHECK(db->must("pragma journal_mode").text(0) == "wal");
    CHECK(db->must("pragma synchronous").integer(0) == 2);
    CHECK(db->must("pragma foreign_keys").integer(0) == 1);
    CHECK(db->must("pragma trusted_schema").integer(0) == 0);
    CHECK(db->must("pragma cell_size_check").integer(0) == 1);
    CHECK(db->must("pragma secure_delete").integer(0) == 1);
    CHECK(db->must("pragma mmap_size").integer(0) == 0);
    CHECK_THROWS_AS(db->exec_script("attach '/tmp/other.db' as other"), StoreError);
    db->exec_script("pragma writable_schema=on");
    CHECK_THROWS_AS(db->exec("delete from sqlite_schema"), StoreError);
}

TEST_CASE("a migration that fails leaves the store as it was and can be tried again", "[store]") {
    TestDb made = make_db();
    Db& db = made;
    const auto known = migrations().back().number;
    std::vector<Migration> steps{migrations().begin(), migrations().end()};
    steps.push_back({known + 1, "more", "create table more (a integer) strict;"});
    steps.push_back({known + 2, "broken", "create table half (a integer) strict; nonsense;"});
    CHECK_THROWS_AS(migrate(db, "berth.db", kNow, steps), StoreError);
    CHECK(db.one("select 1 from sqlite_schema where name = 'more'"));
    CHECK_FALSE(db.one("select 1 from sqlite_schema where name = 'half'"));
    CHECK(db.must("select max(number) from migrations").integer(0) == known + 1);

    steps.back().sql = "create table half (a integer) strict;";
    must(migrate(db, "berth.db", kNow, steps));
    CHECK(db.must("select max(number) from migrations").integer(0) == known + 2);
}
