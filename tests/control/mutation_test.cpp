// Random and naughty input: nothing crashes, nothing gets out of step.
#include <catch2/catch.hpp>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <random>

#include "control/client.h"
#include "control/parser.h"
#include "tests/control/harness.h"

using namespace berth;
using namespace berth::testing;

namespace {

const std::vector<std::string> kSeeds = {
    "GET /ok?a=%41&b HTTP/1.1\r\nHost: b\r\nAccept: */*\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\n\r\nhello",
    "POST /echo HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5;x=y\r\nhello\r\n0\r\n\r\n",
    "PUT /items/7 HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n\r\n",
    "GET /ok HTTP/1.1\r\nHost: b\r\n\r\nGET /ok HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n",
};

std::string mutated(std::mt19937_64& random) {
    static const std::vector<std::string> pieces = {"\r\n",
                                                    "\n",
                                                    "\r",
                                                    "\r\n\r\n",
                                                    " ",
                                                    "\t",
                                                    ":",
                                                    ";",
                                                    "0",
                                                    "ffffffffffffffff",
                                                    "\0",
                                                    "Content-Length: 3\r\n",
                                                    "Transfer-Encoding: chunked\r\n",
                                                    "\r\n ",
                                                    "HTTP/1.1",
                                                    "%00",
                                                    "..",
                                                    "Host: c\r\n",
                                                    "Upgrade: x\r\n",
                                                    "Connection: upgrade\r\n",
                                                    "\xff",
                                                    "0\r\n\r\n"};
    const auto below = [&](std::size_t end) { return static_cast<std::size_t>(random() % end); };
    std::string bytes = kSeeds[below(kSeeds.size())];
    for (std::size_t left = 1 + below(4); left > 0; --left) {
        const std::size_t at = below(bytes.size() + 1);
        switch (below(5)) {
            case 0: bytes.insert(at, pieces[below(pieces.size())]); break;
            case 1: bytes.erase(at, 1 + below(8)); break;
            case 2:
                if (at < bytes.size()) bytes[at] = static_cast<char>(random());
                break;
            case 3: bytes.insert(at, bytes.substr(below(bytes.size() + 1), below(40))); break;
            default: bytes += kSeeds[below(kSeeds.size())]; break;
        }
    }
    return bytes;
}

// All that the parser makes of the bytes, fed in pieces of the given size.
std::string parsed(std::string_view bytes, std::size_t piece) {
    RequestParser parser{HttpLimits{}};
    std::string seen;
    for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
        std::string_view rest = bytes.substr(0, piece);
        while (!rest.empty()) {
            auto progress = parser.feed(rest);
            if (progress == RequestParser::Progress::head) progress = parser.accept_body(1000);
            if (progress == RequestParser::Progress::refused)
                return fmt::format("{}{}", seen, parser.refusal().status);
            if (progress != RequestParser::Progress::complete) continue;
            seen += fmt::format("{} {} [{}] ", to_string(parser.head().method),
                                parser.head().target.raw_path, parser.take_body());
            parser.next();
        }
    }
    return seen + (parser.idle() ? "idle" : "more");
}

std::vector<std::string> naughty_strings() {
    std::ifstream file{BERTH_SOURCE_DIR "/../shared/testdata/strings/blns.json"};
    if (!file) {
        std::cout << "skipped: the list of naughty strings is not here\n";
        return {};
    }
    return nlohmann::json::parse(file).get<std::vector<std::string>>();
}

}  // namespace

TEST_CASE("mutated requests mean the same however they are cut", "[control]") {
    std::mt19937_64 random{random_seed()};
    int whole = 0;
    for (int i = 0; i < 10'000; ++i) {
        const std::string bytes = mutated(random);
        const std::string at_once = parsed(bytes, bytes.size());
        INFO("bytes " << nlohmann::json(bytes).dump(-1, ' ', true,
                                                    nlohmann::json::error_handler_t::replace));
        REQUIRE(parsed(bytes, 1) == at_once);
        REQUIRE(parsed(bytes, 1 + random() % 50) == at_once);
        whole += at_once.ends_with("idle") ? 1 : 0;
    }
    CHECK(whole > 100);  // the mutations are not all hopeless
    CHECK(whole < 9'900);
}

TEST_CASE("after any mutated request the server serves the next client", "[control]") {
    ServerInThread server{add_test_routes};
    std::mt19937_64 random{random_seed()};
    for (int i = 0; i < 500; ++i) {
        RawClient client{server.socket()};
        const std::string bytes = mutated(random);
        const std::size_t cut = random() % (bytes.size() + 1);
        client.send(std::string_view{bytes}.substr(0, cut));
        client.send(std::string_view{bytes}.substr(cut));
        client.finish_sending();
        for (const int status : statuses_in(client.read_all()))
            REQUIRE((status >= 100 && status < 510 && status != 500));
        RawClient next{server.socket()};
        next.send(kMarker);
        REQUIRE(statuses_in(next.read_all()) == std::vector{200});
    }
}

TEST_CASE("naughty strings pass through, or are refused, and hurt nobody", "[control]") {
    ServerInThread server{[](Router& router) {
        add_test_routes(router);
        router.add({.method = Method::get,
                    .pattern = "/say/{word}",
                    .summary = "says a word",
                    .handler = [](Request request, Reply reply) {
                        reply.text(200, std::string{request.param("word")} + "|" +
                                            request.query.required("q").value());
                    }});
    }};
    Client client{server.socket()};
    for (const auto& text : naughty_strings()) {
        INFO(text);
        const bool unfit =
            text.empty() || text == "." || text == ".." || text.find_first_of("/\\") != text.npos ||
            std::any_of(text.begin(), text.end(),
                        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
        const auto word = encode_segment(text);
        const auto said = client.get(fmt::format("/say/{}?q={}", word, word));
        REQUIRE(said);
        if (word.size() > limits::kHttpUriBytes / 2)
            CHECK(said->status == 414);
        else if (text.empty())
            CHECK(said->status == 404);
        else if (unfit)
            CHECK(said->status == 400);
        else
            CHECK(said->body == text + "|" + text);

        const auto echoed = client.request("POST", "/echo", text);
        REQUIRE(echoed);
        CHECK(echoed->body == "[" + text + "]");

        RawClient raw{server.socket()};
        raw.send(
            fmt::format("GET /ok HTTP/1.1\r\nHost: b\r\nx: {}\r\nConnection: close\r\n\r\n", text));
        const int in_header = status_in(raw.read_all());
        CHECK((in_header == 200 || in_header == 400));

        RawClient in_line{server.socket()};
        in_line.send(fmt::format("GET /{} HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n", text));
        in_line.finish_sending();
        const int in_target = status_in(in_line.read_all());
        CHECK((in_target == 400 || in_target == 404 || in_target == 405));
    }
}
