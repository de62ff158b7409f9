#include "store/manifests.h"

#include "store/sql.h"

namespace berth {
namespace {

constexpr std::size_t kTagBytes = 16;

std::string tag_of(const std::string& envelope) {
    return envelope.substr(envelope.size() - std::min(kTagBytes, envelope.size()));
}

// A condition on connections, for its id as $1.
std::string_view whose(const KeyScope& scope) {
    return scope.kind == KeyScope::Kind::tenant
               ? "connections.tenant_id = $1"
               : "connections.integration_id = $1 and connections.tenant_id is null";
}

}  // namespace

std::vector<ManifestEntry> secrets_of(Db& db, const KeyScope& scope) {
    return read_rows(
        db.query(fmt::format("select connector_id, field, version, envelope, key_id from secrets"
                             " join connections on connections.id = connection_id where {}"
                             " order by connector_id, field",
                             whose(scope)),
                 {scope.id}),
        [](const Row& row) {
            Columns c{row};
            ManifestEntry entry;
            entry.connector_id = c.integer();
            entry.field = c.text();
            entry.version = static_cast<std::uint64_t>(c.integer());
            entry.tag = tag_of(c.text());
            entry.key_id = static_cast<std::uint32_t>(c.integer());
            return entry;
        });
}

std::optional<std::string> envelope_of(Db& db, const KeyScope& scope, std::int64_t connector_id,
                                       std::string_view field, std::uint64_t version) {
    const auto row =
        db.one(fmt::format("select envelope from secrets join connections"
                           " on connections.id = connection_id where {} and connector_id = $2"
                           " and field = $3 and version = $4",
                           whose(scope)),
               {scope.id, connector_id, field, version});
    if (!row) return {};
    return row->text(0);
}

ManifestRow get_manifest(Db& db, const KeyScope& scope) {
    ManifestRow manifest{scope, 0, 0, {}};
    const auto row =
        db.one("select key_id, counter, mac from manifests where scope_kind = $1 and scope_id = $2",
               {to_string(scope.kind), scope.id});
    if (!row) return manifest;
    manifest.key_id = static_cast<std::uint32_t>(row->integer(0));
    manifest.counter = static_cast<std::uint64_t>(row->integer(1));
    manifest.mac = row->text(2);
    return manifest;
}

Result<void> put_manifest(Db& db, const ManifestRow& manifest) {
    const auto& [scope, key_id, counter, mac] = manifest;
    const auto changed =
        counter == 1 ? db.exec(
                           "insert into manifests (scope_kind, scope_id, key_id, counter, mac)"
                           " values ($1, $2, $3, $4, $5) on conflict do nothing",
                           {to_string(scope.kind), scope.id, key_id, counter, Bytes{mac}})
                     : db.exec(
                           "update manifests set key_id = $3, counter = $4, mac = $5"
                           " where scope_kind = $1 and scope_id = $2 and counter = $4 - 1",
                           {to_string(scope.kind), scope.id, key_id, counter, Bytes{mac}});
    if (changed == 0)
        return fail(FailureKind::conflict,
                    "the secrets of {} {} were changed by somebody else meanwhile; try again",
                    to_string(scope.kind), scope.id);
    return {};
}

std::vector<KeyScope> scopes_without_manifest(Db& db, std::int64_t limit) {
    return read_rows(
        db.query("select distinct case when connections.tenant_id is null then 'integration'"
                 "  else 'tenant' end as kind,"
                 " coalesce(connections.tenant_id, connections.integration_id) as whose"
                 " from secrets join connections on connections.id = connection_id"
                 " where not exists (select 1 from manifests where scope_kind ="
                 "  case when connections.tenant_id is null then 'integration' else 'tenant' end"
                 "  and scope_id = coalesce(connections.tenant_id, connections.integration_id))"
                 " limit $1",
                 {limit}),
        [](const Row& row) {
            return KeyScope{
                row.text(0) == "tenant" ? KeyScope::Kind::tenant : KeyScope::Kind::integration,
                row.integer(1)};
        });
}

Result<SignedList> signed_list(Db& db, const KeyScope& scope) {
    SignedList list{get_manifest(db, scope), {}, secrets_of(db, scope)};
    list.data_key.scope = scope;
    if (list.manifest.counter == 0) return list;
    auto key = get_data_key(db, list.manifest.key_id);
    if (!key) return pass_on(key);
    list.data_key = std::move(*key);
    return list;
}

}  // namespace berth
