// The first bytes of a connection, where they say where it goes: the head of a CONNECT
// request, and the server name in a TLS ClientHello. Pure; the bytes come from scripts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace berth::egress {

enum class Parsed { need_more, good, bad };

// `CONNECT host:port HTTP/1.x`, its header fields skipped, up to the empty line.
struct ConnectHead {
    Parsed parsed = Parsed::need_more;
    int status = 400;  // when bad: what the answer says
    std::string host;  // without brackets
    std::uint16_t port = 0;
    std::size_t bytes = 0;  // of the head; what follows belongs to the connection
};
ConnectHead parse_connect(std::string_view bytes);

// The name that a TLS client asks for. Good with an empty name: it is TLS without one,
// or no TLS at all. Bad: it claims to be TLS, and is not.
struct ServerName {
    Parsed parsed = Parsed::need_more;
    std::string name;  // lower case
};
ServerName parse_server_name(std::string_view bytes);

}  // namespace berth::egress
