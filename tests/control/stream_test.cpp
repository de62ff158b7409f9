// Answers that come piece by piece: events, followers that are slow, that leave,
// and that are left.
#include <catch2/catch.hpp>

#include "control/client.h"
#include "control/server.h"
#include "tests/control/harness.h"

using namespace berth;
using namespace berth::testing;
using Catch::Contains;
using Catch::EndsWith;

namespace {

// GET /follow: a stream of events that the test feeds.
struct Feed {
    std::optional<StreamReply> follower;  // Thread: loop
    std::atomic<bool> gone = false;
    std::atomic<int> drained = 0;
    std::string content_type = "text/event-stream";

    std::function<void(Router&)> routes() {
        return [this](Router& router) {
            add_test_routes(router);
            router.add({.method = Method::get,
                        .pattern = "/follow",
                        .summary = "events",
                        .handler = [this](Request, Reply reply) {
                            follower.emplace(reply.stream(content_type));
                            follower->on_gone([this] { gone = true; });
                            follower->on_drained([this] { ++drained; });
                        }});
        };
    }
};

const std::string kFollow = "GET /follow HTTP/1.1\r\nHost: b\r\n\r\n";

}  // namespace

TEST_CASE("events arrive as they are sent, and the connection serves on", "[control]") {
    Feed feed;
    ServerInThread server{feed.routes()};
    RawClient client{server.socket()};
    client.send(kFollow);
    CHECK_THAT(client.read_until("\r\n\r\n"), Contains("content-type: text/event-stream\r\n") &&
                                                  Contains("transfer-encoding: chunked\r\n"));
    server.on_loop([&] { feed.follower->event("chunk", "one\ntwo", "7"); });
    CHECK(client.read_until("\n\n\r\n") ==
          "28\r\nid: 7\nevent: chunk\ndata: one\ndata: two\n\n\r\n");
    CHECK(server.wait_until([&] { return feed.drained > 0; }));
    server.on_loop([&] { feed.follower->end(); });
    CHECK(client.read_until("0\r\n\r\n") == "0\r\n\r\n");
    CHECK_FALSE(feed.gone);
    client.send("GET /ok HTTP/1.1\r\nHost: b\r\n\r\n");
    CHECK_THAT(client.read_until("fine"), Contains("200 OK"));
    server.on_loop([&] { feed.follower.reset(); });
}

TEST_CASE("a stream ends with its reply's life", "[control]") {
    Feed feed;
    ServerInThread server{feed.routes()};
    RawClient client{server.socket()};
    client.send("GET /follow HTTP/1.0\r\n\r\n");
    REQUIRE(server.wait_until([&] { return feed.follower.has_value(); }));
    server.on_loop([&] {
        feed.follower->event("", "x");
        feed.follower.reset();
    });
    const auto answer = client.read_all();  // HTTP/1.0: up to the end of the connection
    CHECK_THAT(answer, Contains("connection: close") && EndsWith("\r\n\r\ndata: x\n\n"));
    CHECK_THAT(answer, !Contains("chunked"));
}

TEST_CASE("a quiet event stream gives signs of life", "[control]") {
    Feed feed;
    ServerInThread server{feed.routes()};
    RawClient client{server.socket()};
    client.send(kFollow);
    (void)client.read_until("\r\n\r\n");
    REQUIRE(server.wait_until([&] { return feed.drained > 0; }));
    server.clock().advance(limits::kHttpHeartbeat);
    CHECK(client.read_until(":\n\n\r\n") == "3\r\n:\n\n\r\n");
    server.on_loop([&] { feed.follower.reset(); });
}

TEST_CASE("a follower that leaves is noticed without a word being sent", "[control]") {
    Feed feed;
    ServerInThread server{feed.routes()};
    {
        RawClient client{server.socket()};
        client.send(kFollow);
        (void)client.read_until("\r\n\r\n");
    }
    CHECK(server.wait_until([&] { return feed.gone.load(); }));
    server.on_loop([&] {
        CHECK(feed.follower->gone());
        feed.follower->event("chunk", "to nobody");
        feed.follower.reset();
    });
    CHECK(server.wait_until([&] { return server.server().connections() == 0; }));
}

TEST_CASE("a follower that reads too slowly is dropped and told so", "[control]") {
    Feed feed;
    ServerInThread server{feed.routes(),
                          [](ServerOptions& options) { options.limits.unsent_bytes = 512 * 1024; }};
    RawClient client{server.socket()};
    client.send(kFollow);
    (void)client.read_until("\r\n\r\n");
    std::size_t most = 0;
    int sent = 0;
    server.on_loop([&] {
        for (; sent < 1000 && !feed.follower->gone(); ++sent) {
            feed.follower->event("chunk", std::string(16 * 1024, 'x'));
            most = std::max(most, feed.follower->unsent());
        }
    });
    CHECK(sent < 1000);
    CHECK(most <= 512 * 1024);
    CHECK(feed.gone);
    CHECK_THAT(client.read_all(), EndsWith("event: error\ndata: {\"message\":\"the events came "
                                           "faster than they were read; follow again from the "
                                           "last id\"}\n\n\r\n0\r\n\r\n"));
    server.on_loop([&] { feed.follower.reset(); });
}

TEST_CASE("a body that comes faster than it is read is cut, not ended", "[control]") {
    Feed feed;
    feed.content_type = "text/plain";
    ServerInThread server{feed.routes(),
                          [](ServerOptions& options) { options.limits.unsent_bytes = 512 * 1024; }};
    RawClient client{server.socket()};
    client.send(kFollow);
    (void)client.read_until("\r\n\r\n");
    server.on_loop([&] {
        for (int i = 0; i < 1000 && !feed.follower->gone(); ++i)
            feed.follower->send(std::string(16 * 1024, 'x'));
    });
    CHECK(feed.gone);
    CHECK_THAT(client.read_all(), !EndsWith("0\r\n\r\n"));
    server.on_loop([&] { feed.follower.reset(); });
}

TEST_CASE("a stopping server ends its streams", "[control]") {
    Feed feed;
    ServerInThread server{feed.routes()};
    RawClient client{server.socket()};
    client.send(kFollow);
    (void)client.read_until("\r\n\r\n");
    std::atomic<bool> stopped = false;
    server.stop([&] { stopped = true; });
    CHECK(client.read_all() == "0\r\n\r\n");
    CHECK(feed.gone);
    client.finish_sending();
    CHECK(server.wait_until([&] { return stopped.load(); }));
    server.on_loop([&] { feed.follower.reset(); });
}

TEST_CASE("a HEAD of a stream has no body and does not last", "[control]") {
    Feed feed;
    ServerInThread server{feed.routes()};
    RawClient client{server.socket()};
    client.send("HEAD /follow HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n");
    REQUIRE(server.wait_until([&] { return feed.follower.has_value(); }));
    server.on_loop([&] {
        feed.follower->event("chunk", "x");
        feed.follower.reset();
    });
    CHECK_THAT(client.read_all(), EndsWith("\r\n\r\n") && !Contains("chunk\n"));
}

TEST_CASE("the client follows events until it has seen enough", "[control]") {
    Feed feed;
    ServerInThread server{feed.routes()};
    std::thread sender{[&] {
        REQUIRE(server.wait_until([&] { return feed.follower.has_value(); }));
        server.on_loop([&] {
            for (int i = 1; i <= 5; ++i)
                feed.follower->event("chunk", fmt::format("line {}\n", i), std::to_string(i));
        });
    }};
    Client client{server.socket()};
    std::vector<ServerEvent> seen;
    const auto answer = client.follow("/follow", [&](const ServerEvent& event) {
        seen.push_back(event);
        return seen.size() == 3 ? Follow::stop : Follow::on;
    });
    sender.join();
    REQUIRE(answer);
    CHECK(answer->status == 200);
    REQUIRE(seen.size() == 3);
    CHECK(seen[2].id == "3");
    CHECK(seen[2].event == "chunk");
    CHECK(seen[2].data == "line 3\n");
    CHECK(server.wait_until([&] { return feed.gone.load(); }));
    server.on_loop([&] { feed.follower.reset(); });
}
