#include "control/errors.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "model/json.h"

namespace berth {
namespace {

using namespace std::chrono_literals;

// `body.connectors.0.name` → ["body","connectors",0,"name"].
Json place_of(const std::string& where) {
    constexpr std::array<std::string_view, 4> kRoots{"body", "query", "path", "header"};
    Json place = Json::array();
    if (where.empty()) return Json::array({"body"});
    for (const std::string& part : split(where, '.')) {
        if (place.empty() && std::find(kRoots.begin(), kRoots.end(), part) == kRoots.end())
            place.push_back("body");
        if (const auto index = to_number<std::uint32_t>(part); index && !place.empty())
            place.push_back(*index);
        else
            place.push_back(part);
    }
    return place;
}

std::string message_body(std::string_view message) {
    return to_text(Json{{"message", std::string{message}}});
}

}  // namespace

int status_of(FailureKind kind) {
    switch (kind) {
        case FailureKind::invalid: return 400;
        case FailureKind::unprocessable: return 422;
        case FailureKind::denied: return 403;
        case FailureKind::not_found: return 404;
        case FailureKind::conflict: return 409;
        case FailureKind::over_limit: return 429;
        case FailureKind::busy: return 503;
        case FailureKind::unavailable: return 503;
    }
    return 500;
}

ErrorAnswer error_answer(const Failure& failure, ErrorStyle style) {
    ErrorAnswer answer{.status = status_of(failure.kind), .body = {}, .retry_after = {}};
    if (failure.kind == FailureKind::denied)
        // Always these words: why somebody is not permitted is not theirs to know.
        answer.body = R"({"detail":"Not authorized"})";
    else if (failure.kind == FailureKind::unprocessable && style == ErrorStyle::fields)
        answer.body = to_text(Json{{"detail", Json::array({Json{{"loc", place_of(failure.where)},
                                                                {"msg", failure.message},
                                                                {"type", "value_error"}}})}});
    else
        answer.body = message_body(failure.message);
    if (answer.status == 429) answer.retry_after = 10s;
    if (answer.status == 503) answer.retry_after = 1s;
    return answer;
}

ErrorAnswer error_answer(int status, std::string_view message) {
    ErrorAnswer answer{.status = status, .body = message_body(message), .retry_after = {}};
    if (status == 503) answer.retry_after = 1s;
    return answer;
}

std::string_view reason_phrase(int status) {
    switch (status) {
        case 100: return "Continue";
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 204: return "No Content";
        case 302: return "Found";
        case 304: return "Not Modified";
        case 400: return "Bad Request";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 408: return "Request Timeout";
        case 409: return "Conflict";
        case 413: return "Content Too Large";
        case 414: return "URI Too Long";
        case 415: return "Unsupported Media Type";
        case 417: return "Expectation Failed";
        case 422: return "Unprocessable Content";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        case 503: return "Service Unavailable";
        case 505: return "HTTP Version Not Supported";
        default: return "Status";
    }
}

}  // namespace berth
