// The root key's file: each way in which it could be read by others, or be
// something else, is refused by name.
#include "vault/root_key.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "base/crypto.h"
#include "base/file.h"

using namespace berth;
using namespace berth::vault;
namespace fs = std::filesystem;

namespace {

// A folder with a good key file, and a state directory apart from it.
struct Place {
    TempDir dir{"berth-root-key"};
    fs::path key = dir.path() / "root.key";
    fs::path state = dir.path() / "state";

    Place() {
        fs::create_directory(state);
        REQUIRE(make_root_key_file(key));
    }
    void write(std::string_view bytes) {
        fs::remove(key);
        std::ofstream{key} << bytes;
        ::chmod(key.c_str(), 0400);
    }
    Result<RootKey> load() { return load_root_key(key, ::getuid(), state); }
    void refuses(FailureKind kind, const std::string& why) {
        const auto loaded = load();
        INFO(why);
        REQUIRE_FALSE(loaded);
        CHECK(loaded.error().kind == kind);
        CHECK(loaded.error().where == key.string());
        CHECK_THAT(loaded.error().message, Catch::Contains(why));
    }
};

}  // namespace

TEST_CASE("a root key file is made once, for its owner's eyes, and loads", "[vault]") {
    Place place;
    struct stat info {};
    REQUIRE(::stat(place.key.c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0400);
    CHECK(info.st_size == 32);
    const auto key = place.load();
    REQUIRE(key);
    const auto bytes = read_file(place.key, 32).value();
    CHECK(key->bytes.reveal() == bytes);
    CHECK(key->id == sha256("berth root key id" + bytes).substr(0, 8));

    const auto again = make_root_key_file(place.key);
    REQUIRE_FALSE(again);
    CHECK(again.error().kind == FailureKind::conflict);
    CHECK(read_file(place.key, 32).value() == bytes);
}

TEST_CASE("a root key that others may use is refused", "[vault]") {
    Place place;
    const unsigned mode = GENERATE(0440u, 0404u, 0420u, 0402u, 0410u, 0401u, 0444u, 0660u, 0777u);
    ::chmod(place.key.c_str(), mode);
    place.refuses(FailureKind::denied, "do 'chmod 0400' on it");
}

TEST_CASE("a root key of another owner is refused", "[vault]") {
    Place place;
    const auto loaded = load_root_key(place.key, ::getuid() + 1, place.state);
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().kind == FailureKind::denied);
    CHECK_THAT(loaded.error().message,
               Catch::Contains(fmt::format("do 'chown {}' on it", ::getuid() + 1)));
}

TEST_CASE("a root key that is not a plain file of its own is refused", "[vault]") {
    Place place;
    const fs::path real = place.dir.path() / "real.key";
    SECTION("a link to a good key") {
        fs::rename(place.key, real);
        fs::create_symlink(real, place.key);
        place.refuses(FailureKind::denied, "symbolic link");
    }
    SECTION("a link to nothing") {
        fs::rename(place.key, real);
        fs::create_symlink("nowhere", place.key);
        place.refuses(FailureKind::denied, "symbolic link");
    }
    SECTION("a second name") {
        fs::create_hard_link(place.key, real);
        place.refuses(FailureKind::denied, "hard link");
    }
    SECTION("a directory") {
        fs::remove(place.key);
        fs::create_directory(place.key);
        place.refuses(FailureKind::denied, "not a regular file");
    }
    SECTION("a fifo, without waiting for its writer") {
        fs::remove(place.key);
        REQUIRE(::mkfifo(place.key.c_str(), 0400) == 0);
        place.refuses(FailureKind::denied, "not a regular file");
    }
    SECTION("a socket") {
        fs::remove(place.key);
        const Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        place.key.native().copy(address.sun_path, sizeof address.sun_path - 1);
        REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        place.refuses(FailureKind::denied, "not a regular file");
    }
    SECTION("a device") {
        place.key = "/dev/zero";
        place.refuses(FailureKind::denied, "not a regular file");
    }
    SECTION("nothing") {
        fs::remove(place.key);
        place.refuses(FailureKind::not_found, "'berth init' makes one");
    }
}

TEST_CASE("a root key of another size or without randomness is refused", "[vault]") {
    Place place;
    for (const std::size_t size : {0U, 1U, 31U, 33U, 64U, 4096U}) {
        place.write(random_bytes(size));
        place.refuses(FailureKind::invalid,
                      fmt::format("it has {} bytes and a root key has 32", size));
    }
    place.write(std::string(32, '\0'));
    place.refuses(FailureKind::invalid, "all its bytes are the same");
}

TEST_CASE("a root key anywhere below the state directory is refused", "[vault]") {
    Place place;
    const std::string why = "it lies in the state directory";
    SECTION("beside the database") {
        fs::rename(place.key, place.state / "root.key");
        place.key = place.state / "root.key";
        place.refuses(FailureKind::denied, why);
    }
    SECTION("further down") {
        fs::create_directories(place.state / "a" / "b");
        fs::rename(place.key, place.state / "a" / "b" / "root.key");
        place.key = place.state / "a" / "b" / "root.key";
        place.refuses(FailureKind::denied, why);
    }
    SECTION("by way of a link") {
        fs::rename(place.key, place.state / "root.key");
        fs::create_directory_symlink(place.state, place.dir.path() / "elsewhere");
        place.key = place.dir.path() / "elsewhere" / "root.key";
        place.refuses(FailureKind::denied, why);
    }
    SECTION("by way of a detour") {
        fs::rename(place.key, place.state / "root.key");
        place.key = place.state / ".." / "state" / "." / "root.key";
        place.refuses(FailureKind::denied, why);
    }
}

TEST_CASE("a credential is taken as systemd hands it over", "[vault]") {
    Place place;
    CHECK(load_root_key_credential(place.key, ::getuid()));
    // Where it is given by an access list, its mask is shown as the group's bits.
    ::chmod(place.key.c_str(), 0440);
    const auto key = load_root_key_credential(place.key, ::getuid());
    REQUIRE(key);
    CHECK(key->bytes.reveal() == read_file(place.key, 32).value());
}

TEST_CASE("a credential that is not systemd's own doing is refused", "[vault]") {
    Place place;
    const auto refuses = [&](FailureKind kind, const std::string& why, uid_t own) {
        const auto loaded = load_root_key_credential(place.key, own);
        INFO(why);
        REQUIRE_FALSE(loaded);
        CHECK(loaded.error().kind == kind);
        CHECK_THAT(loaded.error().message, Catch::Contains(why));
    };
    ::chmod(place.key.c_str(), 0444);
    refuses(FailureKind::denied, "lets every user of this host read it", ::getuid());
    place.write(std::string(31, 'x'));
    refuses(FailureKind::invalid, "it has 31 bytes", ::getuid());
    place.write(std::string(32, 'x'));
    refuses(FailureKind::invalid, "all its bytes are the same", ::getuid());
    fs::remove(place.key);
    refuses(FailureKind::not_found, "there is none", ::getuid());
    fs::create_symlink("/dev/null", place.key);
    refuses(FailureKind::denied, "symbolic link", ::getuid());
    if (::getuid() == 0) {
        place.write("x");
        REQUIRE(::chown(place.key.c_str(), 12345, 12345) == 0);
        refuses(FailureKind::denied, "belongs to user 12345", 777);
    }
}
