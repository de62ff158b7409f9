#include "control/wire.h"

#include <algorithm>

#include "base/assert.h"

namespace berth {
namespace {

// A handler that puts outside text into a header must not be able to split the
// answer in two.
std::string one_line(std::string_view value) {
    std::string text{value};
    std::replace_if(
        text.begin(), text.end(),
        [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; },
        ' ');
    return text;
}

std::string head_of(const Response& response, Closing closing) {
    BERTH_ASSERT(response.status >= 200 && response.status <= 599);
    std::string text =
        fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_phrase(response.status));
    for (const auto& [name, value] : response.headers.all())
        text += fmt::format("{}: {}\r\n", name, one_line(value));
    text += "cache-control: no-store\r\nx-content-type-options: nosniff\r\n";
    if (closing == Closing::yes) text += "connection: close\r\n";
    return text;
}

}  // namespace

Response refusal(const ErrorAnswer& why, NamedValues headers) {
    headers.add("content-type", "application/json");
    if (why.retry_after) headers.add("retry-after", std::to_string(why.retry_after->count()));
    return {.status = why.status, .headers = std::move(headers), .body = why.body};
}

std::string to_wire(const Response& response, Method for_method, Closing closing) {
    std::string text = head_of(response, closing);
    const bool bodiless = response.status == 204 || response.status == 304;
    if (!bodiless) text += fmt::format("content-length: {}\r\n", response.body.size());
    text += "\r\n";
    if (!bodiless && for_method != Method::head) text += response.body;
    return text;
}

std::string stream_head(const Response& head, HttpVersion version, Closing closing) {
    std::string text = head_of(head, closing);
    if (version == HttpVersion::v1_1) text += "transfer-encoding: chunked\r\n";
    return text + "\r\n";
}

std::string chunk(std::string_view bytes) {
    return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

}  // namespace berth
