#include "control/client.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "control/client_reader.h"
#include "control/client_wire.h"

namespace berth {
namespace {

constexpr int kRedirects = 3;

std::string head_of(std::string_view method, std::string_view target, const ClientHeaders& headers,
                    const ClientBody& body) {
    std::string text = fmt::format("{} {} HTTP/1.1\r\nhost: berth\r\n", method, target);
    bool typed = false;
    for (const auto& [name, value] : headers) {
        text += fmt::format("{}: {}\r\n", name, value);
        typed = typed || to_lower_ascii(name) == "content-type";
    }
    if (body.file >= 0 && !body.file_bytes)
        text += "transfer-encoding: chunked\r\n";
    else if (body.file >= 0)
        text += fmt::format("content-length: {}\r\n", *body.file_bytes);
    else if (!body.bytes.empty())
        text += fmt::format("content-length: {}\r\n{}", body.bytes.size(),
                            typed ? "" : "content-type: application/json\r\n");
    return text + "\r\n";
}

// A line break would end the header, or the head.
bool fits_on_a_line(std::string_view text) {
    return text.find_first_of(std::string_view{"\r\n\0", 3}) == text.npos;
}

ClientBody body_from(int file) {
    struct stat info {};
    check(::fstat(file, &info), "looking at what to send");
    ClientBody body{.bytes = {}, .file = file, .file_bytes = {}};
    if (!S_ISREG(info.st_mode)) return body;
    const auto at = check(::lseek(file, 0, SEEK_CUR), "looking at what to send");
    body.file_bytes = static_cast<std::uint64_t>(std::max<off_t>(info.st_size - at, 0));
    return body;
}

}  // namespace

Client::Client(std::filesystem::path socket, ClientOptions options)
    : socket_{std::move(socket)}, options_{options} {}
Client::~Client() = default;

Result<ClientResponse> Client::exchange(std::string_view method, std::string_view target,
                                        const ClientHeaders& headers, const ClientBody& body,
                                        const OnBody& on_body) {
    bool sound = fits_on_a_line(method) && fits_on_a_line(target);
    for (const auto& [name, value] : headers)
        sound = sound && fits_on_a_line(name) && fits_on_a_line(value);
    if (!sound)
        return fail(FailureKind::invalid, "a request's target or header has a line break in it");

    // A kept connection may have been closed meanwhile.
    auto wire = std::move(wire_);
    if (!wire || !wire->usable()) {
        wire = std::make_unique<ClientWire>(socket_, options_);
        if (auto opened = wire->open(); !opened) return pass_on(opened);
    }
    auto sent = wire->send(head_of(method, target, headers, body));
    if (!sent) return pass_on(sent);
    const bool body_sent = *sent;
    if (body_sent) {
        if (auto whole = wire->send_body(body); !whole) return pass_on(whole);
    }

    ResponseReader reader{method == "HEAD" ? AnswerTo::head : AnswerTo::other};
    while (!reader.complete()) {
        auto bytes = wire->receive();
        if (!bytes) return pass_on(bytes);
        std::string_view rest{*bytes};
        if (auto read = bytes->empty() ? reader.end_of_input() : reader.feed(rest); !read)
            return pass_on(read);
        ClientResponse& response = reader.response();
        if (reader.head_complete() && on_body && on_body(response) == Follow::stop)
            return std::move(response);  // and the connection ends with `wire`
        if (response.body.size() > options_.body_limit)
            return fail(FailureKind::over_limit, "the answer has more than {} bytes",
                        options_.body_limit);
    }
    if (reader.reusable()) wire_ = std::move(wire);
    return std::move(reader.response());
}

Result<ClientResponse> Client::request(std::string_view method, std::string_view target,
                                       std::string_view body, const ClientHeaders& headers) {
    return exchange(method, target, headers, {.bytes = body, .file = -1, .file_bytes = {}}, {});
}

Result<ClientResponse> Client::get(std::string_view target, Redirects redirects) {
    std::string at{target};
    for (int left = kRedirects;; --left) {
        auto response = request("GET", at);
        if (!response || response->status != 302 || redirects == Redirects::returned)
            return response;
        at = response->header("location");
        if (left == 0 || !at.starts_with('/'))
            return fail(FailureKind::invalid,
                        "berthd redirects '{}' to '{}', which is not followed", target,
                        printable(at));
    }
}

Result<ClientResponse> Client::upload(std::string_view method, std::string_view target, int file,
                                      std::string_view content_type, const ClientHeaders& headers) {
    ClientHeaders all = headers;
    all.emplace_back("content-type", content_type);
    return exchange(method, target, all, body_from(file), {});
}

Result<ClientResponse> Client::download(std::string_view method, std::string_view target,
                                        const std::function<void(std::string_view)>& take) {
    return exchange(method, target, {}, {}, [&](ClientResponse& response) {
        if (response.ok()) take(std::exchange(response.body, {}));
        return Follow::on;
    });
}

Result<ClientResponse> Client::follow(std::string_view target,
                                      const std::function<Follow(const ServerEvent&)>& on_event,
                                      const ClientHeaders& headers) {
    EventReader events;
    const auto read_events = [&](ClientResponse& response) {
        const auto type = response.header("content-type");
        if (response.status != 200 || !type.starts_with("text/event-stream")) return Follow::on;
        return events.feed(std::exchange(response.body, {}), on_event);
    };
    return exchange("GET", target, headers, {}, read_events);
}

std::string encode_segment(std::string_view text) {
    constexpr std::string_view kPlain =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    std::string encoded;
    for (const char c : text) {
        if (kPlain.find(c) != kPlain.npos)
            encoded += c;
        else
            encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return encoded;
}

}  // namespace berth
