// The public socket: whom it lets in, what it never serves, and what it takes at most.
#include <catch2/catch.hpp>

#include "control/public/client_address.h"
#include "control/public/routes.h"
#include "tests/control/harness.h"

using namespace berth;
using namespace berth::testing;
using Catch::Contains;

namespace {

// POST /take: any type, keeps the reply until the test lets go.
struct Taking {
    std::vector<Reply> replies;  // Thread: loop
    std::vector<Request> requests;

    std::function<void(Router&)> routes() {
        return [this](Router& router) {
            add_up_route(router);
            router.add({.method = Method::post,
                        .pattern = "/take",
                        .role = Role::none,
                        .summary = "keeps what it gets",
                        .handler =
                            [this](Request request, Reply reply) {
                                requests.push_back(std::move(request));
                                replies.push_back(std::move(reply));
                            },
                        .content_type = {}});
        };
    }
};

std::string post(std::string_view path, std::string_view body, std::string_view type = {}) {
    const auto content_type = type.empty() ? "" : fmt::format("Content-Type: {}\r\n", type);
    return fmt::format("POST {} HTTP/1.1\r\nHost: b\r\n{}Content-Length: {}\r\n\r\n{}", path,
                       content_type, body.size(), body);
}

// Nobody's own user: the daemon's is another.
void of_another_user(ServerOptions& options) { options.peers.daemon_uid = 12'345; }

}  // namespace

TEST_CASE("anybody is served by the public socket, and nobody has a role there", "[public]") {
    Taking taking;
    ServerInThread server{taking.routes(), of_another_user, Audience::anybody};
    RawClient client{server.socket()};
    client.send("GET /up HTTP/1.1\r\nHost: b\r\n\r\n");
    CHECK(status_in(client.read_until("\r\n\r\n")) == 204);
    client.send(post("/take?a=%31&b", "x"));
    REQUIRE(server.wait_until([&] { return taking.requests.size() == 1; }));
    server.on_loop([&] {
        CHECK(taking.requests[0].peer.role == Role::none);
        CHECK(taking.requests[0].raw_query == "a=%31&b");
        taking.replies.clear();
    });
}

TEST_CASE("the same stranger is turned away by the control socket", "[public]") {
    ServerInThread server{add_test_routes, [](ServerOptions& options) {
                              of_another_user(options);
                              options.peers.group.reset();
                          }};
    RawClient client{server.socket()};
    client.send("GET /ok HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n");
    // Root has a role whoever the daemon is: then there is no stranger to try it with.
    CHECK(status_in(client.read_all()) == (::geteuid() == 0 ? 200 : 403));
}

TEST_CASE("a path that is not public does not exist there", "[public]") {
    Taking taking;
    ServerInThread server{taking.routes(), {}, Audience::anybody};
    const auto* path = GENERATE("/v2/tenants", "/v2", "/metrics", "/", "/healthz");
    RawClient client{server.socket()};
    client.send(fmt::format("GET {} HTTP/1.1\r\nHost: b\r\n\r\n", path));
    CHECK(status_in(client.read_until("}")) == 404);
}

TEST_CASE("a body of any type comes as it was sent", "[public]") {
    Taking taking;
    ServerInThread server{taking.routes(), {}, Audience::anybody};
    RawClient client{server.socket()};
    const std::string body{"a=1&b=\0\xff", 9};
    client.send(post("/take", body, "application/x-www-form-urlencoded"));
    REQUIRE(server.wait_until([&] { return taking.requests.size() == 1; }));
    server.on_loop([&] {
        CHECK(taking.requests[0].body == body);
        taking.replies.clear();
    });
}

TEST_CASE("bodies together have a limit, and room comes back when they are answered", "[public]") {
    Taking taking;
    ServerInThread server{taking.routes(),
                          [](ServerOptions& options) { options.limits.bodies_bytes = 1000; },
                          Audience::anybody};
    RawClient first{server.socket()};
    RawClient second{server.socket()};
    RawClient third{server.socket()};
    first.send(post("/take", std::string(600, 'x')));
    REQUIRE(server.wait_until([&] { return taking.replies.size() == 1; }));
    second.send(post("/take", std::string(600, 'y')));
    const auto refused = second.read_all();
    CHECK(status_in(refused) == 503);
    CHECK_THAT(refused, Contains("retry-after: ") && Contains("large bodies"));
    server.on_loop([&] { taking.replies.clear(); });  // answered
    third.send(post("/take", std::string(1000, 'z')));
    REQUIRE(server.wait_until([&] { return taking.replies.size() == 1; }));
    server.on_loop([&] { taking.replies.clear(); });
}

TEST_CASE("one proxy may use all connections that there are", "[public]") {
    Taking taking;
    ServerInThread server{taking.routes(),
                          [](ServerOptions& options) {
                              options.limits.connections = 8;
                              options.limits.connections_per_uid = 2;
                          },
                          Audience::anybody};
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 8; ++i) {
        clients.push_back(std::make_unique<RawClient>(server.socket()));
        clients.back()->send("GET /up HTTP/1.1\r\nHost: b\r\n\r\n");
        CHECK(status_in(clients.back()->read_until("\r\n\r\n")) == 204);
    }
    RawClient ninth{server.socket()};
    CHECK(status_in(ninth.read_all()) == 503);
}

TEST_CASE("the limits of the public socket are the tighter ones", "[public]") {
    const HttpLimits open = public_limits();
    const HttpLimits control;
    CHECK(open.connections < control.connections);
    CHECK(open.bodies_bytes < control.bodies_bytes);
    CHECK(open.head_time < control.head_time);
    CHECK(open.body_bytes_per_second > control.body_bytes_per_second);
}

TEST_CASE("the client is the address that the proxy itself has seen", "[public]") {
    const auto of = [](std::vector<std::string> lines) {
        Headers headers;
        for (auto& line : lines)
            headers.add("x-forwarded-for", std::move(line));
        return client_address(headers);
    };
    CHECK(of({"203.0.113.7"}) == "203.0.113.7");
    CHECK(of({"10.0.0.1, 203.0.113.7"}) == "203.0.113.7");  // the first is the client's own word
    CHECK(of({"203.0.113.9", "10.0.0.1,203.0.113.7"}) == "203.0.113.7");
    CHECK(of({"2001:DB8::1"}) == "2001:db8::1");
    CHECK(of({}).empty());
    CHECK(of({""}).empty());
    CHECK(of({"unknown"}).empty());
    CHECK(of({"203.0.113.7\x01"}).empty());
    CHECK(of({std::string(10'000, '1')}).empty());
}
