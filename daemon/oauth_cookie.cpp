#include "daemon/oauth_cookie.h"

#include <fmt/format.h>

#include "base/crypto.h"
#include "base/text.h"
#include "store/oauth_attempts.h"

namespace berth {
namespace {

bool is_tls(std::string_view public_url) { return public_url.starts_with("https://"); }

}  // namespace

std::string oauth_hash(std::string_view secret) { return to_hex(sha256(secret)); }

std::string oauth_cookie_name(std::string_view state_hash, std::string_view public_url) {
    return fmt::format("{}berth-oauth-{}", is_tls(public_url) ? "__Host-" : "",
                       state_hash.substr(0, 16));
}

std::string oauth_set_cookie(std::string_view name, std::string_view value,
                             std::string_view public_url) {
    // Lax: the provider's page is another site, and sends the browser back with a GET.
    return fmt::format("{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{}", name, value,
                       std::chrono::seconds{kAttemptLife}.count(),
                       is_tls(public_url) ? "; Secure" : "");
}

std::optional<std::string> find_cookie(std::string_view header, std::string_view name) {
    std::optional<std::string> found;
    for (const std::string& raw : split(header, ';')) {
        const std::string_view pair = trim(raw);
        const auto equals = pair.find('=');
        if (equals == std::string_view::npos || pair.substr(0, equals) != name) continue;
        if (found) return {};
        found = pair.substr(equals + 1);
    }
    return found;
}

}  // namespace berth
