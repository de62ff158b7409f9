// Slow, many and greedy clients. Time is moved by hand: nothing here waits.
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <memory>

#include "control/server.h"
#include "tests/control/harness.h"

using namespace berth;
using namespace berth::testing;
using Catch::Contains;
using Catch::EndsWith;

namespace {

bool readable(const RawClient& client, std::chrono::milliseconds within) {
    pollfd waiting{.fd = client.fd(), .events = POLLIN, .revents = 0};
    return ::poll(&waiting, 1, static_cast<int>(within.count())) == 1;
}

// Moves the clock second by second until the server says or closes something;
// how many seconds that took. The last ones may be too many, never too few.
int seconds_until_cut_off(ServerInThread& server, const RawClient& client) {
    for (int seconds = 1; seconds < 500; ++seconds) {
        server.clock().advance(1s);
        server.on_loop([] {});
        if (readable(client, 20ms)) return seconds;
    }
    return 500;
}

}  // namespace

TEST_CASE("a head that takes too long is cut off", "[control]") {
    ServerInThread server{add_test_routes};
    RawClient client{server.socket()};
    client.send("GET /ok HTTP/1.1\r\nHost:");
    CHECK(seconds_until_cut_off(server, client) >= 10);
    const auto answer = client.read_all();
    CHECK_THAT(answer, Contains("408 Request Timeout") && Contains("connection: close") &&
                           EndsWith(R"({"message":"the request's head took too long"})"));
}

TEST_CASE("a byte now and then does not prolong a head", "[control]") {
    ServerInThread server{add_test_routes};
    RawClient client{server.socket()};
    client.send("GET /ok HTTP/1.1\r\nHost: b\r\n");
    int seconds = 0;
    while (seconds < 1000 && !readable(client, 20ms)) {
        client.send("x");
        server.clock().advance(1s);
        ++seconds;
    }
    CHECK(seconds >= 10);
    CHECK(status_in(client.read_all()) == 408);
}

TEST_CASE("a body that comes too slowly is cut off", "[control]") {
    ServerInThread server{add_test_routes};
    RawClient client{server.socket()};
    client.send("POST /echo HTTP/1.1\r\nHost: b\r\nContent-Length: 100000\r\n\r\n");
    int seconds = 0;
    while (seconds < 1000 && !readable(client, 20ms)) {
        client.send(std::string(50, 'x'));
        server.clock().advance(1s);
        ++seconds;
    }
    CHECK(seconds >= 10);
    CHECK_THAT(client.read_all(),
               Contains("408 Request Timeout") &&
                   EndsWith(R"({"message":"the request's body came too slowly"})"));
}

TEST_CASE("a body that comes fast enough may take long", "[control]") {
    std::atomic<std::size_t> kept = 0;
    ServerInThread server{add_test_routes};
    RawClient client{server.socket()};
    client.send("GET /ok HTTP/1.1\r\nHost: b\r\n\r\n");
    (void)client.read_until("fine");
    client.send("POST /echo HTTP/1.1\r\nHost: b\r\nContent-Length: 122880\r\n\r\n");
    for (int second = 0; second < 60; ++second) {
        client.send(std::string(2048, 'x'));
        // The bytes are in the server before its time goes on.
        REQUIRE(server.wait_until([&] {
            int unread = 0;
            return ::ioctl(client.fd(), TIOCOUTQ, &unread) == 0 && unread == 0;
        }));
        server.on_loop([] {});
        server.clock().advance(1s);
        REQUIRE((second == 59 || !readable(client, 0ms)));
    }
    CHECK_THAT(client.read_until("x]"), Contains("HTTP/1.1 200 OK"));
}

TEST_CASE("an idle connection is closed without a word", "[control]") {
    ServerInThread server{add_test_routes};
    RawClient fresh{server.socket()};
    CHECK(seconds_until_cut_off(server, fresh) >= 60);
    CHECK(fresh.read_all().empty());

    RawClient used{server.socket()};
    used.send("GET /ok HTTP/1.1\r\nHost: b\r\n\r\n");
    (void)used.read_until("fine");
    CHECK(seconds_until_cut_off(server, used) >= 60);
    CHECK(used.read_all().empty());
}

TEST_CASE("a handler that takes long is not hurried", "[control]") {
    ServerInThread server{add_test_routes};
    RawClient client{server.socket()};
    client.send("GET /never HTTP/1.1\r\nHost: b\r\n\r\n");
    for (int i = 0; i < 10; ++i) {
        server.clock().advance(600s);
        server.on_loop([] {});
        CHECK_FALSE(readable(client, 10ms));
    }
}

TEST_CASE("more connections than one user may have are told to come again", "[control]") {
    const bool in_all = GENERATE(true, false);
    ServerInThread server{
        add_test_routes, [&](ServerOptions& options) {
            (in_all ? options.limits.connections : options.limits.connections_per_uid) = 3;
            options.limits.refusals = 2;
        }};
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 3; ++i) {
        clients.push_back(std::make_unique<RawClient>(server.socket()));
        clients.back()->send("GET /ok HTTP/1.1\r\nHost: b\r\n\r\n");
        (void)clients.back()->read_until("fine");
    }
    RawClient fourth{server.socket()};
    fourth.send(kMarker);
    CHECK_THAT(fourth.read_until("}"),
               Contains("503 Service Unavailable") && Contains("retry-after: 1\r\n") &&
                   EndsWith(R"({"message":"too many connections are open; try again"})"));
    RawClient fifth{server.socket()};
    (void)fifth.read_until("}");
    RawClient sixth{server.socket()};  // two linger already: told, and let go at once
    CHECK_THAT(sixth.read_all(),
               Contains("503 Service Unavailable") && Contains("retry-after: 1\r\n"));

    clients.front()->send("GET /ok HTTP/1.1\r\nHost: b\r\n\r\n");
    CHECK_THAT(clients.front()->read_until("fine"), Contains("200 OK"));

    clients.pop_back();
    REQUIRE(server.wait_until([&] { return server.server().connections() <= 4; }));
    RawClient seventh{server.socket()};
    seventh.send(kMarker);
    CHECK(status_in(seventh.read_all()) == 200);
}

TEST_CASE("a client that does not read its answers is not served further", "[control]") {
    std::atomic<int> served = 0;
    const std::string large(64 * 1024, 'x');
    ServerInThread server{[&](Router& router) {
                              router.add({.method = Method::get,
                                          .pattern = "/large",
                                          .summary = "much",
                                          .handler = [&](Request, Reply reply) {
                                              ++served;
                                              reply.text(200, large);
                                          }});
                          },
                          [](ServerOptions& options) { options.limits.unsent_bytes = 256 * 1024; }};
    RawClient client{server.socket()};
    std::string requests;
    for (int i = 0; i < 200; ++i)
        requests += "GET /large HTTP/1.1\r\nHost: b\r\n\r\n";
    client.send(requests);
    REQUIRE(server.wait_until([&] { return served > 0; }));
    for (int turn = 0; turn < 50; ++turn)
        server.on_loop([] {});
    CHECK(served < 20);

    SECTION("until it reads") {
        client.finish_sending();
        CHECK(statuses_in(client.read_all()).size() == 200);
        CHECK(served == 200);
    }
    SECTION("and is cut off in the end") {
        for (int i = 0; i < 200; ++i) {
            server.clock().advance(1s);
            server.on_loop([] {});
        }
        CHECK(server.wait_until([&] {
            server.clock().advance(1s);
            return server.server().connections() == 0;
        }));
        CHECK(served < 20);
    }
}

TEST_CASE("a client that keeps sending after a refusal is cut off", "[control]") {
    ServerInThread server{add_test_routes};
    RawClient client{server.socket()};
    client.send("POST /echo HTTP/1.1\r\nHost: b\r\nContent-Length: 99999999\r\n\r\n");
    CHECK_THAT(client.read_until("}"), Contains("413"));
    client.send(std::string(300'000, 'x'));  // read and thrown away meanwhile
    CHECK(server.wait_until([&] {
        server.clock().advance(1s);
        return server.server().connections() == 0;
    }));
}

TEST_CASE("without a descriptor left the server hangs up, and serves on later", "[control]") {
    ServerInThread server{add_test_routes};
    RawClient before{server.socket()};
    before.send("GET /ok HTTP/1.1\r\nHost: b\r\n\r\n");
    (void)before.read_until("fine");
    for (int turn = 0; turn < 5; ++turn)  // all callbacks of that answer have run
        server.on_loop([] {});

    rlimit old{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &old) == 0);
    const Fd turned_away{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    server.socket().native().copy(address.sun_path, sizeof address.sun_path - 1);
    const Fd next_free{::dup(0)};
    const rlimit none_left{.rlim_cur = static_cast<rlim_t>(next_free.get()) + 1,
                           .rlim_max = old.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none_left) == 0);
    REQUIRE(::connect(turned_away.get(), reinterpret_cast<const sockaddr*>(&address),
                      sizeof address) == 0);
    pollfd waiting{.fd = turned_away.get(), .events = POLLIN, .revents = 0};
    const int closed = ::poll(&waiting, 1, 120'000);
    char byte = 0;
    const auto got = ::read(turned_away.get(), &byte, 1);
    // No more than this meanwhile: UBSan needs descriptors for the first check of each type.
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &old) == 0);
    CHECK(closed == 1);
    CHECK(got == 0);
    before.send("GET /ok HTTP/1.1\r\nHost: b\r\n\r\n");
    CHECK_THAT(before.read_until("fine"), Contains("200 OK"));
    RawClient after{server.socket()};
    after.send(kMarker);
    CHECK(status_in(after.read_all()) == 200);
}

TEST_CASE("where few files may be open, one socket's clients have a part of them only",
          "[control]") {
    rlimit old{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &old) == 0);
    const rlimit few{.rlim_cur = 128, .rlim_max = old.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
    {
        ServerInThread server{add_test_routes};
        std::vector<std::unique_ptr<RawClient>> served;
        for (int i = 0; i < 16; ++i) {  // of one user
            served.push_back(std::make_unique<RawClient>(server.socket()));
            served.back()->send("GET /ok HTTP/1.1\r\nHost: b\r\n\r\n");
            CHECK_THAT(served.back()->read_until("fine"), Contains("200 OK"));
        }
        RawClient one_more{server.socket()};
        const std::string refused = one_more.read_all();
        CHECK_THAT(refused, Contains("503") && Contains("too many connections are open"));
    }
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &old) == 0);
}
