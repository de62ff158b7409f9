// Auth links: a tenant's address for connecting without an account. What is kept tells who
// a token belongs to, and not what the token is.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "model/ids.h"
#include "store/audit.h"
#include "store/db.h"

namespace berth {

struct AuthLinkRow {
    TenantId tenant_id{};
    std::string serial;      // random; the token is made from it
    std::string token_hash;  // SHA-256, hex digits
    Time created{};
};

// Nothing when the tenant has none; not_found when there is no such tenant.
Result<std::optional<AuthLinkRow>> get_auth_link(Db& db, TenantId tenant);
// Takes the place of the one before, which is worth nothing from then on.
Result<AuthLinkRow> put_auth_link(Db& db, const By& by, const AuthLinkRow& link);
// Revoking twice is fine.
Result<void> delete_auth_link(Db& db, const By& by, TenantId tenant);

// Whose it is; nothing for a token that was never given out, is revoked, or belongs to an
// archived tenant.
std::optional<TenantId> find_auth_link(Db& db, std::string_view token_hash);

}  // namespace berth
