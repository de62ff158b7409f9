// What a connector call may be: where it goes, with which headers, and how it proves who it
// is. Pure; asked by berthd before a call is accepted, and by berth-call at each redirect.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/secret.h"
#include "connectors/call_request.h"

namespace berth {

// Where an address leads. Only addresses that every reader of URLs takes alike are read:
// visible ASCII, a plain host name, no user, no fragment, no backslash.
struct CallTarget {
    bool tls = true;
    std::string host;  // lower case; a name, or an IPv4 address
    std::uint16_t port = 443;
    bool operator==(const CallTarget&) const = default;
};
Result<CallTarget> parse_call_target(std::string_view url);

// `*.example.com` stands for all below it, not for itself.
bool host_matches(std::string_view pattern, std::string_view host);

// Why a call may not go there: `denied`. To `hosts` by https, to any port; to those `named` as
// HOST:PORT at that port only, also without TLS: an administrator opened no more.
Result<void> may_reach(const CallTarget& target, std::span<const std::string> hosts,
                       std::span<const std::string> named);

// A name and a value as HTTP has them, and none that berth-call writes itself.
Result<void> check_header(std::string_view name, std::string_view value);
bool is_method(std::string_view method);

std::string percent_encoded_part(std::string_view text);
// Behind what the URL has already.
std::string with_query(std::string url, std::string_view name, std::string_view value);

// How a request is authenticated, its templates filled in.
struct FilledAuth {
    std::string header_name;
    std::string header_value;
    std::string query_name;
    std::string query_value;
    // All that was made of secrets, to be masked in what comes back.
    std::vector<std::string> made_of_secrets;
    FilledAuth() = default;
    FilledAuth(FilledAuth&&) = default;
    FilledAuth& operator=(FilledAuth&&) = default;
    ~FilledAuth();  // wiped
};
using FieldLookup = std::function<std::optional<std::string_view>(std::string_view)>;
// unprocessable, naming the field, when the connection does not have it.
Result<FilledAuth> fill_auth(const RequestAuth& auth, const FieldLookup& lookup);

// What follows a redirect: a new request, or why it is not followed.
struct Hop {
    std::string method;
    std::string url;
    bool with_body = false;
    bool with_credentials = false;
};
Result<Hop> follow(const CallRequest& request, const Hop& from, int status, std::string_view to);

}  // namespace berth
