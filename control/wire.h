// Answers as bytes. Pure.
#pragma once

#include <string>
#include <string_view>

#include "control/head.h"
#include "control/reply.h"

namespace berth {

// A refusal in words, with when to come again; `headers` are further ones.
Response refusal(const ErrorAnswer& why, NamedValues headers = {});

enum class Closing { no, yes };  // whether the answer says `connection: close`

// `for_method` head: the head of the answer only.
std::string to_wire(const Response& response, Method for_method, Closing closing);
// The head of a stream: chunked on HTTP/1.1, up to the end of the connection on 1.0.
std::string stream_head(const Response& head, HttpVersion version, Closing closing);
std::string chunk(std::string_view bytes);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace berth
