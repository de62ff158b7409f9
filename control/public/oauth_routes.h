// The way back from a provider (contract 10), and the page that an invitation leads to.
#pragma once

#include "control/oauth_api.h"
#include "control/router.h"

namespace berth {

void add_oauth_routes(Router& router, OAuthApi& api);

}  // namespace berth
