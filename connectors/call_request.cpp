#include "connectors/call_request.h"

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "model/json.h"

namespace berth {
namespace {

using Place = RequestAuth::Place;

struct PlaceWord {
    Place place;
    const char* word;
};
constexpr PlaceWord kPlaces[] = {{Place::none, "none"},
                                 {Place::header, "header"},
                                 {Place::query, "query"},
                                 {Place::basic, "basic"}};

const char* word_of(Place place) {
    for (const auto& one : kPlaces)
        if (one.place == place) return one.word;
    std::abort();
}

Place place_of(const std::string& word) {
    for (const auto& one : kPlaces)
        if (word == one.word) return one.place;
    throw std::invalid_argument{"auth.place"};
}

}  // namespace

std::string to_text(const CallRequest& r) {
    return to_text(Json{{"method", r.method},
                        {"url", r.url},
                        {"headers", r.headers},
                        {"body", r.body},
                        {"has_body", r.has_body},
                        {"auth",
                         {{"place", word_of(r.auth.place)},
                          {"name", r.auth.name},
                          {"value", r.auth.value},
                          {"user", r.auth.user},
                          {"password", r.auth.password}}},
                        {"fields", r.fields},
                        {"secrets", r.secrets},
                        {"hosts", r.hosts},
                        {"named", r.named},
                        {"time_ms", r.time.count()}});
}

Result<CallRequest> parse_call_request(std::string_view text) {
    try {
        const Json j = Json::parse(text);
        CallRequest r;
        j.at("method").get_to(r.method);
        j.at("url").get_to(r.url);
        j.at("headers").get_to(r.headers);
        j.at("body").get_to(r.body);
        j.at("has_body").get_to(r.has_body);
        const Json& auth = j.at("auth");
        r.auth.place = place_of(auth.at("place"));
        auth.at("name").get_to(r.auth.name);
        auth.at("value").get_to(r.auth.value);
        auth.at("user").get_to(r.auth.user);
        auth.at("password").get_to(r.auth.password);
        j.at("fields").get_to(r.fields);
        j.at("secrets").get_to(r.secrets);
        j.at("hosts").get_to(r.hosts);
        j.at("named").get_to(r.named);
        r.time = std::chrono::milliseconds{j.at("time_ms").get<std::int64_t>()};
        return r;
    } catch (const std::exception& error) {  // of the JSON library
        return fail(FailureKind::invalid, "the request cannot be read: {}",
                    printable(error.what()));
    }
}

std::string_view to_string(CallFault fault) {
    switch (fault) {
        case CallFault::none: return "none";
        case CallFault::refused: return "refused";
        case CallFault::unreachable: return "unreachable";
        case CallFault::timed_out: return "timed_out";
        case CallFault::too_large: return "too_large";
    }
    std::abort();
}

std::optional<CallFault> parse_call_fault(std::string_view word) {
    using enum CallFault;
    for (const CallFault fault : {none, refused, unreachable, timed_out, too_large})
        if (to_string(fault) == word) return fault;
    return {};
}

std::map<std::string, std::string> to_fields(const CallAnswer& answer) {
    return {{"fault", std::string{to_string(answer.fault)}},
            {"reason", answer.reason},
            {"status", std::to_string(answer.status)},
            {"type", answer.type},
            {"body", answer.body}};
}

Result<CallAnswer> read_call_answer(const std::map<std::string, std::string>& fields) {
    const auto text = [&](const char* name) {
        const auto found = fields.find(name);
        return found == fields.end() ? std::string{} : found->second;
    };
    CallAnswer answer;
    const auto fault = parse_call_fault(text("fault"));
    const auto status = to_number<int>(text("status"));
    if (!fault || !status || (*fault == CallFault::none && (*status < 100 || *status > 999)))
        return fail(FailureKind::unavailable, "berth-call's answer is not one of this release");
    answer.fault = *fault;
    answer.status = *status;
    answer.reason = text("reason");
    answer.type = text("type");
    answer.body = text("body");
    return answer;
}

}  // namespace berth
