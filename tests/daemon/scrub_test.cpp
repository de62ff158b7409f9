// Damage is found before somebody needs the page, a stretch at a time.
#include "daemon/scrub.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "base/loop/loop.h"
#include "base/loop/worker.h"
#include "store/settings.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;

namespace {

constexpr std::size_t kPage = 4096;

void fill(const std::filesystem::path& dir) {
    Loop loop;
    const auto store = must(make_store(dir, loop));
    must(write_now(*store, loop, [](Db& db) {
        for (int i = 0; i < 10; ++i)
            set_setting(db, kBy, std::to_string(i), std::string(20'000, 'x'));
    }));
}

void damage(const std::filesystem::path& file, std::size_t page) {
    std::fstream bytes{file, std::ios::binary | std::ios::in | std::ios::out};
    bytes.seekp(static_cast<std::streamoff>((page - 1) * kPage + 77));
    bytes.put('\x55');
    REQUIRE(bytes.flush());
}

}  // namespace

TEST_CASE("all files are read, a stretch at a time, and then from the beginning", "[daemon]") {
    const TempDir dir{"berth-scrub"};
    fill(dir.path());
    std::filesystem::create_directory(dir.path() / "logs");
    std::filesystem::copy_file(dir.path() / "berth.db", dir.path() / "logs" / "2027-01-15.db");
    const auto pages = std::filesystem::file_size(dir.path() / "berth.db") / kPage;
    REQUIRE(pages > 40);
    damage(dir.path() / "berth.db", 30);
    damage(dir.path() / "logs" / "2027-01-15.db", 40);

    for (int round = 0; round < 2; ++round) {
        ScrubPlace at;
        std::vector<std::string> found;
        int looks = 0;
        do {
            for (std::string& words : scrub(dir.path(), at, 10))
                found.push_back(std::move(words));
            REQUIRE(++looks < 100);
        } while (!at.file.empty());
        CHECK(looks >= static_cast<int>(2 * pages / 10));
        REQUIRE(found.size() == 2);
        CHECK_THAT(found[0], Catch::Contains("page 30 of '") && Catch::Contains("berth.db"));
        CHECK_THAT(found[1], Catch::Contains("page 40 of '") && Catch::Contains("2027-01-15.db"));
    }
}

TEST_CASE("what is found while the store is open the store tells", "[daemon]") {
    const TempDir dir{"berth-scrub"};
    fill(dir.path());
    Loop loop;
    const auto store = must(make_store(dir.path(), loop));
    {
        Worker work{"scrub"};
        Scrub scrub{dir.path(), work, *store};
        scrub.look();
    }
    CHECK(store->damage().empty());
    damage(dir.path() / "berth.db", 33);
    {
        Worker work{"scrub"};
        Scrub scrub{dir.path(), work, *store};
        scrub.look();
        scrub.look();
    }
    REQUIRE(store->damage().size() == 1);
    CHECK_THAT(store->damage().front(), Catch::Contains("page 33 of '"));
}
