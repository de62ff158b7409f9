#include "cli/api.h"

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/fields.h"
#include "control/client.h"

namespace berth {
namespace {

// Whatever the client could not do, there is no daemon to speak to: exit 3.
template <typename T>
tl::unexpected<Failure> unreachable(Result<T>& failed) {
    Failure failure = std::move(failed).error();
    failure.kind = FailureKind::unavailable;
    return tl::unexpected<Failure>{std::move(failure)};
}

// `["body","connectors",0,"name"]` as `connectors.0.name`: which part of the
// request it stood in is of no use to who typed a command.
std::string place(const Json& loc) {
    std::string text;
    if (!loc.is_array()) return text;
    for (std::size_t i = 1; i < loc.size(); ++i) {
        if (i > 1) text += '.';
        text += loc[i].is_string() ? loc[i].get<std::string>() : to_text(loc[i]);
    }
    return text;
}

// The text of an error answer: `message`, `detail`, or one line per refused field.
std::string error_text(const ClientResponse& response) {
    auto body = parse_json(response.body);
    if (!body) return printable(response.body);
    if (const std::string message = field(*body, "message"); !message.empty()) return message;
    const Json& detail = inner(*body, "detail");
    if (!detail.is_array()) return field(*body, "detail");
    std::string lines;
    for (const Json& entry : detail) {
        const std::string where = place(inner(entry, "loc"));
        if (!lines.empty()) lines += '\n';
        lines +=
            where.empty() ? field(entry, "msg") : fmt::format("{}: {}", where, field(entry, "msg"));
    }
    return lines;
}

Failure refusal(const ClientResponse& response) {
    std::string text = error_text(response);
    if (text.empty()) text = fmt::format("the daemon answered with status {}", response.status);
    if (const auto seconds = response.header("retry-after"); !seconds.empty())
        text += fmt::format("; try again in {} s", seconds);
    switch (response.status) {
        case 403:
            return {FailureKind::denied,
                    fmt::format("{}; this takes root or a member of the group 'berth'", text),
                    {}};
        case 404: return {FailureKind::not_found, text, {}};
        case 409: return {FailureKind::conflict, text, {}};
        case 413:
        case 429: return {FailureKind::over_limit, text, {}};
        case 503: return {FailureKind::busy, text, {}};
        default: break;
    }
    if (response.status >= 500)
        return {FailureKind::busy,
                fmt::format("the daemon failed: {}; its log says more (status {})", text,
                            response.status),
                {}};
    return {FailureKind::unprocessable, text, {}};
}

Result<Json> json_of(Result<ClientResponse> response) {
    if (!response) return unreachable(response);
    if (!response->ok()) return tl::unexpected<Failure>{refusal(*response)};
    if (response->body.empty()) return Json::object();
    auto body = parse_json(response->body);
    if (!body)
        return fail(FailureKind::unavailable, "what answers at the socket is not Berth: {}",
                    body.error().message);
    return body;
}

}  // namespace

std::string api_path(const std::vector<std::string>& segments, const Pairs& query) {
    std::string path = "/v2";
    for (const std::string& segment : segments)
        path += '/' + encode_segment(segment);
    char separator = '?';
    for (const auto& [name, value] : query) {
        path += separator + encode_segment(name) + '=' + encode_segment(value);
        separator = '&';
    }
    return path;
}

Api::Api(const std::filesystem::path& socket, std::chrono::milliseconds answer_time)
    : socket_{socket},
      client_{std::make_unique<Client>(socket, ClientOptions{.answer_time = answer_time})} {}
Api::~Api() = default;

Result<Json> Api::get(const std::string& path) { return json_of(client_->get(path)); }

Result<Json> Api::get_any(const std::string& path) {
    auto response = client_->get(path);
    if (response && response->ok()) return json_of(std::move(response));
    if (!response) return unreachable(response);
    auto body = parse_json(response->body);
    if (!body || !body->is_object()) return tl::unexpected<Failure>{refusal(*response)};
    return body;
}

Result<Json> Api::send(std::string_view method, const std::string& path, std::string_view body,
                       const Pairs& headers) {
    return json_of(client_->request(method, path, body, headers));
}

Result<Json> Api::upload(const std::string& path, int tar_fd) {
    return json_of(client_->upload("POST", path, tar_fd, "application/x-tar"));
}

Result<std::uint64_t> Api::download(const std::string& path, std::chrono::milliseconds answer_time,
                                    const std::function<void(std::string_view)>& take) {
    Client client{socket_, {.answer_time = answer_time}};
    auto response = client.download("POST", path, take);
    if (!response) return unreachable(response);
    if (!response->ok()) return tl::unexpected<Failure>{refusal(*response)};
    return to_number<std::uint64_t>(response->header("berth-bytes")).value_or(0);
}

Result<std::string> Api::text(const std::string& path) {
    auto response = client_->get(path, Redirects::followed);
    if (!response) return unreachable(response);
    if (!response->ok()) return tl::unexpected<Failure>{refusal(*response)};
    return std::move(response->body);
}

Result<void> Api::follow(const std::string& path, std::chrono::milliseconds quiet_time,
                         const OnEvent& on_event) {
    Client client{socket_, {.answer_time = quiet_time}};
    auto response = client.follow(path, [&](const ServerEvent& event) {
        return on_event(event.event, event.data) == Next::stop ? Follow::stop : Follow::on;
    });
    if (!response) return unreachable(response);
    if (!response->ok()) return tl::unexpected<Failure>{refusal(*response)};
    return {};
}

}  // namespace berth
