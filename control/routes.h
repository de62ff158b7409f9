// The routes of the control plane, by subject. Each parses, asks the Api, answers.
// The table in docs/api.md is theirs.
#pragma once

#include "control/api.h"
#include "control/connections_api.h"
#include "control/router.h"

namespace berth {

class CallsApi;
class JobsApi;
class OAuthApi;
class VaultApi;
class WebhookApi;

void add_integration_routes(Router& router, Api& api);
void add_connection_routes(Router& router, ConnectionsApi& api);
void add_tenant_routes(Router& router, Api& api);
void add_schedule_routes(Router& router, Api& api);
void add_run_routes(Router& router, Api& api);
void add_log_routes(Router& router, Api& api);
void add_admin_routes(Router& router, Api& api);
void add_audit_routes(Router& router, Api& api);
void add_vault_routes(Router& router, VaultApi& api);
void add_backup_routes(Router& router, Api& api);

// Whom the routes of control.sock ask.
struct ControlApis {
    Api& api;
    ConnectionsApi& connections;
    CallsApi& calls;
    JobsApi& jobs;
    VaultApi& vault;
    WebhookApi& webhooks;
    OAuthApi& oauth;
};
// All of them: those above, and those of calls, jobs, webhooks and OAuth2.
void add_control_routes(Router& router, const ControlApis& apis);

}  // namespace berth
