// A backup of all that Berth keeps, under a store that is written to, and back.
#include "daemon/backup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "base/file.h"
#include "base/pack.h"
#include "source/archive.h"
#include "store/dir_lock.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;
namespace fs = std::filesystem;

namespace {

struct Place {
    TempDir dir{"berth-backup"};
    fs::path copy = dir.path() / "copy";

    Config config(const char* name = "state") const {
        const fs::path state = dir.path() / name;
        fs::create_directories(state / "store");
        fs::create_directories(state / "releases");
        auto config = parse_config("state_dir = " + state.string(), "c");
        REQUIRE(config);
        return *config;
    }
};

struct Filled : Place {
    Loop loop;
    Config from = config();
    std::unique_ptr<Store> store = must(make_store(from.store_dir(), loop));

    Filled() {
        fs::create_directories(from.store_dir() / "logs");
        fs::create_directories(from.releases_dir / "abc123/lib");
        std::ofstream{from.releases_dir / "abc123/lib/run.sh"} << "echo hello\n";
        fs::permissions(from.releases_dir / "abc123/lib/run.sh", fs::perms{0500});
        fs::create_symlink("lib/run.sh", from.releases_dir / "abc123/run");
        fs::create_directories(from.releases_dir / ".new-half");
    }
};

// What `berth backup` writes: the tar of a snapshot.
void write_tar(const Config& from, const fs::path& folder, const fs::path& tar) {
    fs::create_directory(folder);
    const auto copied = snapshot(from, folder);
    if (!copied) FAIL(copied.error().message);
    const Fd out{::open(tar.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    REQUIRE(pack_directory(folder, out.get()));
}

}  // namespace

TEST_CASE("what was backed up under a running store is there after a restore", "[daemon]") {
    Filled place;
    const auto saved = back_up(place.from, place.copy);
    REQUIRE(saved);
    CHECK(saved->databases >= 1);
    CHECK(saved->releases == 1);
    struct stat info {};
    REQUIRE(::stat(place.copy.c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0700);

    const Config to = place.config("other");
    const auto restored = restore(to, place.copy);
    REQUIRE(restored);
    CHECK(restored->databases == saved->databases);
    CHECK(restored->releases == 1);
    CHECK(read_file(to.releases_dir / "abc123/run", 100).value() == "echo hello\n");
    CHECK(fs::is_symlink(to.releases_dir / "abc123/run"));
    CHECK((fs::status(to.releases_dir / "abc123/lib/run.sh").permissions() & fs::perms::all) ==
          fs::perms{0500});
    CHECK_FALSE(fs::exists(to.releases_dir / ".new-half"));
    Loop loop;
    CHECK(make_store(to.store_dir(), loop));
}

TEST_CASE("the root key is in no backup", "[daemon]") {
    Filled place;
    fs::create_directories(place.from.root_key.parent_path());
    std::ofstream{place.from.root_key} << "the-root-key-itself";
    REQUIRE(back_up(place.from, place.copy));
    for (const auto& entry : fs::recursive_directory_iterator{place.copy}) {
        INFO(entry.path());
        CHECK(entry.path().filename() != "root.key");
        if (entry.is_regular_file())
            CHECK(read_file(entry.path(), 1 << 28).value().find("the-root-key-itself") ==
                  std::string::npos);
    }
}

TEST_CASE("what is put back belongs to the owner of its folder", "[daemon]") {
    if (::geteuid() != 0) return;  // only root can give files away
    Filled place;
    REQUIRE(back_up(place.from, place.copy));
    const Config to = place.config("other");
    REQUIRE(::chown(to.store_dir().c_str(), 4711, 4712) == 0);
    REQUIRE(::chown(to.releases_dir.c_str(), 4711, 4712) == 0);
    REQUIRE(restore(to, place.copy));
    for (const fs::path& path : {to.store_dir() / "berth.db", to.store_dir() / "berth.lock",
                                 to.releases_dir / "abc123/lib/run.sh"}) {
        struct stat info {};
        INFO(path);
        REQUIRE(::lstat(path.c_str(), &info) == 0);
        CHECK(info.st_uid == 4711);
        CHECK(info.st_gid == 4712);
    }
}

TEST_CASE("nothing that is there is overwritten, by a backup or a restore", "[daemon]") {
    Filled place;
    fs::create_directory(place.copy);
    auto result = back_up(place.from, place.copy);
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == FailureKind::conflict);
    CHECK(fs::is_empty(place.copy));
    fs::remove(place.copy);
    REQUIRE(back_up(place.from, place.copy));

    result = restore(place.from, place.copy);
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == FailureKind::conflict);
    CHECK_THAT(result.error().message, Catch::Contains("nothing was put back"));
}

TEST_CASE("a restore waits for no berthd that has the store, and takes no folder for a backup",
          "[daemon]") {
    Filled place;
    REQUIRE(back_up(place.from, place.copy));
    const Config to = place.config("other");
    const auto held = lock_dir(to.store_dir());
    REQUIRE(held);
    auto result = restore(to, place.copy);
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == FailureKind::conflict);
    CHECK_THAT(result.error().message, Catch::Contains("is in use by process"));

    result = restore(to, place.dir.path());
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == FailureKind::not_found);
    result = back_up(to, place.dir.path() / "third");
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == FailureKind::not_found);
    CHECK_FALSE(fs::exists(place.dir.path() / "third"));
}

TEST_CASE("a backup's tar is put back, unless it is damaged anywhere", "[daemon]") {
    Filled place;
    // A release is named by its content.
    const auto hash = content_hash(place.from.releases_dir / "abc123");
    fs::create_directories(place.from.releases_dir / "abc123/.git");
    std::ofstream{place.from.releases_dir / "abc123/.git/kept"} << "as it was uploaded";
    const auto with_git = content_hash(place.from.releases_dir / "abc123");
    REQUIRE(hash != with_git);
    fs::rename(place.from.releases_dir / "abc123", place.from.releases_dir / with_git);
    const fs::path tar = place.dir.path() / "backup.tar";
    write_tar(place.from, place.copy, tar);

    const Config to = place.config("other");
    const auto restored = restore(to, tar);
    if (!restored) FAIL(restored.error().message);
    CHECK(restored->releases == 1);
    CHECK(content_hash(to.releases_dir / with_git) == with_git);
    CHECK(read_file(to.releases_dir / with_git / ".git/kept", 100).value() == "as it was uploaded");
    for (const auto& entry : fs::directory_iterator{to.store_dir()})
        CHECK_FALSE(entry.path().filename().string().starts_with(".restore-"));
    Loop loop;
    CHECK(make_store(to.store_dir(), loop));

    std::string bytes = read_file(tar, 1 << 28).value();
    const auto refused = [&](const std::string& changed, FailureKind kind) {
        const Config third = place.config("third");
        write_file_atomically(tar, changed, 0600);
        const auto result = restore(third, tar);
        REQUIRE_FALSE(result);
        INFO(result.error().message);
        CHECK(result.error().kind == kind);
        CHECK_FALSE(fs::exists(third.store_dir() / "berth.db"));
        return result.error().message;
    };
    std::string lies = bytes;
    lies.replace(lies.find("echo hello"), 10, "echo lies!");
    CHECK_THAT(refused(lies, FailureKind::invalid), Catch::Contains("is damaged"));
    CHECK_THAT(refused(bytes.substr(0, bytes.size() / 2), FailureKind::invalid),
               Catch::Contains("is no whole backup"));
    CHECK_THAT(refused("no tar", FailureKind::invalid), Catch::Contains("is no whole backup"));
    fs::remove(tar);
    const auto none = restore(place.config("fourth"), tar);
    REQUIRE_FALSE(none);
    CHECK(none.error().kind == FailureKind::not_found);
}
