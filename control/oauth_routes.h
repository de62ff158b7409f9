// Connecting by OAuth2, for administrators.
#pragma once

#include "control/oauth_api.h"
#include "control/router.h"

namespace berth {

void add_oauth_admin_routes(Router& router, OAuthApi& api);

}  // namespace berth
