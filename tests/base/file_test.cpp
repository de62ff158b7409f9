#include "base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "base/pipe.h"

using namespace berth;
namespace fs = std::filesystem;

namespace {

int err_of(const std::function<void()>& act) {
    try {
        act();
    } catch (const SystemError& error) {
        return error.err();
    }
    return 0;
}

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

}  // namespace

TEST_CASE("a descriptor is closed once, by its last owner", "[base]") {
    Pipe pipe = make_pipe();
    const int number = pipe.read.get();
    CHECK((::fcntl(number, F_GETFD) & FD_CLOEXEC) != 0);
    Fd moved = std::move(pipe.read);
    CHECK_FALSE(pipe.read);
    CHECK(moved.get() == number);
    Fd& same = moved;
    moved = std::move(same);
    CHECK(is_open(number));
    {
        const Fd last = std::move(moved);
        CHECK(is_open(number));
    }
    CHECK_FALSE(is_open(number));

    const int kept = pipe.write.release();
    CHECK_FALSE(pipe.write);
    CHECK(is_open(kept));
    Fd{kept}.reset();
    CHECK_FALSE(is_open(kept));
}

TEST_CASE("a file is read whole, up to its limit", "[base]") {
    const TempDir dir{"berth-file"};
    const fs::path path = dir.path() / "file";
    const std::string content(100'000, 'x');
    write_file_atomically(path, content, 0640);
    CHECK(read_file(path, 100'000).value() == content);

    const auto over = read_file(path, 99'999);
    REQUIRE_FALSE(over);
    CHECK(over.error().kind == FailureKind::over_limit);
    CHECK_THAT(over.error().message, Catch::EndsWith("is larger than 99999 bytes"));

    const auto missing = read_file(dir.path() / "missing", 1);
    REQUIRE_FALSE(missing);
    CHECK(missing.error().kind == FailureKind::not_found);
    CHECK_FALSE(read_file(path / "below-a-file", 1));
    CHECK(err_of([&] { (void)read_file(dir.path(), 1); }) == EISDIR);
}

TEST_CASE("a file is replaced as a whole, with its mode, and nothing is left beside it", "[base]") {
    const TempDir dir{"berth-file"};
    const fs::path path = dir.path() / "file";
    write_file_atomically(path, "old", 0644);
    std::ofstream{path.string() + ".new"} << "left by a crash";
    write_file_atomically(path, "new", 0600);
    CHECK(read_file(path, 100).value() == "new");
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0600);
    CHECK(std::distance(fs::directory_iterator{dir.path()}, fs::directory_iterator{}) == 1);

    CHECK(err_of([&] { write_file_atomically(dir.path() / "no" / "file", "x", 0600); }) == ENOENT);
    CHECK(read_file(path, 100).value() == "new");
}

TEST_CASE("writing to a pipe nobody reads is an error, not a signal's death", "[base]") {
    ::signal(SIGPIPE, SIG_IGN);
    Pipe pipe = make_pipe();
    pipe.read.reset();
    CHECK(err_of([&] { write_all(pipe.write.get(), "x"); }) == EPIPE);
}

TEST_CASE("nothing is opened through a link or out of its directory", "[base]") {
    const TempDir dir{"berth-file"};
    fs::create_directories(dir.path() / "root" / "sub");
    std::ofstream{dir.path() / "outside"} << "outside";
    std::ofstream{dir.path() / "root" / "sub" / "file"} << "inside";
    fs::create_symlink("../outside", dir.path() / "root" / "out");
    fs::create_symlink("sub", dir.path() / "root" / "link");
    const Fd root{::open((dir.path() / "root").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    const auto open = [&](const char* path) { (void)open_beneath(root.get(), path, O_RDONLY); };

    CHECK_NOTHROW(open("sub/file"));
    CHECK_NOTHROW(open("sub/../sub/file"));
    CHECK(err_of([&] { open("../outside"); }) == EXDEV);
    CHECK(err_of([&] { open("sub/../../outside"); }) == EXDEV);
    CHECK(err_of([&] { open("/etc/passwd"); }) == EXDEV);
    CHECK(err_of([&] { open("out"); }) == ELOOP);
    CHECK(err_of([&] { open("link/file"); }) == ELOOP);
    CHECK(err_of([&] { open("missing"); }) == ENOENT);
}

TEST_CASE("a temporary directory goes with its owner", "[base]") {
    fs::path path;
    {
        const TempDir dir{"berth-file"};
        path = dir.path();
        fs::create_directories(path / "a" / "b");
        std::ofstream{path / "a" / "b" / "c"} << "x";
        CHECK((fs::status(path).permissions() & fs::perms::all) == fs::perms::owner_all);
    }
    CHECK_FALSE(fs::exists(path));
}
