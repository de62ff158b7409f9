// The routes of the public socket: what anybody on the internet may ask of Berth, through
// a reverse proxy that ends TLS. They have no role, and nothing of /v2 is among them
// (Router, Audience::anybody). Each must answer a stranger with nothing that he does not
// know already.
#pragma once

#include "control/http.h"
#include "control/router.h"

namespace berth {

// Smaller and shorter than those of the control socket.
HttpLimits public_limits();

// GET /up: 204, for the reverse proxy's health check.
void add_up_route(Router& router);

}  // namespace berth
