// All routes of control.sock as a table, for tests that ask every one of them.
#pragma once

#include <cstdlib>
#include <vector>

#include "control/calls_api.h"
#include "control/oauth_api.h"
#include "control/routes.h"
#include "control/vault_api.h"
#include "control/webhook_api.h"

namespace berth::test {

// The counts of reliability.md instead of a part of them.
inline bool full() { return std::getenv("BERTH_CORPUS") != nullptr; }

// Only its address goes into the table of routes.
template <typename Interface>
Interface& never_called() {
    alignas(Interface) static std::byte nothing[sizeof(Interface)];
    return reinterpret_cast<Interface&>(nothing);
}

inline const std::vector<Route>& all_routes() {
    static const Router kRouter = [] {
        Router router;
        add_control_routes(router, {.api = never_called<Api>(),
                                    .connections = never_called<ConnectionsApi>(),
                                    .calls = never_called<CallsApi>(),
                                    .jobs = never_called<JobsApi>(),
                                    .vault = never_called<VaultApi>(),
                                    .webhooks = never_called<WebhookApi>(),
                                    .oauth = never_called<OAuthApi>()});
        return router;
    }();
    return kRouter.routes();
}

inline bool has_body(const Route& route) {
    return route.method == Method::post || route.method == Method::put ||
           route.method == Method::patch;
}

}  // namespace berth::test
