#include "store/connection_secrets.h"

#include <algorithm>

#include "base/assert.h"
#include "store/connection_rows.h"
#include "store/provisioning.h"

namespace berth {
namespace {

bool wanted(std::span<const std::string> only, std::string_view field) {
    return only.empty() || std::ranges::find(only, field) != only.end();
}

// `whose` names the row's owner; the identity comes from what the caller may do.
void add_secrets(Db& db, ConnectionMaterial& material, ConnectionId row, KeyScope scope,
                 std::span<const std::string> only) {
    for (const Row& found : db.query("select field, version, envelope from secrets"
                                     " where connection_id = $1 order by field",
                                     {row})) {
        Columns c{found};
        ConnectionSecret secret;
        secret.sealed_as = c.text();
        secret.version = static_cast<std::uint64_t>(c.integer());
        secret.envelope = c.text();
        secret.provisioned = row != material.connection.id;
        secret.field = plain_name(secret.sealed_as);
        secret.scope = scope;
        secret.connector_id = material.connection.connector_id;
        if (wanted(only, secret.field)) material.secrets.push_back(std::move(secret));
    }
}

Result<void> add_keys(Db& db, ConnectionMaterial& material) {
    for (const ConnectionSecret& secret : material.secrets) {
        auto key = data_key_of(db, secret.scope, secret.envelope);
        if (!key) return pass_on(key);
        if (std::ranges::count(material.data_keys, key->id, &DataKeyRow::id) == 0)
            material.data_keys.push_back(std::move(*key));
    }
    return {};
}

}  // namespace

const DataKeyRow& ConnectionMaterial::key_of(const ConnectionSecret& secret) const {
    const auto head = read_envelope_head(secret.envelope);
    BERTH_ASSERT(head);
    const auto key = std::ranges::find(data_keys, head->key_id, &DataKeyRow::id);
    BERTH_ASSERT(key != data_keys.end());
    return *key;
}

const ConnectionSecret* ConnectionMaterial::find_secret(std::string_view field) const {
    const auto found = std::ranges::find(secrets, field, &ConnectionSecret::field);
    return found == secrets.end() ? nullptr : &*found;
}

std::string_view ConnectionMaterial::find_readable(std::string_view field) const {
    for (const auto* fields : {&connection.readable, &provisioning})
        if (const auto found = fields->find(std::string{field}); found != fields->end())
            return found->second;
    return {};
}

Result<ConnectionMaterial> connection_secrets(Db& db, const By& by, ConnectionId id,
                                              std::string_view purpose,
                                              std::span<const std::string> only) {
    auto connection = get_connection(db, id);
    if (!connection) return pass_on(connection);
    ConnectionMaterial material;
    material.connection = std::move(*connection);
    const Connection& whose = material.connection;
    add_secrets(db, material, id, scope_of(whose), only);

    auto provisioning = get_provisioning(db, whose.integration_id, whose.connector_name);
    if (!provisioning) return pass_on(provisioning);
    material.provisioning = std::move(provisioning->readable);
    add_secrets(db, material, provisioning->id,
                {KeyScope::Kind::integration, whose.integration_id.value}, only);
    if (auto keys = add_keys(db, material); !keys) return pass_on(keys);

    std::string names;
    for (const ConnectionSecret& secret : material.secrets)
        names += fmt::format("{}{}", names.empty() ? "" : ", ", secret.sealed_as);
    if (!names.empty())
        audit(db, by, "secret.use", object_of(whose), fmt::format("{}: {}", purpose, names));
    return material;
}

}  // namespace berth
