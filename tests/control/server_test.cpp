// The server's manners with clients that behave: keep-alive, order, stop.
#include "control/server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <deque>

#include "base/pipe.h"
#include "tests/control/harness.h"

using namespace berth;
using namespace berth::testing;
using Catch::Contains;
using Catch::EndsWith;

namespace {

// GET /later/{name}: answered when the test says so.
struct Later {
    std::deque<std::pair<std::string, Reply>> waiting;  // Thread: loop

    std::function<void(Router&)> routes() {
        return [this](Router& router) {
            add_test_routes(router);
            router.add({.method = Method::get,
                        .pattern = "/later/{name}",
                        .summary = "answered later",
                        .handler = [this](Request request, Reply reply) {
                            waiting.emplace_back(request.param("name"), std::move(reply));
                        }});
        };
    }
    void answer() {
        auto [name, reply] = std::move(waiting.front());
        waiting.pop_front();
        reply.text(200, "for " + name);
    }
};

std::string get(std::string_view path) {
    return fmt::format("GET {} HTTP/1.1\r\nHost: b\r\n\r\n", path);
}

}  // namespace

TEST_CASE("a connection is used for one request after the other", "[control]") {
    ServerInThread server{add_test_routes};
    RawClient client{server.socket()};
    for (int i = 0; i < 3; ++i) {
        client.send(get("/ok"));
        const auto answer = client.read_until("fine");
        CHECK_THAT(answer, Contains("HTTP/1.1 200 OK\r\n") && Contains("content-length: 4\r\n"));
        CHECK_THAT(answer, !Contains("connection: close"));
    }
    std::size_t open = 0;
    server.on_loop([&] { open = server.server().connections(); });
    CHECK(open == 1);
}

TEST_CASE("pipelined requests are answered in their order, one at a time", "[control]") {
    Later later;
    ServerInThread server{later.routes()};
    RawClient client{server.socket()};
    client.send(get("/later/a") + get("/ok") + get("/later/b"));
    REQUIRE(server.wait_until([&] { return later.waiting.size() == 1; }));
    server.on_loop([&] { later.answer(); });
    CHECK_THAT(client.read_until("for a"), EndsWith("for a"));
    CHECK_THAT(client.read_until("fine"), EndsWith("fine"));
    REQUIRE(server.wait_until([&] { return later.waiting.size() == 1; }));
    server.on_loop([&] { later.answer(); });
    CHECK_THAT(client.read_until("for b"), EndsWith("for b"));
}

TEST_CASE("a reply that dies unsent answers 500", "[control]") {
    ServerInThread server{add_test_routes};
    RawClient client{server.socket()};
    const auto* path = GENERATE("/drops", "/throws");
    client.send(get(path));
    const auto answer = client.read_until("}");
    CHECK_THAT(answer, Contains("HTTP/1.1 500 Internal Server Error"));
    CHECK_THAT(answer,
               EndsWith(R"({"message":"the request was not answered because of a mistake in )"
                        R"(berthd; its log may say more"})"));
    client.send(get("/ok"));
    CHECK_THAT(client.read_until("fine"), Contains("200 OK"));
}

TEST_CASE("a reply may outlive its connection", "[control]") {
    Later later;
    ServerInThread server{later.routes()};
    {
        RawClient client{server.socket()};
        client.send(get("/later/a"));
        REQUIRE(server.wait_until([&] { return later.waiting.size() == 1; }));
    }
    // Nothing was said about the client's end; the answer finds it out.
    server.on_loop([&] { later.answer(); });
    CHECK(server.wait_until([&] { return server.server().connections() == 0; }));
}

TEST_CASE("a client that half-closes still gets its answer", "[control]") {
    Later later;
    ServerInThread server{later.routes()};
    RawClient client{server.socket()};
    client.send(get("/later/a"));
    client.finish_sending();
    REQUIRE(server.wait_until([&] { return later.waiting.size() == 1; }));
    server.on_loop([&] { later.answer(); });
    CHECK_THAT(client.read_all(), EndsWith("for a"));
}

TEST_CASE("a HEAD is answered like the GET, without the body", "[control]") {
    ServerInThread server{add_test_routes};
    RawClient client{server.socket()};
    client.send("HEAD /ok HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n");
    CHECK_THAT(client.read_all(), Contains("content-length: 4\r\n") && EndsWith("\r\n\r\n"));
}

TEST_CASE("a wrong method is told the right ones", "[control]") {
    ServerInThread server{add_test_routes};
    RawClient client{server.socket()};
    client.send("DELETE /ok HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n");
    CHECK_THAT(client.read_all(), Contains("405 Method Not Allowed") &&
                                      Contains("allow: GET, HEAD\r\n") &&
                                      EndsWith(R"({"message":"this path knows only GET, HEAD"})"));
}

TEST_CASE("a client that waits to send its body is told to go on, or why not", "[control]") {
    ServerInThread server{add_test_routes};
    RawClient client{server.socket()};
    client.send(
        "POST /echo HTTP/1.1\r\nHost: b\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    CHECK(client.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("{}");
    CHECK_THAT(client.read_until("[{}]"), Contains("HTTP/1.1 200 OK"));

    client.send(
        "POST /echo HTTP/1.1\r\nHost: b\r\nExpect: 100-continue\r\n"
        "Content-Length: 9999999\r\n\r\n");
    const auto refused = client.read_all();
    CHECK(statuses_in(refused) == std::vector{413});
    CHECK_THAT(refused, EndsWith(R"({"message":"the body has more than 1048576 bytes"})"));
}

TEST_CASE("a large body goes to a file", "[control]") {
    ServerInThread server{add_test_routes};
    RawClient client{server.socket()};
    const std::string body(5 * limits::MiB, 'x');
    client.send(fmt::format("POST /file HTTP/1.1\r\nHost: b\r\nContent-Length: {}\r\n\r\n{}",
                            body.size(), body));
    CHECK_THAT(client.read_until("xxxx"), Contains("5242880 of 5242880: xxxx"));
}

TEST_CASE("a body that cannot be kept is answered 503", "[control]") {
    ServerInThread server{add_test_routes,
                          [](ServerOptions& options) { options.spool_directory = "/nonexistent"; }};
    RawClient client{server.socket()};
    client.send("POST /file HTTP/1.1\r\nHost: b\r\nContent-Length: 1\r\n\r\nx");
    CHECK_THAT(client.read_all(),
               Contains("503 Service Unavailable") && Contains("retry-after: 1\r\n") &&
                   EndsWith(R"({"message":"the body cannot be kept: No such file or directory"})"));
}

TEST_CASE("a stopping server answers what is in flight and closes what is idle", "[control]") {
    Later later;
    ServerInThread server{later.routes()};
    RawClient idle{server.socket()};
    idle.send(get("/ok"));
    (void)idle.read_until("fine");
    RawClient busy{server.socket()};
    busy.send(get("/later/a") + get("/ok"));
    REQUIRE(server.wait_until([&] { return later.waiting.size() == 1; }));

    std::atomic<bool> stopped = false;
    server.stop([&] { stopped = true; });
    CHECK(idle.read_all().empty());
    CHECK_FALSE(stopped);
    server.on_loop([&] { later.answer(); });
    CHECK_THAT(busy.read_until("for a"), Contains("connection: close\r\n"));
    CHECK(busy.read_all().empty());
    busy.finish_sending();
    CHECK(server.wait_until([&] { return stopped.load(); }));
}

TEST_CASE("a stopping server waits for an answer only so long", "[control]") {
    ServerInThread server{add_test_routes};
    RawClient client{server.socket()};
    client.send(get("/ok") + get("/never"));
    (void)client.read_until("fine");
    std::atomic<bool> stopped = false;
    server.stop([&] { stopped = true; });
    server.clock().advance(limits::kHttpStopTime);
    CHECK(client.read_all().empty());
    CHECK(server.wait_until([&] { return stopped.load(); }));
}

TEST_CASE("descriptors that a client passes are dropped", "[control]") {
    ServerInThread server{add_test_routes};
    RawClient client{server.socket()};
    Pipe pipe = make_pipe();
    const std::string bytes = get("/ok");
    iovec part{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* passed = CMSG_FIRSTHDR(&message);
    passed->cmsg_level = SOL_SOCKET;
    passed->cmsg_type = SCM_RIGHTS;
    passed->cmsg_len = CMSG_LEN(sizeof(int));
    const int fd = pipe.write.get();
    std::copy_n(reinterpret_cast<const char*>(&fd), sizeof fd,
                reinterpret_cast<char*>(CMSG_DATA(passed)));
    REQUIRE(::sendmsg(client.fd(), &message, 0) == static_cast<ssize_t>(bytes.size()));
    (void)client.read_until("fine");

    pipe.write.reset();
    char byte = 0;
    CHECK(::read(pipe.read.get(), &byte, 1) == 0);  // nobody else has the writing end
}
