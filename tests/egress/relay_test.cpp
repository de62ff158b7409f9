// Two sockets as one connection: bytes, ends and resets as they were, and no memory
// for what cannot be delivered.
#include "sandbox/egress/relay.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>

#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/pipe.h"
#include "model/limits.h"
#include "tests/support/run_loop.h"

using namespace berth;
using namespace berth::egress;
using test::run_until;

namespace {

// A TCP connection over loopback: `near` is the relay's, `far` the test's.
struct Tcp {
    Fd near, far;

    Tcp() {
        const Fd listener{check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "making")};
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        auto* any = reinterpret_cast<sockaddr*>(&at);
        check(::bind(listener.get(), any, size), "binding");
        check(::listen(listener.get(), 1), "listening");
        check(::getsockname(listener.get(), any, &size), "asking");
        far.reset(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "making"));
        check(::connect(far.get(), any, size), "connecting");
        near.reset(check(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK),
                         "accepting"));
        set_blocking(far.get(), Blocking::no);
    }
    void say(std::string_view text) {
        REQUIRE(::send(far.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(text.size()));
    }
    void end() { REQUIRE(::shutdown(far.get(), SHUT_WR) == 0); }
    // What has come; `over` tells how it went on: 0 the end, else the errno.
    std::string heard;
    int over = EAGAIN;
    void listen() {
        char buffer[65536];
        for (ssize_t n; (n = ::recv(far.get(), buffer, sizeof buffer, 0)) != -1;) {
            if (n == 0) {
                over = 0;
                return;
            }
            heard.append(buffer, static_cast<std::size_t>(n));
        }
        over = errno;
    }
};

struct Pair {
    Loop loop;
    Tcp script, world;
    bool ended = false;
    std::unique_ptr<Relay> relay;

    void start(Relay::Inspect inspect = {}, std::string to_world = {}) {
        relay = std::make_unique<Relay>(loop,
                                        Relay::Ends{std::move(script.near),
                                                    std::move(world.near),
                                                    {},
                                                    std::move(to_world),
                                                    std::move(inspect)},
                                        [this] { ended = true; });
    }
    void until(const std::function<bool()>& done) {
        run_until(loop, [&] {
            script.listen();
            world.listen();
            return done();
        });
    }
};

}  // namespace

TEST_CASE("bytes and ends go both ways, one end after the other", "[egress]") {
    Pair pair;
    pair.start();
    pair.script.say("question");
    pair.script.end();
    pair.until([&] { return pair.world.over == 0; });
    CHECK(pair.world.heard == "question");
    CHECK_FALSE(pair.ended);  // half of it is still open
    pair.world.say("answer");
    pair.world.end();
    pair.until([&] { return pair.ended && pair.script.over == 0; });
    CHECK(pair.script.heard == "answer");
    CHECK(pair.relay->sent() == 8);
    CHECK(pair.relay->received() == 6);
}

TEST_CASE("a reset is passed on as one", "[egress]") {
    Pair pair;
    pair.start();
    pair.script.say("x");
    pair.until([&] { return pair.world.heard == "x"; });
    SECTION("of the world") {
        reset_connection(std::move(pair.world.far));
        pair.until([&] { return pair.ended && pair.script.over != EAGAIN; });
        CHECK(pair.script.over == ECONNRESET);
    }
    SECTION("of the script") {
        reset_connection(std::move(pair.script.far));
        pair.until([&] { return pair.ended && pair.world.over != EAGAIN; });
        CHECK(pair.world.over == ECONNRESET);
    }
    SECTION("of the relay, at the end of its run") {
        pair.relay.reset();
        pair.until([&] { return pair.world.over != EAGAIN && pair.script.over != EAGAIN; });
        CHECK(pair.world.over == ECONNRESET);
        CHECK(pair.script.over == ECONNRESET);
    }
}

TEST_CASE("a reader that does not read stops the writer", "[egress]") {
    Pair pair;
    pair.start();
    const std::string piece(64 * 1024, 'x');
    std::size_t written = 0;
    int quiet = 0;
    // Turns of the loop in which nothing more could be written: everything is full.
    while (quiet < 50) {
        const ssize_t n = ::send(pair.world.far.get(), piece.data(), piece.size(), MSG_NOSIGNAL);
        if (n > 0) written += static_cast<std::size_t>(n);
        quiet = n > 0 ? 0 : quiet + 1;
        uv_run(pair.loop.raw(), UV_RUN_NOWAIT);
    }
    CHECK(written < 32 * limits::MiB);  // the kernel's buffers, and one of ours
    CHECK(pair.relay->received() <= written);
    pair.world.end();
    pair.until([&] { return pair.script.over == 0; });
    CHECK(pair.script.heard.size() == written);
}

TEST_CASE("what is looked at first is held back until it is agreed to", "[egress]") {
    Pair pair;
    pair.start([](std::string_view bytes) {
        if (bytes.size() < 5) return Relay::Verdict::need_more;
        return bytes == "hello" ? Relay::Verdict::yes : Relay::Verdict::no;
    });
    pair.script.say("hel");
    pair.world.say("banner");  // of servers that speak first
    pair.until([&] { return pair.script.heard == "banner"; });
    CHECK(pair.world.heard.empty());
    SECTION("and goes on") {
        pair.script.say("lo");
        pair.until([&] { return pair.world.heard == "hello"; });
        pair.script.say(" more");
        pair.until([&] { return pair.world.heard == "hello more"; });
    }
    SECTION("or never arrives") {
        pair.script.say("LO");
        pair.until([&] { return pair.ended && pair.script.over != EAGAIN; });
        CHECK(pair.relay->refused());
        CHECK(pair.script.over == ECONNRESET);
        CHECK(pair.world.heard.empty());
    }
    SECTION("nor when it ends too early") {
        pair.script.end();
        pair.until([&] { return pair.ended; });
        CHECK(pair.world.heard.empty());
    }
}

TEST_CASE("what came with the head of a request is looked at as well", "[egress]") {
    Pair pair;
    pair.start(
        [](std::string_view bytes) {
            return bytes == "evil" ? Relay::Verdict::no : Relay::Verdict::yes;
        },
        "evil");
    pair.until([&] { return pair.ended && pair.world.over != EAGAIN; });
    CHECK(pair.world.heard.empty());
}
