// The page behind an auth link (contract 10): GET shows it, POST takes one of its forms.
// A form counts only with a cookie of the same site and the mark that was made for it, and
// only so often.
#pragma once

#include "base/clock.h"
#include "control/public/connect_api.h"
#include "control/router.h"

namespace berth {

// `public_url` tells whether cookies are for TLS only.
void add_auth_link_routes(Router& router, ConnectPageApi& api, const Clock& clock,
                          const std::string& public_url);

}  // namespace berth
