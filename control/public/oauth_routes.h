// The way back from a provider (contract 10), and the page that an invitation leads to: it
// only shows a button, since programs that preview a link open it, too; the button's form uses
// the invitation up. Each source may only so often.
#pragma once

#include "base/clock.h"
#include "control/oauth_api.h"
#include "control/router.h"

namespace berth {

// `public_url` tells whether cookies are for TLS only.
void add_oauth_routes(Router& router, OAuthApi& api, const Clock& clock,
                      const std::string& public_url);

}  // namespace berth
