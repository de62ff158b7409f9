// The public socket: whom it lets in, what it never serves, and what it takes at most.
#include <poll.h>

#include <algorithm>
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

// POST /to/{name}: its gate answers when the test does.
struct Gated {
    struct Asked {
        std::string name;
        Callback<void(Result<std::string>)> done;
    };
    Taking taking;
    std::vector<Asked> asked;  // Thread: loop

    std::function<void(Router&)> routes() {
        return [this](Router& router) {
            taking.routes()(router);
            Route gated;
            gated.method = Method::post;
            gated.pattern = "/to/{name}";
            gated.role = Role::none;
            gated.summary = "keeps what it gets, of whom it knows";
            gated.handler = router.routes().back().handler;
            gated.content_type = {};
            gated.gate = [this](const NamedValues& params,
                                Callback<void(Result<std::string>)> done) {
                asked.push_back({std::string{*params.find("name")}, std::move(done)});
            };
            router.add(std::move(gated));
        };
    }
    // Once so many have asked: strangers are unknown, all others are themselves.
    void answer(ServerInThread& server, std::size_t count) {
        REQUIRE(server.wait_until([&] { return asked.size() >= count; }));
        server.on_loop([&] {
            for (Asked& one : std::exchange(asked, {})) {
                if (one.name == "stranger")
                    one.done(fail(FailureKind::not_found, "not found"));
                else
                    one.done(one.name);
            }
        });
    }
};

// Its head, and so much of its body.
std::string part(std::string_view path, std::size_t length, std::size_t sent) {
    return fmt::format("POST {} HTTP/1.1\r\nHost: b\r\nContent-Length: {}\r\n\r\n{}", path, length,
                       std::string(sent, 'x'));
}

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

TEST_CASE("uploads to nobody hold no memory: the route's gate answers before the body",
          "[public]") {
    const auto small = [](ServerOptions& options) { options.limits.bodies_bytes = 1000; };
    const auto uploads = [](ServerInThread& server, std::string_view path) {
        std::vector<std::unique_ptr<RawClient>> clients;
        for (int i = 0; i < 20; ++i) {
            clients.push_back(std::make_unique<RawClient>(server.socket()));
            clients.back()->send(part(path, 1000, 900));
        }
        return clients;
    };
    {
        Gated gated;
        ServerInThread server{gated.routes(), small, Audience::anybody};
        const auto strangers = uploads(server, "/to/stranger");
        gated.answer(server, strangers.size());
        RawClient known{server.socket()};
        known.send(post("/to/known", std::string(900, 'x')));
        gated.answer(server, 1);
        REQUIRE(server.wait_until([&] { return gated.taking.replies.size() == 1; }));
        for (const auto& stranger : strangers) {
            const auto told = stranger->read_all();  // and the connection ends
            CHECK(status_in(told) == 404);
            CHECK_THAT(to_lower_ascii(told),
                       Contains("connection: close") && Contains(R"({"message":"not found"})"));
        }
        server.on_loop([&] { gated.taking.replies.clear(); });
    }
    // The control: without a gate one of them has nearly all, which the others are told.
    Taking taking;
    ServerInThread server{taking.routes(), small, Audience::anybody};
    const auto strangers = uploads(server, "/take");
    const auto is_told = [](const auto& client) {
        pollfd waiting{.fd = client->fd(), .events = POLLIN, .revents = 0};
        return ::poll(&waiting, 1, 0) == 1;
    };
    REQUIRE(server.wait_until([&] { return std::ranges::any_of(strangers, is_told); }));
    RawClient known{server.socket()};
    known.send(post("/take", std::string(900, 'x')));
    CHECK(status_in(known.read_all()) == 503);
}

// A body that no gate has let in is counted for nobody: memory that strangers could hold.
TEST_CASE("a GET of the public socket takes no body, however it comes", "[public]") {
    const auto routes = [](Router& router) {
        add_up_route(router);
        router.add({.method = Method::get,
                    .pattern = "/more",
                    .role = Role::none,
                    .summary = "would take what a POST takes",
                    .handler = [](Request, Reply reply) { reply.empty(204); },
                    .body_limit = limits::kHttpBodyBytes,
                    .content_type = {}});
    };
    const auto* path = GENERATE("/up", "/more");
    const auto asked = [&](Audience audience, std::string_view rest) {
        ServerInThread server{routes, {}, audience};
        RawClient client{server.socket()};
        client.send(fmt::format("GET {} HTTP/1.1\r\nHost: b\r\n{}", path, rest));
        return status_in(client.read_until("\r\n\r\n"));
    };
    CHECK(asked(Audience::anybody, "\r\n") == 204);
    CHECK(asked(Audience::anybody, "Content-Length: 0\r\n\r\n") == 204);
    // Before any of it is there.
    CHECK(asked(Audience::anybody, "Content-Length: 1048576\r\n\r\n") == 413);
    CHECK(asked(Audience::anybody, "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n") == 413);
    // The control: where it is not so.
    const std::string_view one = "Content-Type: application/json\r\nContent-Length: 1\r\n\r\n1";
    CHECK(asked(Audience::peers, one) == 204);
}

TEST_CASE("of one holder bodies have their share, and others have theirs", "[public]") {
    Gated gated;
    ServerInThread server{gated.routes(),
                          [](ServerOptions& options) {
                              options.limits.bodies_bytes = 1000;
                              options.limits.bodies_bytes_of_one = 400;
                          },
                          Audience::anybody};
    std::optional<RawClient> slow{std::in_place, server.socket()};
    slow->send(part("/to/acme", 400, 300));
    gated.answer(server, 1);
    RawClient second{server.socket()};
    second.send(post("/to/acme", std::string(200, 'x')));
    gated.answer(server, 1);
    CHECK(status_in(second.read_all()) == 503);
    RawClient other{server.socket()};
    other.send(post("/to/zeta", std::string(300, 'x')));
    gated.answer(server, 1);
    REQUIRE(server.wait_until([&] { return gated.taking.replies.size() == 1; }));
    slow.reset();
    REQUIRE(server.wait_until([&] { return server.server().connections() <= 2; }));
    RawClient third{server.socket()};
    third.send(post("/to/acme", std::string(300, 'x')));
    gated.answer(server, 1);
    REQUIRE(server.wait_until([&] { return gated.taking.replies.size() == 2; }));
    server.on_loop([&] {
        CHECK(gated.taking.requests.back().param("name") == "acme");
        gated.taking.replies.clear();
    });
}

TEST_CASE("a body waits for the gate, and a client who leaves meanwhile is forgotten", "[public]") {
    Gated gated;
    ServerInThread server{gated.routes(), {}, Audience::anybody};
    {
        RawClient leaves{server.socket()};
        leaves.send(part("/to/gone", 10, 5));
        REQUIRE(server.wait_until([&] { return gated.asked.size() == 1; }));
    }
    const std::string body(200'000, 'y');  // more than is read ahead
    RawClient stays{server.socket()};
    std::thread sender{[&] { stays.send(post("/to/acme", body)); }};
    REQUIRE(server.wait_until([&] { return gated.asked.size() == 2; }));
    gated.answer(server, 2);
    sender.join();
    REQUIRE(server.wait_until([&] { return gated.taking.requests.size() == 1; }));
    server.on_loop([&] {
        CHECK(gated.taking.requests[0].body == body);
        gated.taking.replies.clear();
    });
    // Who asks before he sends hears only of what the gate has let through.
    RawClient waits{server.socket()};
    waits.send(
        "POST /to/acme HTTP/1.1\r\nHost: b\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    gated.answer(server, 1);
    CHECK(status_in(waits.read_until("\r\n\r\n")) == 100);
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
    CHECK(open.bodies_bytes_of_one * 4 <= open.bodies_bytes);
    CHECK(open.bodies_bytes_of_one >= limits::kWebhookBodyBytes);  // else one could not be taken
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
