#include "sandbox/egress/hello.h"

#include <algorithm>

#include "base/text.h"
#include "model/limits.h"

namespace berth::egress {
namespace {

bool is_token_version(std::string_view version) {
    return version == "HTTP/1.1" || version == "HTTP/1.0";
}

bool parse_authority(std::string_view authority, ConnectHead& head) {
    std::string_view port;
    if (authority.starts_with('[')) {
        const auto end = authority.find("]:");
        if (end == std::string_view::npos) return false;
        head.host = std::string{authority.substr(1, end - 1)};
        port = authority.substr(end + 2);
    } else {
        const auto colon = authority.find(':');
        if (colon == std::string_view::npos) return false;
        head.host = std::string{authority.substr(0, colon)};
        port = authority.substr(colon + 1);
    }
    const auto number = to_number<std::uint16_t>(port);
    if (!number || *number == 0 || head.host.empty()) return false;
    head.port = *number;
    return true;
}

// A part of a TLS message whose length stands in front, in `prefix` bytes.
class Part {
public:
    explicit Part(std::string_view bytes) : rest_{bytes} {}
    bool ok() const { return ok_; }
    bool empty() const { return rest_.empty(); }

    std::size_t number(std::size_t bytes) {
        std::size_t value = 0;
        for (const char c : take(bytes))
            value = value << 8 | static_cast<unsigned char>(c);
        return value;
    }
    std::string_view take(std::size_t bytes) {
        if (bytes > rest_.size()) {
            ok_ = false;
            rest_ = {};
            return {};
        }
        const auto taken = rest_.substr(0, bytes);
        rest_.remove_prefix(bytes);
        return taken;
    }
    std::string_view part(std::size_t prefix) { return take(number(prefix)); }

private:
    std::string_view rest_;
    bool ok_ = true;
};

constexpr std::size_t kRecordHead = 5;
constexpr char kHandshake = 22;
constexpr std::size_t kClientHello = 1;
constexpr std::size_t kServerNameExtension = 0;

// The extension holds a list; a host name is its only type, and stands there once.
bool read_name(std::string_view extension, std::string& name) {
    Part outer{extension};
    Part list{outer.part(2)};
    const std::size_t type = list.number(1);
    const auto host = list.part(2);
    if (!outer.ok() || !outer.empty() || !list.ok() || !list.empty() || type != 0) return false;
    name = to_lower_ascii(host);
    return !name.empty();
}

Parsed read_hello(std::string_view body, std::string& name) {
    Part hello{body};
    (void)hello.take(2 + 32);  // version, random
    (void)hello.part(1);       // session
    (void)hello.part(2);       // cipher suites
    (void)hello.part(1);       // compression
    if (!hello.ok()) return Parsed::bad;
    if (hello.empty()) return Parsed::good;  // before extensions there was no name
    Part extensions{hello.part(2)};
    bool seen = false;
    while (hello.ok() && extensions.ok() && !extensions.empty()) {
        const std::size_t type = extensions.number(2);
        const auto content = extensions.part(2);
        if (type != kServerNameExtension) continue;
        if (seen || !read_name(content, name)) return Parsed::bad;
        seen = true;
    }
    return hello.ok() && extensions.ok() ? Parsed::good : Parsed::bad;
}

}  // namespace

ConnectHead parse_connect(std::string_view bytes) {
    ConnectHead head;
    const auto refuse = [&head](int status) {
        head.parsed = Parsed::bad;
        head.status = status;
        return head;
    };
    constexpr std::string_view kMethod = "CONNECT ";
    const auto begin = bytes.substr(0, kMethod.size());
    // Said early, since another protocol may wait for us to speak first.
    if (begin != kMethod.substr(0, begin.size())) {
        const auto method = bytes.substr(0, bytes.find(' '));
        const bool other = method.size() < bytes.size() &&
                           std::ranges::all_of(method, [](char c) { return c >= 'A' && c <= 'Z'; });
        return refuse(other ? 405 : 400);
    }
    const auto end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos)
        return bytes.size() > limits::kEgressHeadBytes ? refuse(431) : head;
    if (end + 4 > limits::kEgressHeadBytes) return refuse(431);
    const auto line = bytes.substr(0, bytes.find("\r\n")).substr(kMethod.size());
    const auto space = line.find(' ');
    if (space == std::string_view::npos || !is_token_version(line.substr(space + 1)) ||
        !parse_authority(line.substr(0, space), head))
        return refuse(400);
    head.parsed = Parsed::good;
    head.bytes = end + 4;
    return head;
}

ServerName parse_server_name(std::string_view bytes) {
    ServerName result;
    if (bytes.empty()) return result;
    if (bytes[0] != kHandshake) return {Parsed::good, {}};
    // One handshake message may be spread over several records.
    std::string handshake;
    std::string_view rest = bytes;
    for (;;) {
        if (rest.size() < kRecordHead) break;
        if (rest[0] != kHandshake || rest[1] != 3) return {Parsed::bad, {}};
        const std::size_t size = Part{rest.substr(3)}.number(2);
        if (size == 0 || size > std::size_t{16} * 1024) return {Parsed::bad, {}};
        const auto content = rest.substr(kRecordHead, size);
        handshake += content;
        if (content.size() < size) break;
        rest.remove_prefix(kRecordHead + size);
    }
    Part message{handshake};
    const std::size_t type = message.number(1);
    const auto body_bytes = message.number(3);
    if (handshake.size() >= 4) {
        if (type != kClientHello) return {Parsed::bad, {}};
        const auto body = message.take(body_bytes);
        if (message.ok()) {
            result.parsed = read_hello(body, result.name);
            return result;
        }
    }
    if (bytes.size() >= limits::kEgressHelloBytes) result.parsed = Parsed::bad;
    return result;
}

}  // namespace berth::egress
