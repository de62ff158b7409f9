#include "connectors/oauth/exchange.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.h"
#include "model/job_answer.h"
#include "model/json.h"

namespace berth {
namespace {

constexpr std::size_t kTokenBytes = 32 * 1024;  // an environment has room for it
constexpr std::size_t kFieldBytes = 4 * 1024;
constexpr std::size_t kErrorBytes = 100;
constexpr std::size_t kDescriptionBytes = 300;
constexpr std::size_t kShortestSecret = 6;  // shorter ones would be found in any text
constexpr std::int64_t kLongestLife = 10LL * 366 * 24 * 3600;

// application/x-www-form-urlencoded, as RFC 6749 appendix B wants it.
std::string form_encoded(std::string_view text) {
    std::string encoded;
    for (const char c : text) {
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                           (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_' || c == '*';
        if (plain)
            encoded += c;
        else if (c == ' ')
            encoded += '+';
        else
            encoded += '%' + to_upper_ascii(to_hex({&c, 1}));
    }
    return encoded;
}

// RFC 6749 appendix A: visible ASCII, and here of a size that fits.
bool is_token(std::string_view text) {
    return !text.empty() && text.size() <= kTokenBytes &&
           std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 0x7f; });
}

// What the provider says of itself, without what it must not repeat.
std::string harmless(std::string_view text, std::size_t limit, const OAuthSecrets& secrets) {
    for (const std::string* secret : {&secrets.client_secret, &secrets.code, &secrets.verifier,
                                      &secrets.refresh_token, &secrets.access_token})
        if (secret->size() >= kShortestSecret && text.find(*secret) != std::string_view::npos)
            return "(a text that repeats a secret)";
    return printable(text, limit);
}

std::string text_at(const Json& json, const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

// Codes of RFC 6749 5.2 and of providers with words of their own. All others are about the
// grant.
OAuthVerdict verdict_of(std::string_view error) {
    constexpr std::array kClient{"invalid_client",         "unauthorized_client",
                                 "unsupported_grant_type", "invalid_request",
                                 "invalid_scope",          "invalid_client_id",
                                 "bad_client_secret",      "incorrect_client_credentials",
                                 "redirect_uri_mismatch",  "unsupported_token_type"};
    constexpr std::array kLater{"server_error", "temporarily_unavailable", "slow_down",
                                "ratelimited", "internal_error"};
    if (std::ranges::find(kClient, error) != kClient.end()) return OAuthVerdict::refused_client;
    if (std::ranges::find(kLater, error) != kLater.end()) return OAuthVerdict::outage;
    return OAuthVerdict::refused_grant;
}

struct Complaint {
    std::string code;
    std::string description;
};

// `{"error": "invalid_grant", "error_description": "..."}`, and the forms that are met.
std::optional<Complaint> complaint_in(const Json& json) {
    const auto error = json.find("error");
    if (error != json.end() && error->is_string() && !error->get_ref<const std::string&>().empty())
        return Complaint{*error, text_at(json, "error_description")};
    if (error != json.end() && error->is_object()) {
        auto code = text_at(*error, "status");
        if (code.empty()) code = text_at(*error, "code");
        return Complaint{code.empty() ? "error" : code, text_at(*error, "message")};
    }
    return {};
}

std::optional<std::chrono::seconds> life_in(const Json& json) {
    const auto found = json.find("expires_in");
    if (found == json.end()) return {};
    std::optional<std::int64_t> seconds;
    if (found->is_number_integer() && (!found->is_number_unsigned() || *found <= kLongestLife))
        seconds = found->get<std::int64_t>();
    if (found->is_number_float() && *found >= 1.0 && *found <= static_cast<double>(kLongestLife))
        seconds = static_cast<std::int64_t>(found->get<double>());
    if (found->is_string()) seconds = to_number<std::int64_t>(found->get_ref<const std::string&>());
    if (!seconds || *seconds <= 0) return {};
    return std::chrono::seconds{std::min(*seconds, kLongestLife)};
}

Exchanged with(const OAuthRequest& request, OAuthVerdict verdict, std::string reason) {
    Exchanged exchanged;
    exchanged.outcome.verdict = verdict;
    exchanged.outcome.reason = std::move(reason);
    exchanged.outcome.ticket = request.ticket;
    return exchanged;
}

// A field that is not there is not a reason to lose a token.
void take_fields(const OAuthRequest& request, const Json& json, Exchanged& exchanged) {
    for (const auto& [name, field] : request.fields) {
        Json value;
        try {
            value = json.value(Json::json_pointer{field.pointer}, Json{});
        } catch (const Json::exception&) {
            continue;
        }
        std::string text;
        if (value.is_string())
            text = value.get<std::string>();
        else if (value.is_number_integer())
            text = to_text(value);
        else
            continue;
        const bool fits =
            !text.empty() && text.size() <= (field.secret ? kTokenBytes : kFieldBytes);
        const bool visible =
            std::ranges::all_of(text, [](unsigned char c) { return c >= ' ' && c != 0x7f; });
        if (!fits || !visible) continue;
        (field.secret ? exchanged.secrets : exchanged.outcome.fields)[name] = std::move(text);
    }
}

Exchanged granted(const OAuthRequest& request, const OAuthSecrets& secrets, const Json& json) {
    const auto access = text_at(json, "access_token");
    const auto refresh = text_at(json, "refresh_token");
    if (!is_token(access))
        return with(request, OAuthVerdict::outage,
                    access.empty() ? "the provider's answer has no 'access_token'"
                                   : "the provider's 'access_token' is too large, or no token");
    if (!refresh.empty() && !is_token(refresh))
        return with(request, OAuthVerdict::outage,
                    "the provider's 'refresh_token' is too large, or no token");
    Exchanged exchanged = with(request, OAuthVerdict::granted, "");
    take_fields(request, json, exchanged);
    exchanged.secrets["access_token"] = access;
    // RFC 6749 6: without a new one the old one stays good.
    if (!refresh.empty()) exchanged.secrets["refresh_token"] = refresh;
    exchanged.outcome.renewable = !refresh.empty();
    exchanged.outcome.expires_in = life_in(json);
    exchanged.outcome.scope = harmless(text_at(json, "scope"), kFieldBytes, secrets);
    return exchanged;
}

Exchanged complained(const OAuthRequest& request, const OAuthSecrets& secrets,
                     const Complaint& complaint) {
    std::string reason =
        fmt::format("the provider answers '{}'", harmless(complaint.code, kErrorBytes, secrets));
    if (!complaint.description.empty())
        reason += ": " + harmless(complaint.description, kDescriptionBytes, secrets);
    return with(request, verdict_of(complaint.code), std::move(reason));
}

Exchanged judge_json(const OAuthRequest& request, const OAuthSecrets& secrets, int status,
                     const Json& json) {
    const bool good = status >= 200 && status < 300;
    const auto complaint = complaint_in(json);
    // Some complain with 200 (Slack, GitHub); none gives a token with a complaint.
    if (complaint) return complained(request, secrets, *complaint);
    if (good) return granted(request, secrets, json);
    const bool refuses = status == 400 || status == 401 || status == 403;
    std::string said = harmless(text_at(json, "message"), kDescriptionBytes, secrets);
    return with(request, refuses ? OAuthVerdict::refused_grant : OAuthVerdict::outage,
                fmt::format("the provider answers {}{}{}", status, said.empty() ? "" : ": ", said));
}

}  // namespace

Result<TokenForm> make_form(const OAuthRequest& request, const OAuthSecrets& secrets) {
    std::map<std::string, std::string> form = request.parameters;
    const auto needs = [&](const std::string& value, const char* name) -> Result<void> {
        if (!value.empty()) return {};
        return fail(FailureKind::invalid, "there is no {} for grant '{}'", name,
                    to_string(request.grant));
    };
    if (auto ok = needs(secrets.client_id, "client id"); !ok) return pass_on(ok);
    form["grant_type"] = to_string(request.grant);
    switch (request.grant) {
        case OAuthGrant::authorization_code:
            if (auto ok = needs(secrets.code, "code"); !ok) return pass_on(ok);
            form["code"] = secrets.code;
            form["redirect_uri"] = request.redirect_uri;
            if (!secrets.verifier.empty()) form["code_verifier"] = secrets.verifier;
            break;
        case OAuthGrant::refresh_token:
            if (auto ok = needs(secrets.refresh_token, "refresh token"); !ok) return pass_on(ok);
            form["refresh_token"] = secrets.refresh_token;
            break;
        case OAuthGrant::client_credentials:
            if (!request.scope.empty()) form["scope"] = request.scope;
            break;
        case OAuthGrant::revoke: {
            const bool lasting = !secrets.refresh_token.empty();
            if (auto ok = needs(lasting ? secrets.refresh_token : secrets.access_token, "token");
                !ok)
                return pass_on(ok);
            form = {{"token", lasting ? secrets.refresh_token : secrets.access_token},
                    {"token_type_hint", lasting ? "refresh_token" : "access_token"}};
            break;
        }
    }
    TokenForm made;
    // A client without a secret is a public one: it says who it is in the body.
    if (request.client_auth == ClientAuth::basic && !secrets.client_secret.empty()) {
        made.authorization = "Basic " + to_base64(form_encoded(secrets.client_id) + ":" +
                                                  form_encoded(secrets.client_secret));
    } else {
        form["client_id"] = secrets.client_id;
        if (!secrets.client_secret.empty()) form["client_secret"] = secrets.client_secret;
    }
    if (request.json) {
        made.content_type = "application/json";
        made.body = to_text(Json(form));
        return made;
    }
    made.content_type = "application/x-www-form-urlencoded";
    for (const auto& [name, value] : form)
        made.body +=
            (made.body.empty() ? "" : "&") + form_encoded(name) + "=" + form_encoded(value);
    return made;
}

Exchanged judge(const OAuthRequest& request, const OAuthSecrets& secrets,
                const HttpAnswer& answer) {
    const bool good = answer.status >= 200 && answer.status < 300;
    // RFC 7009 2.2: 200, whatever the token was; there is nothing to be read.
    if (request.grant == OAuthGrant::revoke && good)
        return with(request, OAuthVerdict::granted, "");
    const bool busy = answer.status >= 500 || answer.status == 429 || answer.status == 408;
    const bool elsewhere = answer.status >= 300 && answer.status < 400;
    if (busy || elsewhere || answer.status < 200) {
        Exchanged later = with(request, OAuthVerdict::outage,
                               fmt::format("the provider answers {}{}", answer.status,
                                           elsewhere ? ", a redirect, which is not followed" : ""));
        if (const auto wait = to_number<std::uint32_t>(trim(answer.retry_after)))
            later.outcome.retry_after = std::chrono::seconds{std::min(*wait, 86400U)};
        return later;
    }
    if (answer.body.size() > kTokenAnswerBytes)
        return not_reached(request, "its answer is larger than 1 MiB");
    const auto json = parse_json(answer.body);
    if (!json || !json->is_object())
        return with(
            request, OAuthVerdict::outage,
            fmt::format("the provider answers {} with what is not a JSON object", answer.status));
    return judge_json(request, secrets, answer.status, *json);
}

Exchanged not_reached(const OAuthRequest& request, std::string_view why) {
    return with(request, OAuthVerdict::outage,
                "the provider could not be asked: " + printable(why, kDescriptionBytes));
}

Exchanged our_fault(const OAuthRequest& request, std::string_view why) {
    return with(request, OAuthVerdict::ours, printable(why, kDescriptionBytes));
}

std::string answer_text(const Exchanged& exchanged) {
    std::string text;
    for (const auto& [name, value] : to_records(exchanged.outcome))
        put_plain(text, name, value);
    for (const auto& [name, value] : exchanged.secrets)
        put_secret(text, name, value);
    put_end(text);
    return text;
}

}  // namespace berth
