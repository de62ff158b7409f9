#include "control/client.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/file.h"
#include "base/loop/stream.h"
#include "base/pipe.h"
#include "control/client_reader.h"
#include "tests/control/harness.h"

using namespace berth;
using namespace berth::testing;
using Catch::Contains;

TEST_CASE("the client asks and is answered, on one connection", "[control]") {
    ServerInThread server{add_test_routes};
    Client client{server.socket()};
    for (int i = 0; i < 3; ++i) {
        const auto answer = client.request("POST", "/echo", "{\"a\":1}");
        REQUIRE(answer);
        CHECK(answer->status == 200);
        CHECK(answer->body == "[{\"a\":1}]");
        CHECK(answer->header("content-type") == "text/plain; charset=utf-8");
    }
    CHECK(client.get("/nowhere")->status == 404);
    CHECK(client.request("HEAD", "/ok")->body.empty());
    std::size_t open = 0;
    server.on_loop([&] { open = server.server().connections(); });
    CHECK(open == 1);
}

TEST_CASE("a kept connection that the server closed is opened anew", "[control]") {
    ServerInThread server{add_test_routes};
    Client client{server.socket()};
    REQUIRE(client.get("/ok"));
    REQUIRE(server.wait_until([&] {
        server.clock().advance(1s);
        return server.server().connections() == 0;
    }));
    const auto answer = client.request("POST", "/echo", "again");
    REQUIRE(answer);
    CHECK(answer->body == "[again]");
}

TEST_CASE("a file or a pipe is uploaded as it is", "[control]") {
    ServerInThread server{add_test_routes};
    Client client{server.socket()};
    const TempDir dir{"upload"};
    const auto path = dir.path() / "f";
    write_file_atomically(path, "skipped" + std::string(3'000'000, 'y'), 0600);
    const Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    REQUIRE(::lseek(file.get(), 7, SEEK_SET) == 7);
    const auto answer = client.upload("POST", "/file", file.get(), "application/x-tar");
    REQUIRE(answer);
    CHECK_THAT(answer->body, Contains("3000000 of 3000000: yyyy"));

    Pipe pipe = make_pipe();
    write_all(pipe.write.get(), "through a pipe");
    pipe.write.reset();
    const auto piped = client.upload("POST", "/file", pipe.read.get(), "application/x-tar");
    REQUIRE(piped);
    CHECK(piped->body == "14 of 14: through a pipe");
}

TEST_CASE("an upload that is refused says why, though not all was sent", "[control]") {
    ServerInThread server{add_test_routes};
    Client client{server.socket()};
    const Fd zeros{::open("/dev/zero", O_RDONLY | O_CLOEXEC)};  // never ends
    const auto answer = client.upload("POST", "/file", zeros.get(), "application/x-tar");
    REQUIRE(answer);
    CHECK(answer->status == 413);
    CHECK(answer->body == R"({"message":"the body has more than 8388608 bytes"})");
    CHECK(client.upload("POST", "/file", zeros.get(), "text/plain")->status == 415);
    CHECK(client.get("/ok")->status == 200);
}

TEST_CASE("redirects are followed when asked, and not forever", "[control]") {
    ServerInThread server{[](Router& router) {
        add_test_routes(router);
        router.add({.method = Method::get,
                    .pattern = "/there",
                    .summary = "leads to /ok",
                    .handler = [](Request, Reply reply) { reply.redirect("/ok"); }});
        router.add({.method = Method::get,
                    .pattern = "/round",
                    .summary = "leads to itself",
                    .handler = [](Request, Reply reply) { reply.redirect("/round"); }});
        router.add({.method = Method::get,
                    .pattern = "/away",
                    .summary = "leads elsewhere",
                    .handler = [](Request, Reply reply) { reply.redirect("http://x/"); }});
    }};
    Client client{server.socket()};
    CHECK(client.get("/there")->status == 302);
    CHECK(client.get("/there", Redirects::followed)->body == "fine");
    for (const auto* path : {"/round", "/away"}) {
        const auto answer = client.get(path, Redirects::followed);
        REQUIRE_FALSE(answer);
        CHECK(answer.error().kind == FailureKind::invalid);
        CHECK_THAT(answer.error().message, Contains("which is not followed"));
    }
}

TEST_CASE("the client says what is wrong with the socket, and the cure", "[control]") {
    const TempDir dir{"client"};
    const auto path = dir.path() / "s";
    const auto missing = Client{path}.get("/ok");
    REQUIRE_FALSE(missing);
    CHECK(missing.error().kind == FailureKind::unavailable);
    CHECK(missing.error().message ==
          fmt::format("berthd is not running: there is no socket '{}'; start it, or name the "
                      "socket of the one that runs",
                      path.string()));

    { const auto left_behind = Listener::bind(path, 0600); }
    const auto dead = Client{path}.get("/ok");
    REQUIRE_FALSE(dead);
    CHECK(dead.error().kind == FailureKind::unavailable);
    CHECK(dead.error().message == fmt::format("berthd is not running: nobody answers on '{}'; "
                                              "start it and look at its log",
                                              path.string()));

    const auto longer = Client{"/" + std::string(200, 'x')}.get("/ok");
    REQUIRE_FALSE(longer);
    CHECK_THAT(longer.error().message, Contains("its path has more than 107 bytes"));
}

TEST_CASE("a socket that is not permitted says how to be permitted", "[control]") {
    if (::geteuid() != 0) return;  // only root can become somebody else
    const TempDir dir{"client"};
    REQUIRE(::chmod(dir.path().c_str(), 0755) == 0);
    const auto path = dir.path() / "s";
    const auto listening = Listener::bind(path, 0600);
    REQUIRE(listening);
    const pid_t child = ::fork();
    if (child == 0) {
        if (::setgroups(0, nullptr) < 0 || ::setresgid(1000, 1000, 1000) < 0 ||
            ::setresuid(1000, 1000, 1000) < 0)
            ::_exit(1);
        const auto answer = Client{path}.get("/ok");
        const bool right =
            !answer && answer.error().kind == FailureKind::denied &&
            answer.error().message == fmt::format(
                                          "the socket '{}' is not permitted to you; join the "
                                          "group 'berth' and log in again, or use sudo",
                                          path.string());
        ::_exit(right ? 0 : 2);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}

TEST_CASE("a server that says nothing is given up on", "[control]") {
    ServerInThread server{add_test_routes};
    Client client{server.socket(), {.connect_time = 1s, .answer_time = 50ms}};
    const auto answer = client.get("/never");
    REQUIRE_FALSE(answer);
    CHECK(answer.error().kind == FailureKind::unavailable);
    CHECK_THAT(answer.error().message, Contains("nothing came for"));
}

TEST_CASE("a request cannot be made to hold a second one", "[control]") {
    Client client{"/nonexistent"};
    for (const auto* target : {"/ok HTTP/1.1\r\nx: y\r\n\r\nGET /", "/o\nk"})
        CHECK(client.get(target).error().message ==
              "a request's target or header has a line break in it");
    CHECK(client.request("GET", "/ok", {}, {{"x", "a\r\nb: c"}}).error().kind ==
          FailureKind::invalid);
    CHECK(encode_segment("a/b c?\xc3\xa4") == "a%2Fb%20c%3F%C3%A4");
}

TEST_CASE("a response is read the same however it is cut", "[control]") {
    const auto read = [](std::string_view first, std::string_view second) {
        ResponseReader reader{AnswerTo::other};
        for (std::string_view part : {first, second})
            if (auto fed = reader.feed(part); !fed) return "refused: " + fed.error().message;
        if (auto ended = reader.end_of_input(); !ended) return "broken: " + ended.error().message;
        return fmt::format("{} [{}] {}", reader.response().status, reader.response().body,
                           reader.reusable());
    };
    const std::pair<std::string, std::string> cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "200 [abc] true"},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n",
         "201 [] true"},
        {"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n",
         "200 [abcde] true"},
        {"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nall the rest", "200 [all the rest] false"},
        {"HTTP/1.1 204 No Content\r\n\r\n", "204 [] true"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
         "broken: berthd closed the connection before its answer was whole"},
        {"SSH-2.0-OpenSSH\r\n\r\n",
         "refused: what answers is not berthd: it begins with 'SSH-2.0-OpenSSH'"},
        {"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
         "refused: what answers is not berthd: the size of a chunk is malformed"},
    };
    for (const auto& [bytes, expected] : cases) {
        const std::string_view all{bytes};
        for (std::size_t i = 0; i <= all.size(); ++i)
            CHECK(read(all.substr(0, i), all.substr(i)) == expected);
    }
}

TEST_CASE("events are read the same however they are cut", "[control]") {
    const std::string bytes =
        ":\n\nid: 1\nevent: chunk\ndata: a\ndata: b\n\nretry: 5\r\ndata:c\r\n\r\nid: 9\n\n"
        "event: end\ndata\n\ndata: never";
    for (std::size_t i = 0; i <= bytes.size(); ++i) {
        EventReader reader;
        std::string seen;
        const auto note = [&](const ServerEvent& event) {
            seen += fmt::format("({},{},{})", event.id, event.event, event.data);
            return Follow::on;
        };
        (void)reader.feed(std::string_view{bytes}.substr(0, i), note);
        (void)reader.feed(std::string_view{bytes}.substr(i), note);
        CHECK(seen == "(1,chunk,a\nb)(,,c)(,end,)");
    }
}
