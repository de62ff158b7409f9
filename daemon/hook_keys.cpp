#include "daemon/hook_keys.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "daemon/manifests.h"
#include "store/connection_secrets.h"
#include "store/connections.h"

namespace berth {
namespace {

using namespace std::chrono_literals;
constexpr auto kKeptFor = 1h;
constexpr auto kRest = std::chrono::seconds{5};  // as long as providers are told to wait
constexpr std::size_t kMostKept = 1024;          // connections whose secrets are kept at once

// The identity comes from whose address it is, never from the row (reliability.md 1.1).
Result<ipc::FieldRef> identity(const HookOwner& owner, const ConnectionSecret& secret) {
    const bool of_tenant = secret.scope.kind == KeyScope::Kind::tenant;
    const auto own = of_tenant ? owner.tenant_id.value : owner.integration_id.value;
    if (secret.scope.id != own || secret.connector_id != owner.connector_id ||
        (of_tenant && (owner.is_global || secret.provisioned)))
        return fail(FailureKind::denied, "a secret of '{}' does not belong to tenant '{}'",
                    owner.connector_name, owner.tenant_id.value);
    return ipc::FieldRef{{of_tenant ? ipc::ScopeKind::tenant : ipc::ScopeKind::integration, own},
                         owner.connector_id.value,
                         secret.sealed_as,
                         secret.version};
}

Result<HookSecrets> read_secrets(Db& db, Time now, const HookOwner& owner,
                                 const std::string& key_field) {
    auto connection = get_connection(db, connection_owner(owner), owner.connector_name);
    if (!connection) return pass_on(connection);
    const std::array names{key_field, key_field + "_old"};
    auto material =
        connection_secrets(db, {"berthd", now}, connection->id, "webhook deliveries", names);
    if (!material) return pass_on(material);
    HookSecrets read;
    for (const std::string& name : names) {
        const ConnectionSecret* secret = material->find_secret(name);
        if (secret == nullptr) continue;
        auto where = identity(owner, *secret);
        if (!where) return pass_on(where);
        const DataKeyRow& key = material->key_of(*secret);
        read.secrets.push_back({{}, *std::move(where), {key.id, key.envelope}, secret->envelope});
        if (auto added = add_manifest(db, secret->scope, read.manifests); !added)
            return pass_on(added);
    }
    return read;
}

}  // namespace

void HookKeys::forget(const HookOwner& owner) {
    const auto found = kept_.find(name_of(owner));
    if (found != kept_.end() && found->second.secrets) kept_.erase(found);
}

void HookKeys::rest(const HookOwner& owner, const std::string& stamp, Failure why) {
    keep(name_of(owner), {stamp, clock_.steady() + kRest, tl::unexpected<Failure>{std::move(why)}});
}

void HookKeys::get(const HookOwner& owner, const std::string& stamp, const std::string& key_field,
                   Done<HookSecrets> done) {
    const Name name = name_of(owner);
    if (const auto found = kept_.find(name); found != kept_.end() && found->second.stamp == stamp &&
                                             clock_.steady() < found->second.until)
        return done(found->second.secrets);
    store_.write([owner, key_field,
                  now = clock_.now()](Db& db) { return read_secrets(db, now, owner, key_field); },
                 [this, name, stamp, until = clock_.steady() + kKeptFor,
                  done = std::move(done)](Result<HookSecrets> secrets) mutable {
                     if (secrets) keep(name, {stamp, until, *secrets});
                     done(std::move(secrets));
                 });
}

void HookKeys::keep(const Name& name, Kept kept) {
    if (kept_.size() >= kMostKept && !kept_.contains(name))
        kept_.erase(std::ranges::min_element(kept_, {},
                                             [](const auto& entry) { return entry.second.until; }));
    kept_.insert_or_assign(name, std::move(kept));
}

}  // namespace berth
