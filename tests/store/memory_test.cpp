// What a database has in memory does not grow with it.
#include "store/memory.h"

#include <catch2/catch.hpp>
#include <iostream>

#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;

TEST_CASE("a database keeps some of its pages in memory, and no more when it is larger",
          "[store]") {
    const std::uint64_t before = database_memory();
    TestDb test = make_db();
    Db& db = *test.db;
    db.exec_script("create table filler (b blob not null)");
    const auto grown = [&](int mebibytes) {
        Tx tx{db, Tx::Mode::write};
        db.exec(
            "with recursive numbers (i) as (select 1 union all select i + 1 from numbers"
            " where i < $1) insert into filler select randomblob(4096) from numbers",
            {mebibytes * 256});
        tx.commit();
        // Reads every page.
        db.must("select sum(instr(b, x'00112233445566778899')) from filler");
        return (database_memory() - before) / 1024;
    };
    const std::uint64_t small = grown(8);
    const std::uint64_t large = grown(24);
    std::cout << "KiB in memory of a database of 8 MiB: " << small << ", of 32 MiB: " << large
              << '\n';
    CHECK(small > 1'000);  // control: what is kept is seen
    CHECK(large < small + 256);
    CHECK(large < 4'000);
}
