// What the first bytes of a connection say of where it goes.
#include "sandbox/egress/hello.h"

#include <catch2/catch.hpp>

#include "model/limits.h"
#include "tests/support/seed.h"

using namespace berth;
using namespace berth::egress;

namespace {

std::string sized(std::size_t prefix, const std::string& content) {
    std::string out;
    for (std::size_t i = prefix; i-- > 0;)
        out += static_cast<char>(content.size() >> (8 * i) & 0xff);
    return out + content;
}

std::string handshake(const std::string& name) {
    const std::string server_name =
        name.empty() ? "" : std::string{"\0\0", 2} + sized(2, sized(2, '\0' + sized(2, name)));
    const std::string versions = std::string{"\0\x2b", 2} + sized(2, "\x02\x03\x04");
    const std::string body = std::string{"\x03\x03"} + std::string(32, 'r') + sized(1, "sess") +
                             sized(2, "\x13\x01") + sized(1, std::string(1, '\0')) +
                             sized(2, versions + server_name);
    return '\x01' + sized(3, body);
}

std::string record(const std::string& content) {
    return std::string{"\x16\x03\x01"} + sized(2, content);
}

std::string hello(const std::string& name) { return record(handshake(name)); }

}  // namespace

TEST_CASE("a CONNECT says where it goes", "[egress]") {
    const std::string head = "CONNECT api.example.com:8443 HTTP/1.1\r\nHost: other\r\n\r\n";
    const ConnectHead parsed = parse_connect(head + "rest");
    CHECK(parsed.parsed == Parsed::good);
    CHECK(parsed.host == "api.example.com");
    CHECK(parsed.port == 8443);
    CHECK(parsed.bytes == head.size());
    for (std::size_t size = 0; size < head.size(); ++size)
        CHECK(parse_connect(head.substr(0, size)).parsed == Parsed::need_more);
    const ConnectHead six = parse_connect("CONNECT [2a00:5::2]:443 HTTP/1.0\r\n\r\n");
    CHECK(six.parsed == Parsed::good);
    CHECK(six.host == "2a00:5::2");
}

TEST_CASE("what is no CONNECT is refused, and another method by its own status", "[egress]") {
    for (const char* line :
         {"CONNECT a HTTP/1.1", "CONNECT a: HTTP/1.1", "CONNECT :80 HTTP/1.1",
          "CONNECT a:0 HTTP/1.1", "CONNECT a:65536 HTTP/1.1", "CONNECT a:80", "CONNECT a:80 HTTP/2",
          "CONNECT a:80 b HTTP/1.1", "CONNECT [::1:80 HTTP/1.1", "CONNECT [::1]80 HTTP/1.1",
          "CONNECT a:80:80 HTTP/1.1", "CONNECT  a:80 HTTP/1.1"}) {
        INFO(line);
        const ConnectHead parsed = parse_connect(std::string{line} + "\r\n\r\n");
        CHECK(parsed.parsed == Parsed::bad);
        CHECK(parsed.status == 400);
    }
    CHECK(parse_connect("GET http://a/ HTTP/1.1\r\n").status == 405);
    CHECK(parse_connect("\x16\x03\x01").status == 400);
    const std::string endless = "CONNECT a:80 HTTP/1.1\r\n" + std::string(9000, 'x');
    CHECK(parse_connect(endless).status == 431);
    CHECK(parse_connect(endless + "\r\n\r\n").status == 431);
}

TEST_CASE("the name that a TLS client asks for is found", "[egress]") {
    const std::string bytes = hello("API.example.com");
    CHECK(parse_server_name(bytes).parsed == Parsed::good);
    CHECK(parse_server_name(bytes).name == "api.example.com");
    CHECK(parse_server_name(bytes + "more").name == "api.example.com");
    for (std::size_t size = 0; size < bytes.size(); ++size)
        CHECK(parse_server_name(bytes.substr(0, size)).parsed == Parsed::need_more);
    CHECK(parse_server_name(hello("")).parsed == Parsed::good);
    CHECK(parse_server_name(hello("")).name.empty());
    CHECK(parse_server_name("GET / HTTP/1.1").parsed == Parsed::good);
    CHECK(parse_server_name("SSH-2.0-x\r\n").parsed == Parsed::good);
}

TEST_CASE("a hello spread over records is put together", "[egress]") {
    const std::string whole = handshake("spread.example.com");
    std::string bytes;
    for (std::size_t at = 0; at < whole.size(); at += 7)
        bytes += record(whole.substr(at, 7));
    CHECK(parse_server_name(bytes).name == "spread.example.com");
    CHECK(parse_server_name(bytes.substr(0, bytes.size() - 1)).parsed == Parsed::need_more);
}

TEST_CASE("what claims to be TLS and is not is not let through", "[egress]") {
    CHECK(parse_server_name(record("\x02xxxxx")).parsed == Parsed::bad);  // no ClientHello
    CHECK(parse_server_name(std::string{"\x16\x02\x01\0\x05hello", 10}).parsed == Parsed::bad);
    CHECK(parse_server_name(std::string{"\x16\x03\x01\x00\x00", 5}).parsed == Parsed::bad);
    std::string twice = handshake("a.com");
    CHECK(parse_server_name(record(twice)).name == "a.com");
    // Never ending: cut at the limit.
    const std::string endless =
        record('\x01' + std::string{"\xff\xff\xff"} + std::string(16'000, 'x'));
    CHECK(parse_server_name(endless).parsed == Parsed::need_more);
    CHECK(parse_server_name(endless + record(std::string(2'000, 'x'))).parsed == Parsed::bad);
}

TEST_CASE("no bytes make the parsers of first bytes stumble", "[egress]") {
    auto random = test::seeded_random("hostile hellos");
    const std::string connect = "CONNECT api.example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n";
    const std::string tls = hello("api.example.com");
    for (int i = 0; i < 200'000; ++i) {
        std::string bytes = test::below(random, 2) == 0 ? connect : tls;
        for (auto changes = test::below(random, 5); changes > 0; --changes)
            bytes[test::below(random, bytes.size())] = static_cast<char>(random());
        if (test::below(random, 3) == 0) bytes.resize(test::below(random, bytes.size() + 1));
        const ConnectHead head = parse_connect(bytes);
        REQUIRE(head.bytes <= bytes.size());
        if (head.parsed == Parsed::good) REQUIRE((head.port != 0 && !head.host.empty()));
        (void)parse_server_name(bytes);
    }
}
