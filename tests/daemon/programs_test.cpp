// The programs of jobs as releases: the same is stored once, and old ones go.
#include "daemon/programs.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <set>

#include "base/file.h"
#include "source/archive.h"

using namespace berth;
namespace fs = std::filesystem;

namespace {

struct House {
    House() { fs::create_directories(releases); }
    // As an upgrade does it.
    std::string store(const std::string& version) {
        for (const char* name : {"berth-oauth", "berth-call"}) {
            std::ofstream{programs.path() / name, std::ios::trunc} << name << version;
            fs::permissions(programs.path() / name, fs::perms{0755});
        }
        auto hash = store_programs({programs.path() / "none", programs.path()}, releases);
        if (!hash) FAIL(hash.error().message);
        // So that the order of their last use is seen whatever the clock's grain is.
        fs::last_write_time(releases / *hash, fs::file_time_type::clock::now() +
                                                  std::chrono::seconds{++stored - 1000});
        return *hash;
    }
    std::set<std::string> there() const {
        std::set<std::string> names;
        for (const auto& entry : fs::directory_iterator{releases})
            names.insert(entry.path().filename());
        return names;
    }
    TempDir dir{"releases"};
    TempDir programs{"programs"};
    const fs::path releases = dir.path() / "releases";
    int stored = 0;
};

}  // namespace

TEST_CASE("the programs of jobs are stored once, and of older ones the last stays", "[daemon]") {
    House house;
    // An integration's release, though it has a file that is called alike, is not ours.
    const TempDir integration{"integration"};
    std::ofstream{integration.path() / "PANDIUM.yaml"} << "version: 1.0\n";
    std::ofstream{integration.path() / "berth-oauth"} << "x";
    const std::string theirs(64, 'a');
    fs::copy(integration.path(), house.releases / theirs, fs::copy_options::recursive);

    const auto one = house.store("1");
    CHECK(house.store("1") == one);
    CHECK(house.there() == std::set{theirs, one});
    const auto two = house.store("2");
    CHECK(house.there() == std::set{theirs, one, two});
    const auto three = house.store("3");
    CHECK(house.there() == std::set{theirs, two, three});
    // A way back: what is used again is not the oldest.
    CHECK(house.store("2") == two);
    const auto four = house.store("4");
    CHECK(house.there() == std::set{theirs, two, four});
    CHECK(fs::exists(house.releases / four / "berth-call"));
    // Whatever the clock was: what is in use stays.
    for (const auto& hash : {two, four})
        fs::last_write_time(house.releases / hash,
                            fs::file_time_type::clock::now() + std::chrono::hours{24 * 365});
    const auto five = house.store("5");
    CHECK(house.there().contains(five));
    CHECK(house.there().size() == 3);
}

TEST_CASE("without the programs it is said where they were looked for", "[daemon]") {
    House house;
    const auto none = store_programs({house.programs.path()}, house.releases);
    REQUIRE_FALSE(none);
    CHECK(none.error().kind == FailureKind::not_found);
    CHECK_THAT(none.error().message, Catch::Contains(house.programs.path().string()));
    CHECK(house.there().empty());
}
