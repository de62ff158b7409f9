#include "store/auth_links.h"

#include "store/connection_rows.h"
#include "store/sql.h"
#include "store/tenants.h"

namespace berth {
namespace {

std::string object_of(TenantId tenant) { return fmt::format("tenant {}", tenant.value); }

}  // namespace

Result<std::optional<AuthLinkRow>> get_auth_link(Db& db, TenantId tenant) {
    if (auto known = get_tenant(db, tenant); !known) return pass_on(known);
    const auto row =
        db.one("select tenant_id, serial, token_hash, created from auth_links where tenant_id = $1",
               {tenant});
    if (!row) return std::optional<AuthLinkRow>{};
    Columns c{*row};
    AuthLinkRow link;
    link.tenant_id = c.id<TenantId>();
    link.serial = c.text();
    link.token_hash = c.text();
    link.created = c.time();
    return std::optional{std::move(link)};
}

Result<AuthLinkRow> put_auth_link(Db& db, const By& by, const AuthLinkRow& link) {
    auto tenant = get_tenant(db, link.tenant_id);
    if (!tenant) return pass_on(tenant);
    if (tenant->archived)
        return fail(FailureKind::conflict, "tenant '{}' is archived; restore it first",
                    link.tenant_id.value);
    end_attempts(db, link.tenant_id);
    db.exec(
        "insert into auth_links (tenant_id, serial, token_hash, created) values ($1, $2, $3, $4)"
        " on conflict (tenant_id) do update set serial = excluded.serial,"
        " token_hash = excluded.token_hash, created = excluded.created",
        {link.tenant_id, link.serial, link.token_hash, by.now});
    audit(db, by, "auth_link.create", object_of(link.tenant_id));
    AuthLinkRow made = link;
    made.created = by.now;
    return made;
}

Result<void> delete_auth_link(Db& db, const By& by, TenantId tenant) {
    if (auto known = get_tenant(db, tenant); !known) return pass_on(known);
    end_attempts(db, tenant);
    if (db.exec("delete from auth_links where tenant_id = $1", {tenant}) > 0)
        audit(db, by, "auth_link.revoke", object_of(tenant));
    return {};
}

std::optional<TenantId> find_auth_link(Db& db, std::string_view token_hash) {
    const auto row = db.one(
        "select tenant_id from auth_links join tenants on tenants.id = tenant_id"
        " where token_hash = $1 and archived = 0",
        {token_hash});
    if (!row) return {};
    return TenantId{row->integer(0)};
}

}  // namespace berth
