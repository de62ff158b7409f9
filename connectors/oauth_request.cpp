#include "connectors/oauth_request.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "model/json.h"

namespace berth {
namespace {

constexpr std::array kGrants{
    std::pair{OAuthGrant::authorization_code, "authorization_code"},
    std::pair{OAuthGrant::refresh_token, "refresh_token"},
    std::pair{OAuthGrant::client_credentials, "client_credentials"},
    std::pair{OAuthGrant::revoke, "revoke"},
};
constexpr std::array kVerdicts{
    std::pair{OAuthVerdict::granted, "granted"},
    std::pair{OAuthVerdict::refused_grant, "refused_grant"},
    std::pair{OAuthVerdict::refused_client, "refused_client"},
    std::pair{OAuthVerdict::outage, "outage"},
    std::pair{OAuthVerdict::ours, "ours"},
};
constexpr std::string_view kFieldPrefix = "field_";

template <typename Table, typename Word>
std::string_view word_of(const Table& table, Word word) {
    return std::ranges::find(table, word, [](const auto& row) { return row.first; })->second;
}

template <typename Table>
auto find_word(const Table& table, std::string_view text)
    -> std::optional<std::remove_cvref_t<decltype(table.front().first)>> {
    for (const auto& [word, name] : table)
        if (text == name) return word;
    return {};
}

std::optional<std::chrono::seconds> seconds_in(const std::map<std::string, std::string>& plain,
                                               const std::string& name) {
    const auto found = plain.find(name);
    const auto number =
        found == plain.end() ? std::nullopt : to_number<std::uint32_t>(found->second);
    if (!number) return {};
    return std::chrono::seconds{*number};
}

}  // namespace

std::string_view to_string(OAuthGrant grant) { return word_of(kGrants, grant); }
std::string_view to_string(OAuthVerdict verdict) { return word_of(kVerdicts, verdict); }

std::string to_json_text(const OAuthRequest& request) {
    Json fields = Json::object();
    for (const auto& [name, field] : request.fields)
        fields[name] = {{"pointer", field.pointer}, {"secret", field.secret}};
    return to_text({{"grant", to_string(request.grant)},
                    {"url", request.url},
                    {"plain_http", request.plain_http},
                    {"client_auth", request.client_auth == ClientAuth::basic ? "basic" : "body"},
                    {"json", request.json},
                    {"redirect_uri", request.redirect_uri},
                    {"scope", request.scope},
                    {"parameters", request.parameters},
                    {"fields", fields},
                    {"ticket", request.ticket}});
}

Result<OAuthRequest> parse_oauth_request(std::string_view text) {
    auto json = parse_json(text);
    if (!json) return pass_on(json);
    try {
        OAuthRequest request;
        const auto grant = find_word(kGrants, json->at("grant").get<std::string>());
        if (!grant) return fail(FailureKind::invalid, "the request names no grant");
        request.grant = *grant;
        json->at("url").get_to(request.url);
        json->at("plain_http").get_to(request.plain_http);
        request.client_auth =
            json->at("client_auth") == "basic" ? ClientAuth::basic : ClientAuth::body;
        json->at("json").get_to(request.json);
        json->at("redirect_uri").get_to(request.redirect_uri);
        json->at("scope").get_to(request.scope);
        json->at("parameters").get_to(request.parameters);
        for (const auto& [name, field] : json->at("fields").items())
            request.fields[name] = {field.at("pointer").get<std::string>(),
                                    field.at("secret").get<bool>()};
        json->at("ticket").get_to(request.ticket);
        return request;
    } catch (const Json::exception& error) {
        return fail(FailureKind::invalid, "the request cannot be read: {}", error.what());
    }
}

std::map<std::string, std::string> to_records(const OAuthOutcome& outcome) {
    std::map<std::string, std::string> plain{
        {"verdict", std::string{to_string(outcome.verdict)}},
        {"reason", outcome.reason},
        {"retry_after", std::to_string(outcome.retry_after.count())},
        {"scope", outcome.scope},
        {"renewable", outcome.renewable ? "1" : "0"},
        {"ticket", outcome.ticket},
    };
    if (outcome.expires_in) plain["expires_in"] = std::to_string(outcome.expires_in->count());
    for (const auto& [name, value] : outcome.fields)
        plain[std::string{kFieldPrefix} + name] = value;
    return plain;
}

Result<OAuthOutcome> read_outcome(const std::map<std::string, std::string>& plain) {
    const auto text = [&](const std::string& name) {
        const auto found = plain.find(name);
        return found == plain.end() ? std::string{} : found->second;
    };
    const auto verdict = find_word(kVerdicts, text("verdict"));
    if (!verdict) return fail(FailureKind::invalid, "berth-oauth did not say how it went");
    OAuthOutcome outcome;
    outcome.verdict = *verdict;
    outcome.reason = text("reason");
    outcome.retry_after = seconds_in(plain, "retry_after").value_or(std::chrono::seconds{0});
    outcome.expires_in = seconds_in(plain, "expires_in");
    outcome.scope = text("scope");
    outcome.renewable = text("renewable") == "1";
    outcome.ticket = text("ticket");
    for (const auto& [name, value] : plain)
        if (name.starts_with(kFieldPrefix))
            outcome.fields[name.substr(kFieldPrefix.size())] = value;
    return outcome;
}

}  // namespace berth
