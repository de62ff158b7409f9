#include "store/deletion.h"

#include "store/keys.h"
#include "store/shares.h"
#include "store/sql.h"

namespace berth {
namespace {

// What waits will never run.
void drop_waiting(Db& db, TenantId id) {
    const auto waiting =
        db.must("select count(*) from triggers where tenant_id = $1 and run_id is null", {id})
            .integer(0);
    db.exec(
        "delete from reruns where trigger_id in"
        " (select id from triggers where tenant_id = $1 and run_id is null)",
        {id});
    db.exec("delete from triggers where tenant_id = $1 and run_id is null", {id});
    if (waiting > 0) take_waiting(db, id, waiting, {});
}

}  // namespace

Result<void> delete_tenant(Db& db, const By& by, TenantId id) {
    const auto row = db.one("select deleted from tenants where id = $1", {id});
    if (!row) return fail(FailureKind::not_found, "there is no tenant '{}'", id.value);
    if (!row->is_null(0)) return {};
    if (const auto live =
            db.one("select id from runs where tenant_id = $1 and completed is null", {id}))
        return fail(FailureKind::conflict,
                    "run '{}' of tenant '{}' lives; archive the tenant, and wait or cancel the run",
                    live->integer(0), id.value);

    const KeyScope scope{KeyScope::Kind::tenant, id.value};
    if (get_data_key(db, scope))
        if (auto gone = delete_data_key(db, by, scope); !gone) return gone;
    db.exec("delete from manifests where scope_kind = 'tenant' and scope_id = $1", {id});
    db.exec(
        "delete from secrets where connection_id in"
        " (select id from connections where tenant_id = $1)",
        {id});
    for (const char* table : {"auth_links", "webhook_deliveries", "webhook_rings",
                              "webhook_endpoints", "connections", "tenant_metadata"})
        db.exec(fmt::format("delete from {} where tenant_id = $1", table), {id});
    drop_waiting(db, id);
    db.exec("delete from slots where tenant_id = $1", {id});
    db.exec("delete from schedules where tenant_id = $1", {id});
    db.exec("update triggers set payload = '', body = $2, headers = '{}' where tenant_id = $1",
            {id, Bytes{""}});
    db.exec("update reruns set configs = '', state = '' where tenant_id = $1", {id});
    db.exec("delete from given where tenant_id = $1", {id});
    db.exec("delete from given_texts where tenant_id = $1", {id});
    db.exec("delete from run_connections where tenant_id = $1", {id});
    db.exec("update runs set std_out = '' where tenant_id = $1", {id});
    db.exec("update run_events set note = '' where tenant_id = $1", {id});
    db.exec("update jobs set log = '', connections = '[]' where tenant_id = $1", {id});
    db.exec(
        "update tenants set name = 'deleted ' || id, user_name = '', archived = 1, paused = 1,"
        " configs = '{}', dynamic_configs = '{}', user_schedule = '', schedule = '', source = '',"
        " release_id = null, release_channel = null, modified = $2, deleted = $2 where id = $1",
        {id, by.now});
    audit(db, by, "tenant.delete", fmt::format("tenant {}", id.value), "for ever");
    return {};
}

}  // namespace berth
