#include "connectors/call_rules.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "connectors/template.h"
#include "model/limits.h"

namespace berth {
namespace {

constexpr std::string_view kNotInUrls = "\\\"<>`{}|^";
constexpr std::string_view kUnreserved = "-._~";

// Written by libcurl, or dangerous to have twice.
constexpr std::array<std::string_view, 8> kOurHeaders{
    "host",    "content-length", "transfer-encoding", "connection", "expect", "te",
    "trailer", "upgrade"};

bool is_alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_host(std::string_view host) {
    const auto good = [](char c) { return is_alnum(c) || c == '-' || c == '.' || c == '_'; };
    return !host.empty() && host.size() <= limits::kHostNameBytes && host.front() != '.' &&
           host.back() != '.' && host.find("..") == std::string_view::npos &&
           std::ranges::all_of(host, good);
}

bool is_token(std::string_view text) {
    const auto good = [](char c) {
        return is_alnum(c) || std::string_view{"!#$%&'*+-.^_`|~"}.find(c) != std::string_view::npos;
    };
    return !text.empty() && text.size() <= 128 && std::ranges::all_of(text, good);
}

bool is_header_value(std::string_view text) {
    return text.size() <= 8 * limits::KiB && std::ranges::all_of(text, [](char c) {
               return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
           });
}

void wipe(std::string& text) { cleanse(text.data(), text.size()); }

// `Bearer {access_token}`
Result<std::string> fill(std::string_view text, const FieldLookup& lookup) {
    return fill_template(text, [&](const TemplatePlace& place) -> Result<std::string> {
        if (const auto value = lookup(place.name)) return std::string{*value};
        return fail_at(FailureKind::unprocessable, place.name,
                       "the connection has no '{}'; connect it again with it",
                       printable(place.name));
    });
}

// An address below the one that sent us there, or a whole one.
std::string resolved(std::string_view from, std::string_view to) {
    const auto scheme_end = from.find("://") + 3;
    const auto path_at = from.find_first_of("/?", scheme_end);
    const std::string_view origin = from.substr(0, path_at);
    to = to.substr(0, to.find('#'));
    if (to.find("://") != std::string_view::npos && to.find("://") < to.find_first_of("/?"))
        return std::string{to};
    if (to.starts_with("//")) return std::string{from.substr(0, scheme_end - 2)} + std::string{to};
    if (to.starts_with("/")) return std::string{origin} + std::string{to};
    std::string_view path =
        path_at == std::string_view::npos ? std::string_view{"/"} : from.substr(path_at);
    path = path.substr(0, path.find('?'));
    if (to.starts_with("?")) return std::string{origin} + std::string{path} + std::string{to};
    return std::string{origin} + std::string{path.substr(0, path.rfind('/') + 1)} + std::string{to};
}

}  // namespace

Result<CallTarget> parse_call_target(std::string_view url) {
    const auto wrong = [&](std::string_view why) {
        return fail(FailureKind::invalid, "'{}' is no address to call: {}", printable(url, 120),
                    why);
    };
    if (url.size() > limits::kCallUrlBytes) return wrong("it is too long");
    const bool plain_text = std::ranges::all_of(url, [](char c) {
        return c > ' ' && c < 0x7f && kNotInUrls.find(c) == std::string_view::npos;
    });
    if (!plain_text) return wrong("it has characters that must be percent-encoded");
    CallTarget target;
    const std::string start = to_lower_ascii(url.substr(0, 8));
    if (start.starts_with("https://")) {
        url.remove_prefix(8);
    } else if (start.starts_with("http://")) {
        url.remove_prefix(7);
        target.tls = false;
        target.port = 80;
    } else {
        return wrong("it must begin with https://");
    }
    if (url.find('#') != std::string_view::npos) return wrong("it has a fragment");
    const std::string_view authority = url.substr(0, url.find_first_of("/?"));
    if (authority.find('@') != std::string_view::npos) return wrong("it has a user");
    const auto colon = authority.find(':');
    target.host = to_lower_ascii(authority.substr(0, colon));
    if (!is_host(target.host)) return wrong("its host is not a name");
    if (colon != std::string_view::npos) {
        const auto port = to_number<std::uint16_t>(authority.substr(colon + 1));
        if (!port || *port == 0) return wrong("its port is not a number from 1 to 65535");
        target.port = *port;
    }
    return target;
}

bool host_matches(std::string_view pattern, std::string_view host) {
    if (!pattern.starts_with("*.")) return pattern == host;
    pattern.remove_prefix(1);
    return host.size() > pattern.size() && host.ends_with(pattern);
}

Result<void> may_reach(const CallTarget& target, std::span<const std::string> hosts,
                       std::span<const std::string> named) {
    const std::string name = fmt::format("{}:{}", target.host, target.port);
    if (std::ranges::find(named, name) != named.end()) return {};
    const auto matches = [&](const std::string& one) { return host_matches(one, target.host); };
    if (std::ranges::none_of(hosts, matches))
        return fail(FailureKind::denied, "'{}' is not one of the connector's hosts", target.host);
    if (!target.tls)
        return fail(FailureKind::denied,
                    "'{}' is called by https only; an administrator can allow http by naming '{}' "
                    "in 'egress_allow'",
                    target.host, name);
    return {};
}

Result<void> check_header(std::string_view name, std::string_view value) {
    if (!is_token(name))
        return fail(FailureKind::invalid, "'{}' is no name of a header", printable(name, 60));
    if (!is_header_value(value))
        return fail(FailureKind::invalid, "the header '{}' has a value that no header can have",
                    name);
    if (std::ranges::find(kOurHeaders, to_lower_ascii(name)) != kOurHeaders.end())
        return fail(FailureKind::invalid, "the header '{}' is not the caller's to set", name);
    return {};
}

bool is_method(std::string_view method) {
    constexpr std::array<std::string_view, 6> kMethods{"GET",   "HEAD", "POST",
                                                       "PATCH", "PUT",  "DELETE"};
    return std::ranges::find(kMethods, method) != kMethods.end();
}

std::string percent_encoded_part(std::string_view text) {
    std::string encoded;
    for (const char c : text)
        if (is_alnum(c) || kUnreserved.find(c) != std::string_view::npos)
            encoded += c;
        else
            encoded += '%' + to_upper_ascii(to_hex({&c, 1}));
    return encoded;
}

std::string with_query(std::string url, std::string_view name, std::string_view value) {
    url += url.find('?') == std::string::npos ? '?' : '&';
    return url + percent_encoded_part(name) + '=' + percent_encoded_part(value);
}

FilledAuth::~FilledAuth() {
    wipe(header_value);
    wipe(query_value);
    for (std::string& text : made_of_secrets)
        wipe(text);
}

Result<FilledAuth> fill_auth(const RequestAuth& auth, const FieldLookup& lookup) {
    FilledAuth filled;
    switch (auth.place) {
        case RequestAuth::Place::none: return filled;
        case RequestAuth::Place::header: {
            auto value = fill(auth.value, lookup);
            if (!value) return pass_on(value);
            filled.header_name = auth.name;
            filled.header_value = std::move(*value);
            break;
        }
        case RequestAuth::Place::query: {
            auto value = fill(auth.value, lookup);
            if (!value) return pass_on(value);
            filled.query_name = auth.name;
            filled.query_value = std::move(*value);
            filled.made_of_secrets.push_back(percent_encoded_part(filled.query_value));
            break;
        }
        case RequestAuth::Place::basic: {
            auto user = fill(auth.user, lookup);
            if (!user) return pass_on(user);
            auto password = fill(auth.password, lookup);
            if (!password) return pass_on(password);
            std::string both = *user + ":" + *password;
            filled.header_name = "Authorization";
            filled.made_of_secrets.push_back(to_base64(both));
            filled.header_value = "Basic " + filled.made_of_secrets.back();
            filled.made_of_secrets.push_back(both);
            for (std::string* text : {&*user, &*password, &both})
                wipe(*text);
            break;
        }
    }
    for (const std::string* value : {&filled.header_value, &filled.query_value})
        if (!value->empty()) filled.made_of_secrets.push_back(*value);
    if (!is_header_value(filled.header_value))
        return fail(FailureKind::unprocessable,
                    "a secret of the connection has a line end, which no header can have");
    return filled;
}

Result<Hop> follow(const CallRequest& request, const Hop& from, int status, std::string_view to) {
    Hop hop{from.method, resolved(from.url, to), from.with_body, false};
    const auto before = parse_call_target(from.url);
    const auto target = parse_call_target(hop.url);
    if (!target)
        return fail(FailureKind::denied, "the partner redirects to what is no address of a host");
    if (auto may = may_reach(*target, request.hosts, request.named); !may)
        return fail(FailureKind::denied, "the partner redirects elsewhere: {}",
                    may.error().message);
    const bool becomes_get =
        status == 303 || ((status == 301 || status == 302) && from.method == "POST");
    if (becomes_get && from.method != "HEAD") {
        hop.method = "GET";
        hop.with_body = false;
    }
    const bool same = before && *before == *target;
    hop.with_credentials = from.with_credentials && same;
    if (!same && hop.with_body)
        return fail(FailureKind::denied,
                    "the partner redirects a request with a body to '{}', another host",
                    target->host);
    return hop;
}

}  // namespace berth
