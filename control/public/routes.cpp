#include "control/public/routes.h"

namespace berth {

HttpLimits public_limits() {
    HttpLimits limits;
    limits.connections = limits::kPublicConnections;
    limits.bodies_bytes = limits::kPublicBodiesBytes;
    limits.bodies_bytes_of_one = limits::kPublicBodiesBytes / 4;  // of one webhook address's owner
    limits.body_bytes_per_second = limits::kPublicBodyBytesPerSecond;
    limits.head_time = limits::kPublicHeadTime;
    limits.body_window = limits::kPublicBodyWindow;
    limits.idle_time = limits::kPublicIdleTime;
    return limits;
}

void add_up_route(Router& router) {
    router.add({.method = Method::get,
                .pattern = "/up",
                .role = Role::none,
                .summary = "tell a reverse proxy that we are there",
                .handler = [](Request, Reply reply) { reply.empty(204); }});
}

}  // namespace berth
