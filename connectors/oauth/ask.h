// The one request of berth-oauth: HTTPS with the host's certificates, no redirects, no
// proxies, no cookies, all limited.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/error.h"
#include "connectors/oauth/exchange.h"

namespace berth {

struct AskLimits {
    std::chrono::milliseconds connect = std::chrono::seconds{8};
    std::chrono::milliseconds all = std::chrono::seconds{20};
};

// `unavailable`: it could not be asked, or said too much: the provider's affair.
// `invalid`: libcurl could not be made to ask.
Result<HttpAnswer> ask_provider(const OAuthRequest& request, const TokenForm& form,
                                const AskLimits& limits = {});

}  // namespace berth
