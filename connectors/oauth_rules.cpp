#include "connectors/oauth_rules.h"

#include <algorithm>

#include "base/crypto.h"
#include "base/text.h"
#include "connectors/template.h"

namespace berth {
namespace {

using namespace std::chrono_literals;

constexpr auto kFirstBackoff = 1s;
constexpr auto kLongestBackoff = 5min;
constexpr auto kLongestRetryAfter = 15min;
constexpr auto kUsableLeft = 1min;
constexpr std::size_t kReasonBytes = 300;
constexpr std::size_t kCodeBytes = 8 * 1024;
constexpr std::size_t kAddressBytes = 2048;

constexpr std::string_view kUnreserved =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

bool is_unreserved(char c) { return kUnreserved.find(c) != std::string_view::npos; }

std::string to_base64url(std::string_view bytes) {
    std::string text = to_base64(bytes);
    std::ranges::replace(text, '+', '-');
    std::ranges::replace(text, '/', '_');
    while (text.ends_with('='))
        text.pop_back();
    return text;
}

std::string percent_encoded(std::string_view text) {
    std::string encoded;
    for (const char c : text)
        if (is_unreserved(c))
            encoded += c;
        else
            encoded += '%' + to_upper_ascii(to_hex({&c, 1}));
    return encoded;
}

Result<std::string> fill_in(std::string_view text, const EndpointValues& values) {
    return fill_template(text, [&](const TemplatePlace& place) -> Result<std::string> {
        const auto provisioned = values.provisioned.find(place.name);
        const auto typed_in = values.typed_in.find(place.name);
        const bool trusted = provisioned != values.provisioned.end();
        if (!trusted && typed_in == values.typed_in.end())
            return fail_at(FailureKind::unprocessable, place.name,
                           "there is no '{}' yet; set it first", place.name);
        const std::string& value = trusted ? provisioned->second : typed_in->second;
        const bool begins = trusted && place.before.empty();
        if (value.empty() || (!begins && !std::ranges::all_of(value, is_unreserved)))
            return fail_at(FailureKind::unprocessable, place.name,
                           "'{}' may have letters, digits and '-._~' only, since it becomes part "
                           "of an address",
                           place.name);
        return value;
    });
}

// What may stand in a URL of ours: visible ASCII, without user, fragment and backslash.
bool is_plain(std::string_view url) {
    return std::ranges::all_of(url, [](char c) {
        return c > ' ' && c < 0x7f &&
               std::string_view{"@#\\\"<>`{}|^"}.find(c) == std::string_view::npos;
    });
}

}  // namespace

std::string random_token() { return to_base64url(random_bytes(32)); }

std::string pkce_challenge(std::string_view verifier) { return to_base64url(sha256(verifier)); }

Result<Endpoint> make_endpoint(std::string_view url_template, const EndpointValues& values,
                               std::span<const std::string> plain_http) {
    auto url = fill_in(url_template, values);
    if (!url) return pass_on(url);
    const bool tls = url->starts_with("https://");
    const bool plain = url->starts_with("http://");
    const auto wrong = [&](std::string_view why) {
        return fail(FailureKind::unprocessable, "'{}' is no address of a provider: {}",
                    printable(*url), why);
    };
    if ((!tls && !plain) || url->size() > kAddressBytes || !is_plain(*url))
        return wrong("it must be like https://HOST/PATH");
    const std::string_view after = std::string_view{*url}.substr(tls ? 8 : 7);
    const std::string_view authority = after.substr(0, after.find_first_of("/?"));
    const auto colon = authority.find(':');
    Endpoint endpoint{*url, to_lower_ascii(authority.substr(0, colon)),
                      static_cast<std::uint16_t>(tls ? 443 : 80)};
    if (colon != std::string_view::npos) {
        const auto port = to_number<std::uint16_t>(authority.substr(colon + 1));
        if (!port || *port == 0) return wrong("its port is not a number from 1 to 65535");
        endpoint.port = *port;
    }
    const auto in_host = [](char c) { return is_unreserved(c) && c != '~'; };
    if (endpoint.host.empty() || !std::ranges::all_of(endpoint.host, in_host))
        return wrong("its host is not a name");
    const std::string named = fmt::format("{}:{}", endpoint.host, endpoint.port);
    if (plain && std::ranges::find(plain_http, named) == plain_http.end())
        return wrong(fmt::format(
            "it must be https; an administrator can allow it by naming '{}' in 'egress_allow'",
            named));
    return endpoint;
}

Result<std::string> make_issuer(const OAuth2& kind, const EndpointValues& values) {
    return fill_in(kind.issuer, values);
}

std::string authorize_url(const OAuth2& kind, const Endpoint& authorize,
                          const AuthorizeRequest& request) {
    std::string scopes;
    for (const std::string& scope : request.scopes)
        scopes += (scopes.empty() ? "" : kind.scope_separator) + scope;
    // Ours are not to be replaced by a kind's.
    std::map<std::string, std::string> parameters = kind.authorize_parameters;
    parameters["response_type"] = "code";
    parameters["client_id"] = request.client_id;
    parameters["redirect_uri"] = request.redirect_uri;
    parameters["state"] = request.state;
    if (!scopes.empty()) parameters["scope"] = scopes;
    if (!request.challenge.empty()) {
        parameters["code_challenge"] = request.challenge;
        parameters["code_challenge_method"] = "S256";
    }
    std::string url = authorize.url;
    char join = url.find('?') == std::string::npos ? '?' : '&';
    for (const auto& [name, value] : parameters) {
        url += join + percent_encoded(name) + '=' + percent_encoded(value);
        join = '&';
    }
    return url;
}

bool is_own_path(std::string_view path) {
    const auto good = [](char c) {
        return is_unreserved(c) || std::string_view{"/?=&%"}.find(c) != std::string_view::npos;
    };
    return path.starts_with('/') && !path.starts_with("//") && path.size() <= kAddressBytes &&
           std::ranges::all_of(path, good);
}

Result<std::string> read_callback(const QueryPairs& query, std::string_view issuer) {
    std::map<std::string_view, std::string_view> seen;
    for (const auto& [name, value] : query)
        if (!seen.emplace(name, value).second &&
            (name == "code" || name == "error" || name == "iss"))
            return fail(FailureKind::invalid, "the answer of the provider has two '{}'", name);
    const auto value = [&](std::string_view name) {
        const auto found = seen.find(name);
        return found == seen.end() ? std::string_view{} : found->second;
    };
    // RFC 9207 2.4: before anything else of the answer is believed, errors too.
    if (!issuer.empty() && value("iss") != issuer)
        return fail(FailureKind::invalid,
                    "the answer does not come from '{}': its 'iss' is '{}'; begin again", issuer,
                    printable(value("iss")));
    if (const auto error = value("error"); !error.empty()) {
        const auto description = value("error_description");
        return fail(FailureKind::denied, "the provider refused: '{}'{}{}", printable(error, 100),
                    description.empty() ? "" : ": ", printable(description, kReasonBytes));
    }
    const auto code = value("code");
    if (code.empty() || code.size() > kCodeBytes)
        return fail(FailureKind::invalid, "the answer of the provider has no 'code'; begin again");
    return std::string{code};
}

TokenDecision decide_token(const TokenState& token, Time now, Time need_until) {
    if (token.refused) return Hopeless{token.reason};
    if (!token.expires) return Keep{};
    const auto comes = [&](const std::optional<Time>& time, auto most) {
        return time && *time > now && *time <= now + most + kSkew;
    };
    const bool set_back = token.granted > now + kSkew;
    const std::chrono::microseconds life = *token.expires - token.granted;
    const std::chrono::microseconds wanted = need_until - now;
    const auto need = wanted < life ? wanted : life / 2;
    const bool is_known = !set_back || !token.renewable;
    if (is_known && *token.expires - now >= need && *token.expires > now) return Keep{};
    if (!token.renewable) {
        if (*token.expires > now) return Keep{};
        return Hopeless{"it has expired, and the provider gave nothing to renew it with"};
    }
    if (comes(token.busy_until, kClaim)) return WaitUntil{*token.busy_until};
    if (comes(token.next_try, kLongestRetryAfter)) return WaitUntil{*token.next_try};
    return Renew{};
}

bool still_usable(const TokenState& token, Time now) {
    return !token.refused && (!token.expires || *token.expires - now >= kUsableLeft);
}

Time next_try(int failures, std::chrono::seconds retry_after, Time now, std::uint64_t dice) {
    const int doublings = std::clamp(failures - 1, 0, 20);
    const auto whole =
        std::min<std::chrono::microseconds>(kFirstBackoff * (1LL << doublings), kLongestBackoff);
    const auto spread = whole / 2 + whole / 2 * static_cast<std::int64_t>(dice % 1024) / 1024;
    const auto wanted = std::min<std::chrono::microseconds>(retry_after, kLongestRetryAfter);
    return now + std::max(spread, wanted);
}

Time keep_alive_at(Time renewed, std::uint64_t dice) {
    const std::chrono::microseconds tenth = kKeepAlive / 10;
    return renewed + kKeepAlive - tenth * static_cast<std::int64_t>(dice % 1024) / 1024;
}

}  // namespace berth
