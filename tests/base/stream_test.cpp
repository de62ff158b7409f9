// Unix sockets: who may bind a path, and what streams do when an end goes away.
#include "base/loop/stream.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "base/file.h"
#include "tests/support/run_loop.h"

using namespace berth;
namespace fs = std::filesystem;

namespace {

struct StreamPair {
    Loop loop;
    std::unique_ptr<Stream> a, b;
    StreamPair() {
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        a = std::make_unique<Stream>(loop, Fd{ends[0]});
        b = std::make_unique<Stream>(loop, Fd{ends[1]});
    }
};

}  // namespace

TEST_CASE("a socket path is bound with its mode and answers", "[base]") {
    const TempDir dir{"berth-stream"};
    const fs::path path = dir.path() / "s";
    Loop loop;
    auto fd = Listener::bind(path, 0660);
    REQUIRE(fd);
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0660);

    std::vector<std::unique_ptr<Stream>> streams;
    Listener listener{loop, std::move(*fd), [&](Fd connected) {
                          auto stream = std::make_unique<Stream>(loop, std::move(connected));
                          Stream* echo = stream.get();
                          echo->read([echo](std::string_view bytes) {
                              if (!bytes.empty()) echo->write(std::string{bytes}, {});
                          });
                          streams.push_back(std::move(stream));
                      }};
    std::string got;
    Stream client{loop, connect_unix(path)};
    client.read([&](std::string_view bytes) { got += bytes; });
    client.write("hello", {});
    test::run_until(loop, [&] { return got == "hello"; });
}

TEST_CASE("a socket path that is taken is a conflict, a stale one is replaced", "[base]") {
    const TempDir dir{"berth-stream"};
    const fs::path path = dir.path() / "s";
    {
        const auto held = Listener::bind(path, 0600);
        REQUIRE(held);
        const auto second = Listener::bind(path, 0600);
        REQUIRE_FALSE(second);
        CHECK(second.error().kind == FailureKind::conflict);
        CHECK_THAT(second.error().message, Catch::Contains("another process answers there"));
        CHECK_NOTHROW(connect_unix(path));  // the first is untouched
    }
    CHECK(fs::exists(path));  // its owner is gone and left it
    CHECK(Listener::bind(path, 0600));

    fs::remove(path);
    std::ofstream{path} << "precious";
    const auto file = Listener::bind(path, 0600);
    REQUIRE_FALSE(file);
    CHECK(file.error().kind == FailureKind::conflict);
    CHECK_THAT(file.error().message, Catch::Contains("not a socket"));
    CHECK(read_file(path, 100).value() == "precious");
}

TEST_CASE("a socket path too long or absent says so", "[base]") {
    const TempDir dir{"berth-stream"};
    const auto err = [](const std::function<void()>& act) {
        try {
            act();
        } catch (const SystemError& error) {
            return error.err();
        }
        return 0;
    };
    const fs::path longer = dir.path() / std::string(120, 'x');
    CHECK(err([&] { (void)Listener::bind(longer, 0600); }) == ENAMETOOLONG);
    CHECK(err([&] { (void)Listener::bind(dir.path() / "no" / "s", 0600); }) == ENOENT);
    CHECK(err([&] { (void)connect_unix(dir.path() / "s"); }) == ENOENT);
    (void)Listener::bind(dir.path() / "s", 0600);
    CHECK(err([&] { (void)connect_unix(dir.path() / "s"); }) == ECONNREFUSED);
}

TEST_CASE("a stream carries much, in order, and tells when it is written", "[base]") {
    StreamPair pair;
    const std::string block(1 << 20, 'x');
    std::size_t got = 0;
    int written = 0;
    pair.b->pause();
    for (int i = 0; i < 8; ++i)
        pair.a->write(block, [&](bool ok) { written += ok ? 1 : 0; });
    CHECK(pair.a->queued_bytes() > 0);
    CHECK(written == 0);
    pair.b->read([&](std::string_view bytes) { got += bytes.size(); });
    test::run_until(pair.loop, [&] { return got == block.size() * 8 && written == 8; });
    CHECK(pair.a->queued_bytes() == 0);
}

TEST_CASE("a paused stream leaves what arrives in the kernel", "[base]") {
    StreamPair pair;
    std::string got;
    pair.b->read([&](std::string_view bytes) { got += bytes; });
    pair.b->pause();
    bool written = false;
    pair.a->write("hello", [&](bool) { written = true; });
    test::run_until(pair.loop, [&] { return written; });
    uv_run(pair.loop.raw(), UV_RUN_NOWAIT);
    CHECK(got.empty());
    pair.b->resume();
    test::run_until(pair.loop, [&] { return got == "hello"; });
}

TEST_CASE("the end of a stream is told once, to both sides", "[base]") {
    StreamPair pair;
    int ends = 0;
    std::string got;
    pair.b->read([&](std::string_view bytes) {
        got += bytes;
        ends += bytes.empty() ? 1 : 0;
    });
    pair.a->write("bye", [&](bool) { pair.a.reset(); });
    test::run_until(pair.loop, [&] { return ends == 1; });
    CHECK(got == "bye");
    bool told = false, ok = true;
    pair.b->write("anybody?", [&](bool written) {
        told = true;
        ok = written;
    });
    test::run_until(pair.loop, [&] { return told; });
    CHECK_FALSE(ok);
    CHECK(ends == 1);
}

TEST_CASE("a stream may be destroyed by its own callback, with writes under way", "[base]") {
    StreamPair pair;
    bool told = false;
    pair.b->read([&](std::string_view) { pair.b.reset(); });
    pair.b->write(std::string(4 << 20, 'x'), [&](bool) { told = true; });
    pair.a->write("go", {});
    test::run_until(pair.loop, [&] { return pair.b == nullptr; });
    for (int i = 0; i < 5; ++i)
        uv_run(pair.loop.raw(), UV_RUN_NOWAIT);
    CHECK_FALSE(told);  // no callback runs after the destructor
}
