// The routes of control.sock, put together.
#include "control/routes.h"

#include "control/calls_routes.h"
#include "control/oauth_routes.h"
#include "control/webhook_api.h"

namespace berth {

void add_control_routes(Router& router, const ControlApis& apis) {
    add_integration_routes(router, apis.api);
    add_connection_routes(router, apis.connections);
    add_tenant_routes(router, apis.api);
    add_schedule_routes(router, apis.api);
    add_run_routes(router, apis.api);
    add_log_routes(router, apis.api);
    add_admin_routes(router, apis.api);
    add_call_routes(router, apis.calls);
    add_job_routes(router, apis.jobs);
    add_audit_routes(router, apis.api);
    add_vault_routes(router, apis.vault);
    add_backup_routes(router, apis.api);
    add_webhook_routes(router, apis.webhooks);
    add_oauth_admin_routes(router, apis.oauth);
}

}  // namespace berth
