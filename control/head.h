// The head of a request, line by line: pure checks, stricter than the RFC where
// servers and proxies are known to differ. Framing is decided here; parser.h
// asks llhttp whether it agrees.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "control/http.h"
#include "control/target.h"

namespace berth {

enum class HttpVersion { v1_0, v1_1 };
enum class BodyKind { none, sized, chunked };

struct RequestHead {
    Method method = Method::get;
    HttpVersion version = HttpVersion::v1_1;
    Target target;
    Headers headers;
    BodyKind body_kind = BodyKind::none;
    std::uint64_t content_length = 0;  // of a sized body
    bool keep_alive = true;
    bool expects_continue = false;
};

// Why a request was refused. The connection is out of step and must be closed.
struct HttpRefusal {
    int status = 400;
    std::string message;
};

// Each reads one line (without its CRLF) into `head`; nothing means it is good.
std::optional<HttpRefusal> read_request_line(std::string_view line, const HttpLimits& limits,
                                             RequestHead& head);
std::optional<HttpRefusal> read_header_line(std::string_view line, const HttpLimits& limits,
                                            RequestHead& head);
// When all lines are in: Host, framing, Expect, Connection.
std::optional<HttpRefusal> settle(RequestHead& head);

// The size of `1f;name=value` (without its CRLF); nothing when it is malformed.
std::optional<std::uint64_t> read_chunk_line(std::string_view line);

}  // namespace berth
