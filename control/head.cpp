#include "control/head.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace berth {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alnum(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
// RFC 9110 5.6.2.
bool is_token_char(char c) {
    return is_alnum(c) || std::string_view{"!#$%&'*+-.^_`|~"}.find(c) != std::string_view::npos;
}
bool is_token(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}
// NUL, CR, LF, ESC, DEL ...: what no part of a head may have.
bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
    });
}

HttpRefusal bad(std::string message) { return {400, std::move(message)}; }

std::optional<HttpRefusal> check_host(const RequestHead& head) {
    const auto count = head.headers.count("host");
    if (count > 1) return bad("the request has more than one 'host' header");
    if (count == 0) {
        if (head.version == HttpVersion::v1_0) return {};
        return bad("the request has no 'host' header");
    }
    const auto host = *head.headers.find("host");
    const bool good = !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
        return is_alnum(c) || std::string_view{".-_:[]"}.find(c) != std::string_view::npos;
    });
    if (!good) return bad("the 'host' header is not a host name");
    return {};
}

std::optional<HttpRefusal> decide_framing(RequestHead& head) {
    const auto lengths = head.headers.count("content-length");
    const auto codings = head.headers.count("transfer-encoding");
    if (codings > 0 && lengths > 0)
        return bad("the request has both 'content-length' and 'transfer-encoding'");
    if (lengths > 1) return bad("the request has more than one 'content-length' header");
    if (lengths == 1) {
        const auto text = *head.headers.find("content-length");
        // 18 digits: far past every limit, and no overflow in anybody's arithmetic.
        const auto length = to_number<std::uint64_t>(text);
        if (!length || text.size() > 18) return bad("the 'content-length' header is not a length");
        head.body_kind = BodyKind::sized;
        head.content_length = *length;
    }
    if (codings == 0) return {};
    if (head.version == HttpVersion::v1_0)
        return bad("an HTTP/1.0 request cannot have a 'transfer-encoding'");
    if (codings > 1 || to_lower_ascii(*head.headers.find("transfer-encoding")) != "chunked")
        return bad("the 'transfer-encoding' is not exactly 'chunked'");
    head.body_kind = BodyKind::chunked;
    return {};
}

}  // namespace

std::optional<HttpRefusal> read_request_line(std::string_view line, const HttpLimits& limits,
                                             RequestHead& head) {
    const auto first = line.find(' ');
    const auto second = first == line.npos ? line.npos : line.find(' ', first + 1);
    if (second == line.npos || has_control(line))
        return bad("the request line is not 'METHOD target HTTP/1.1'");
    const auto method = line.substr(0, first);
    const auto target = line.substr(first + 1, second - first - 1);
    const auto version = line.substr(second + 1);

    if (!is_token(method)) return bad("the request's method is malformed");
    if (version == "HTTP/1.0")
        head.version = HttpVersion::v1_0;
    else if (version.size() == 8 && version.substr(0, 5) == "HTTP/" && is_digit(version[5]) &&
             version[6] == '.' && is_digit(version[7]) && version != "HTTP/1.1")
        return HttpRefusal{505, "only HTTP/1.1 and HTTP/1.0 are spoken here"};
    else if (version != "HTTP/1.1")
        return bad("the request line does not end with an HTTP version");

    const auto known = parse_method(method);
    if (!known)
        return HttpRefusal{501, fmt::format("there is no method '{}' here", printable(method, 40))};
    head.method = *known;

    if (target.size() > limits.uri_bytes)
        return HttpRefusal{
            414, fmt::format("the request's target has more than {} bytes", limits.uri_bytes)};
    auto parsed = parse_target(target);
    if (!parsed) return bad(std::move(parsed).error().message);
    head.target = *std::move(parsed);
    return {};
}

std::optional<HttpRefusal> read_header_line(std::string_view line, const HttpLimits& limits,
                                            RequestHead& head) {
    if (line.front() == ' ' || line.front() == '\t')
        return bad("a header is folded over two lines, which is not accepted");
    const auto colon = line.find(':');
    if (colon == line.npos || !is_token(line.substr(0, colon)))
        return bad("a header's name is malformed");
    if (has_control(line.substr(colon))) return bad("a header's value has a control character");
    if (head.headers.all().size() == limits.header_count)
        return HttpRefusal{
            431, fmt::format("the request has more than {} headers", limits.header_count)};
    head.headers.add(to_lower_ascii(line.substr(0, colon)),
                     std::string{trim(line.substr(colon + 1))});
    return {};
}

std::optional<HttpRefusal> settle(RequestHead& head) {
    if (auto refusal = check_host(head)) return refusal;
    if (auto refusal = decide_framing(head)) return refusal;
    if (head.headers.count("upgrade") > 0) return bad("the protocol cannot be upgraded here");

    head.keep_alive = head.version == HttpVersion::v1_1;
    for (const auto& [name, value] : head.headers.all()) {
        if (name != "connection") continue;
        for (const auto& word : split(value, ','))
            if (to_lower_ascii(trim(word)) == "close") head.keep_alive = false;
    }
    const auto expect = head.headers.find("expect");
    if (!expect || head.version == HttpVersion::v1_0) return {};
    if (head.headers.count("expect") > 1 || to_lower_ascii(*expect) != "100-continue")
        return HttpRefusal{417, "the only expectation that can be met is '100-continue'"};
    head.expects_continue = head.body_kind != BodyKind::none;
    return {};
}

std::optional<std::uint64_t> read_chunk_line(std::string_view line) {
    const auto digits = line.substr(0, line.find(';'));
    if (digits.empty() || digits.size() > 15 || has_control(line)) return {};
    std::uint64_t size = 0;
    const char* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, size, /*base=*/16);
    if (error != std::errc{} || stop != end) return {};
    return size;
}

}  // namespace berth
