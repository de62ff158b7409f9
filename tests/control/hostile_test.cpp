// Hostile requests against a real server: each has exactly one right answer, and
// after each the server still serves the next client.
#include <catch2/catch.hpp>
#include <string>

#include "tests/control/harness.h"

using namespace berth;
using namespace berth::testing;

namespace {

// What one connection sends and what it gets. `statuses` are of all answers; the
// connection is closed after them (read_all() returns), since each case half-closes.
struct Case {
    const char* what;
    std::string bytes;
    std::vector<int> statuses;
};

std::string get(std::string_view headers) {
    return fmt::format("GET /ok HTTP/1.1\r\nHost: b\r\n{}\r\n", headers);
}
std::string post(std::string_view headers, std::string_view body) {
    return fmt::format("POST /echo HTTP/1.1\r\nHost: b\r\n{}\r\n{}", headers, body);
}
std::string chunked(std::string_view body) { return post("Transfer-Encoding: chunked\r\n", body); }
// The second request must never be seen after the first one was refused.
const std::string kSmuggled = "GET /ok HTTP/1.1\r\nHost: b\r\n\r\n";

std::vector<Case> cases() {
    using namespace std::string_literals;
    std::string many_headers;
    for (int i = 0; i < 101; ++i)
        many_headers += fmt::format("x{}: y\r\n", i);
    return {
        // good ones, so that the table can tell
        {"a plain request", get(""), {200}},
        {"a header without a space", get("a:b\r\n"), {200}},
        {"an empty header", get("a:\r\n"), {200}},
        {"bytes above ASCII in a value", get("a: \xc3\xa4\xff\r\n"), {200}},
        {"HTTP/1.0 without a host", "GET /ok HTTP/1.0\r\n\r\n", {200}},
        {"three pipelined", get("") + get("") + get(""), {200, 200, 200}},
        {"nothing after 'connection: close'", get("Connection: x, Close\r\n") + kSmuggled, {200}},
        {"a body of known length", post("Content-Length: 2\r\n", "{}") + kSmuggled, {200, 200}},
        {"a body in chunks", chunked("2\r\n{}\r\n0\r\n\r\n") + kSmuggled, {200, 200}},
        {"a chunk with an extension", chunked("2;a=b\r\n{}\r\n0\r\n\r\n"), {200}},
        {"a chunk size in capitals", chunked("A\r\n0123456789\r\n0\r\n\r\n"), {200}},
        {"a body on a GET", get("Content-Length: 3\r\n") + "abc" + kSmuggled, {200, 200}},
        {"length zero", post("Content-Length: 0\r\n", ""), {200}},
        {"coding in capitals", post("Transfer-Encoding: CHUNKED\r\n", "0\r\n\r\n"), {200}},
        // lengths and codings
        {"length and coding",
         post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n") + kSmuggled,
         {400}},
        {"coding and length",
         post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n") + kSmuggled,
         {400}},
        {"two lengths that differ",
         post("Content-Length: 5\r\nContent-Length: 0\r\n", "12345"),
         {400}},
        {"two equal lengths", post("Content-Length: 2\r\nContent-Length: 2\r\n", "{}"), {400}},
        {"a list of lengths", post("Content-Length: 2, 2\r\n", "{}"), {400}},
        {"a length with a plus", post("Content-Length: +2\r\n", "{}"), {400}},
        {"a negative length", post("Content-Length: -2\r\n", "{}"), {400}},
        {"a hexadecimal length", post("Content-Length: 0x2\r\n", "{}"), {400}},
        {"a length of words", post("Content-Length: two\r\n", "{}"), {400}},
        {"an empty length", post("Content-Length:\r\n", "{}"), {400}},
        {"a length with a fraction", post("Content-Length: 2.0\r\n", "{}"), {400}},
        {"a length with a space in it", post("Content-Length: 1 2\r\n", "{}"), {400}},
        {"a length past 64 bits", post("Content-Length: 18446744073709551618\r\n", "{}"), {400}},
        {"a length over the limit", post("Content-Length: 1048577\r\n", ""), {413}},
        {"two codings", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), {400}},
        {"chunked twice", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), {400}},
        {"two coding headers",
         post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
         {400}},
        {"coding identity", post("Transfer-Encoding: identity\r\n", "0\r\n\r\n"), {400}},
        {"coding xchunked", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), {400}},
        {"a quoted coding", post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), {400}},
        {"a coding after a vertical tab",
         post("Transfer-Encoding: \vchunked\r\n", "0\r\n\r\n"),
         {400}},
        {"an empty coding", post("Transfer-Encoding:\r\n", "0\r\n\r\n"), {400}},
        {"a coding on HTTP/1.0",
         "POST /echo HTTP/1.0\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         {400}},
        // the lines of a head
        {"bare LF after the request line", "GET /ok HTTP/1.1\nHost: b\r\n\r\n", {400}},
        {"bare LF after a header", "GET /ok HTTP/1.1\r\nHost: b\n\r\n", {400}},
        {"bare LF at the end of the head", "GET /ok HTTP/1.1\r\nHost: b\r\n\n", {400}},
        {"all lines with bare LF", "GET /ok HTTP/1.1\nHost: b\n\n", {400}},
        {"a lone CR in a value", get("a: b\rc: d\r\n"), {400}},
        {"a lone CR as the end of a line", get("a: b\r\rc: d\r\n"), {400}},
        {"an empty line before the request", "\r\n" + get(""), {400}},
        {"a folded header", get("a: b\r\n c\r\n"), {400}},
        {"a folded first header", "GET /ok HTTP/1.1\r\n Host: b\r\n\r\n", {400}},
        {"a header folded with a tab", get("a: b\r\n\tc\r\n"), {400}},
        {"a folded coding", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), {400}},
        {"a space before the colon", get("a : b\r\n"), {400}},
        {"a space before the colon of a length", post("Content-Length : 2\r\n", "{}"), {400}},
        {"a tab before the colon", get("a\t: b\r\n"), {400}},
        {"a header without a colon", get("nonsense\r\n"), {400}},
        {"a header without a name", get(": b\r\n"), {400}},
        {"a name with a bracket", get("a[b]: c\r\n"), {400}},
        {"a name above ASCII", get("\xc3\xa4: c\r\n"), {400}},
        {"a NUL in a name", get("a\0b: c\r\n"s), {400}},
        {"a NUL in a value", get("a: b\0c\r\n"s), {400}},
        {"a NUL in the target", "GET /o\0k HTTP/1.1\r\nHost: b\r\n\r\n"s, {400}},
        {"an escape in a value", get("a: \x1b[2J\r\n"), {400}},
        {"a DEL in a value", get("a: \x7f\r\n"), {400}},
        {"101 headers", get(many_headers), {431}},
        {"a header of 17 KiB", get("a: " + std::string(17 * 1024, 'x') + "\r\n"), {431}},
        {"a header that never ends",
         "GET /ok HTTP/1.1\r\nHost: b\r\na: " + std::string(20'000, 'x'),
         {431}},
        // request lines
        {"a target of 9 KiB",
         "GET /" + std::string(9 * 1024, 'x') + " HTTP/1.1\r\nHost: b\r\n\r\n",
         {414}},
        {"a target that never ends", "GET /" + std::string(20'000, 'x'), {414}},
        {"HTTP/0.9", "GET /ok\r\n", {400}},
        {"HTTP/2.0", "GET /ok HTTP/2.0\r\nHost: b\r\n\r\n", {505}},
        {"HTTP/1.2", "GET /ok HTTP/1.2\r\nHost: b\r\n\r\n", {505}},
        {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {505}},
        {"http in lower case", "GET /ok http/1.1\r\nHost: b\r\n\r\n", {400}},
        {"a version of two digits", "GET /ok HTTP/1.11\r\nHost: b\r\n\r\n", {400}},
        {"two spaces after the method", "GET  /ok HTTP/1.1\r\nHost: b\r\n\r\n", {400}},
        {"two spaces before the version", "GET /ok  HTTP/1.1\r\nHost: b\r\n\r\n", {400}},
        {"a space after the version", "GET /ok HTTP/1.1 \r\nHost: b\r\n\r\n", {400}},
        {"a tab between the parts", "GET\t/ok\tHTTP/1.1\r\nHost: b\r\n\r\n", {400}},
        {"a space before the method", " GET /ok HTTP/1.1\r\nHost: b\r\n\r\n", {400}},
        {"a method in lower case", "get /ok HTTP/1.1\r\nHost: b\r\n\r\n", {501}},
        {"a method nobody knows", "BREW /ok HTTP/1.1\r\nHost: b\r\n\r\n", {501}},
        {"TRACE", "TRACE /ok HTTP/1.1\r\nHost: b\r\n\r\n", {501}},
        {"CONNECT", "CONNECT b:80 HTTP/1.1\r\nHost: b\r\n\r\n", {501}},
        {"a method with a bracket", "G{T /ok HTTP/1.1\r\nHost: b\r\n\r\n", {400}},
        {"TLS", "\x16\x03\x01\x02\x00\x01\n"s, {400}},
        {"an absolute target", "GET http://b/ok HTTP/1.1\r\nHost: b\r\n\r\n", {400}},
        {"an absolute target of another host",
         "GET http://evil/ok HTTP/1.1\r\nHost: b\r\n\r\n",
         {400}},
        {"an authority as target", "GET b:80 HTTP/1.1\r\nHost: b\r\n\r\n", {400}},
        {"an asterisk as target", "GET * HTTP/1.1\r\nHost: b\r\n\r\n", {400}},
        {"a fragment", "GET /ok#x HTTP/1.1\r\nHost: b\r\n\r\n", {400}},
        {"a target above ASCII", "GET /\xc3\xa4 HTTP/1.1\r\nHost: b\r\n\r\n", {400}},
        {"half an escape", "GET /o%6 HTTP/1.1\r\nHost: b\r\n\r\n", {400}},
        {"an escape of no digits", "GET /o%zz HTTP/1.1\r\nHost: b\r\n\r\n", {400}},
        {"an escaped slash", "GET /items%2f7 HTTP/1.1\r\nHost: b\r\n\r\n", {400}},
        {"an escaped backslash", "GET /items%5c7 HTTP/1.1\r\nHost: b\r\n\r\n", {400}},
        {"an escaped NUL", "GET /ok%00 HTTP/1.1\r\nHost: b\r\n\r\n", {400}},
        {"an escaped line break", "GET /ok%0d%0a HTTP/1.1\r\nHost: b\r\n\r\n", {400}},
        {"an escaped broken UTF-8", "GET /%c3%28 HTTP/1.1\r\nHost: b\r\n\r\n", {400}},
        {"a way up", "GET /items/../ok HTTP/1.1\r\nHost: b\r\n\r\n", {400}},
        {"an escaped way up", "GET /items/%2e%2E/ok HTTP/1.1\r\nHost: b\r\n\r\n", {400}},
        {"a step on the spot", "GET /./ok HTTP/1.1\r\nHost: b\r\n\r\n", {400}},
        {"an escaped NUL in the query", "GET /ok?a=%00 HTTP/1.1\r\nHost: b\r\n\r\n", {400}},
        {"half an escape in the query", "GET /ok?a=% HTTP/1.1\r\nHost: b\r\n\r\n", {400}},
        {"no host", "GET /ok HTTP/1.1\r\n\r\n", {400}},
        {"two hosts", "GET /ok HTTP/1.1\r\nHost: b\r\nHost: b\r\n\r\n", {400}},
        {"an empty host", "GET /ok HTTP/1.1\r\nHost:\r\n\r\n", {400}},
        {"a host with a path", "GET /ok HTTP/1.1\r\nHost: b/../c\r\n\r\n", {400}},
        {"two hosts on HTTP/1.0", "GET /ok HTTP/1.0\r\nHost: b\r\nHost: c\r\n\r\n", {400}},
        {"an upgrade to websocket", get("Connection: Upgrade\r\nUpgrade: websocket\r\n"), {400}},
        {"an upgrade to h2c",
         get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n"),
         {400}},
        {"an expectation nobody meets",
         post("Expect: coffee\r\nContent-Length: 2\r\n", "{}"),
         {417}},
        // chunks
        {"a chunk of no size", chunked("\r\n{}\r\n0\r\n\r\n"), {400}},
        {"a chunk size of words", chunked("zz\r\n{}\r\n0\r\n\r\n"), {400}},
        {"a negative chunk", chunked("-2\r\n{}\r\n0\r\n\r\n"), {400}},
        {"a chunk size with 0x", chunked("0x2\r\n{}\r\n0\r\n\r\n"), {400}},
        {"a space before a chunk size", chunked(" 2\r\n{}\r\n0\r\n\r\n"), {400}},
        {"a space after a chunk size", chunked("2 \r\n{}\r\n0\r\n\r\n"), {400}},
        {"a chunk size past 64 bits", chunked("fffffffffffffffff\r\n{}\r\n0\r\n\r\n"), {400}},
        {"a chunk size that wraps to 2", chunked("10000000000000002\r\n{}\r\n0\r\n\r\n"), {400}},
        {"a chunk over the limit", chunked("100001\r\n"), {413}},
        {"chunks over the limit together",
         chunked("80000\r\n" + std::string(0x80000, 'x') + "\r\n80001\r\n"),
         {413}},
        {"bare LF after a chunk size", chunked("2\n{}\r\n0\r\n\r\n"), {400}},
        {"bare LF after the data of a chunk", chunked("2\r\n{}\n0\r\n\r\n"), {400}},
        {"data longer than its chunk", chunked("2\r\n{}}\r\n0\r\n\r\n"), {400}},
        {"a lone CR after a chunk size", chunked("2\r{}\r\n0\r\n\r\n"), {400}},
        {"a chunk extension of 300 bytes",
         chunked("2;" + std::string(300, 'a') + "\r\n{}\r\n0\r\n\r\n"),
         {400}},
        {"leading zeros without end", chunked(std::string(300, '0')), {400}},
        {"a NUL in a chunk extension", chunked("2;a\0b\r\n{}\r\n0\r\n\r\n"s), {400}},
        {"a header after the chunks", chunked("0\r\nA: b\r\n\r\n"), {400}},
        {"a length after the chunks",
         chunked("0\r\nContent-Length: 40\r\n\r\n") + kSmuggled,
         {400}},
        {"bare LF at the end of the chunks", chunked("0\r\n\n"), {400}},
        // half-sent: the client ends before the request does
        {"half a request line", "GET /o", {}},
        {"half a head", "GET /ok HTTP/1.1\r\nHost: b\r\n", {}},
        {"half a body", post("Content-Length: 5\r\n", "12"), {}},
        {"half a chunk", chunked("5\r\n12"), {}},
        {"nothing", "", {}},
        {"good, then half", get("") + "GET /o", {200}},
        // well-formed, and refused for what it asks
        {"a path nobody knows", "GET /nowhere HTTP/1.1\r\nHost: b\r\n\r\n" + kSmuggled, {404, 200}},
        {"two slashes", "GET //ok HTTP/1.1\r\nHost: b\r\n\r\n", {404}},
        {"a slash at the end", "GET /ok/ HTTP/1.1\r\nHost: b\r\n\r\n", {404}},
        {"an empty name", "GET /items/ HTTP/1.1\r\nHost: b\r\n\r\n", {404}},
        {"a path in capitals", "GET /OK HTTP/1.1\r\nHost: b\r\n\r\n", {404}},
        {"the wrong method", "DELETE /ok HTTP/1.1\r\nHost: b\r\n\r\n" + kSmuggled, {405, 200}},
        {"the wrong method with a body",
         "PUT /ok HTTP/1.1\r\nHost: b\r\nContent-Length: 2\r\n\r\n{}" + kSmuggled,
         {405}},
        {"a body of the wrong type",
         post("Content-Type: text/xml\r\nContent-Length: 2\r\n", "{}") + kSmuggled,
         {415}},
        {"an id of words", "GET /items/x HTTP/1.1\r\nHost: b\r\n\r\n" + kSmuggled, {422, 200}},
        {"an id with a sign", "GET /items/+7 HTTP/1.1\r\nHost: b\r\n\r\n", {422}},
        {"an id past 64 bits", "GET /items/9223372036854775808 HTTP/1.1\r\nHost: b\r\n\r\n", {422}},
        {"garbage", std::string(70'000, '\xff'), {414}},
    };
}

}  // namespace

TEST_CASE("every hostile request has exactly one right answer", "[control]") {
    ServerInThread server{add_test_routes};
    const auto all = cases();
    CHECK(all.size() >= 60);
    for (const auto& [what, bytes, statuses] : all) {
        INFO(what);
        RawClient client{server.socket()};
        client.send(bytes);
        client.finish_sending();
        CHECK(statuses_in(client.read_all()) == statuses);

        RawClient next{server.socket()};
        next.send(kMarker);
        CHECK(status_in(next.read_all()) == 200);
    }
}

TEST_CASE("every split of a request into two writes gives the same answers", "[control]") {
    const auto answers = [](std::string_view first, std::string_view second) {
        RequestParser parser{HttpLimits{}};
        std::string seen;
        for (std::string_view rest : {first, second}) {
            while (!rest.empty()) {
                auto progress = parser.feed(rest);
                if (progress == RequestParser::Progress::head)
                    progress = parser.accept_body(limits::kHttpBodyBytes);
                if (progress == RequestParser::Progress::refused)
                    return fmt::format("{}{} {}", seen, parser.refusal().status,
                                       parser.refusal().message);
                if (progress != RequestParser::Progress::complete) continue;
                seen += fmt::format("{} {} [{}] ", to_string(parser.head().method),
                                    parser.head().target.raw_path, parser.take_body());
                parser.next();
            }
        }
        return seen + (parser.idle() ? "idle" : "more");
    };
    for (const auto& [what, bytes, statuses] : cases()) {
        if (bytes.size() > 2'000) continue;  // the long ones differ only in length
        INFO(what);
        const std::string whole = answers(bytes, {});
        bool same = true;
        for (std::size_t i = 1; i < bytes.size() && same; ++i) {
            const std::string_view all{bytes};
            INFO("split at " << i);
            same = answers(all.substr(0, i), all.substr(i)) == whole;
            CHECK(answers(all.substr(0, i), all.substr(i)) == whole);
        }
    }
}
