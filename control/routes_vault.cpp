// The keys: which there are, how far a rotation is, and beginning one. No key and no secret
// comes out of here.
#include <nlohmann/json.hpp>

#include "control/answer.h"
#include "control/fields.h"
#include "control/input.h"
#include "control/routes.h"
#include "control/vault_api.h"

namespace berth {
namespace {

Json rotation_form(const RotationView& rotation) {
    return Json{{"id", rotation.id},
                {"what", to_string(rotation.kind)},
                {"scope", rotation.scope.empty() ? Json(nullptr) : Json(rotation.scope)},
                {"total", rotation.total},
                {"left", rotation.left},
                {"actor", rotation.actor},
                {"created_date", to_rfc3339(rotation.created)},
                {"finished_date",
                 rotation.finished ? Json(to_rfc3339(*rotation.finished)) : Json(nullptr)}};
}

Json form(const VaultView& vault) {
    Json keks = Json::array();
    for (const KekView& kek : vault.keks)
        keks.push_back({{"term", kek.term},
                        {"root_key", kek.root_key},
                        {"data_keys", kek.data_keys},
                        {"created_date", to_rfc3339(kek.created)}});
    return Json{{"root_key", vault.root_key.empty() ? Json(nullptr) : Json(vault.root_key)},
                {"previous_root_keys", vault.previous_root_keys},
                {"key_encryption_keys", std::move(keks)},
                {"data_keys", vault.data_keys},
                {"retired_data_keys", vault.retired_data_keys},
                {"secrets", vault.secrets},
                {"secrets_under_retired_keys", vault.secrets_under_retired},
                {"manifests", vault.manifests},
                {"rotation", vault.rotation ? rotation_form(*vault.rotation) : Json(nullptr)},
                {"trouble", vault.trouble.empty() ? Json(nullptr) : Json(vault.trouble)}};
}

void rotate(VaultApi& api, const Request& request, Reply reply) {
    auto body = read_json_object(request, EmptyBody::refused);
    if (!body) return reply.failed(body.error());
    Fields fields{*body};
    constexpr std::int64_t kMostId = INT64_MAX;
    const auto kind = fields.word<RotationKind>("what", parse_rotation_kind, "root, kek, data");
    fields.required("what");
    const auto tenant = fields.integer("tenant_id", 1, kMostId);
    const auto integration = fields.integer("integration_id", 1, kMostId);
    if (auto good = fields.finish(); !good) return reply.failed(good.error());
    const auto refuse = [&](const char* message, const char* where) {
        reply.failed({FailureKind::unprocessable, message, where});
    };
    if ((tenant || integration) && *kind != RotationKind::data)
        return refuse("only data keys belong to a tenant or an integration", "body.what");
    if (tenant && integration)
        return refuse("give 'tenant_id' or 'integration_id', not both", "body.integration_id");
    RotationInput input{*kind, {}, {}};
    if (tenant) input.tenant = TenantId{*tenant};
    if (integration) input.integration = IntegrationId{*integration};
    api.rotate(caller(request), input, answer<VaultView>(std::move(reply), 202, form));
}

void forget(VaultApi& api, const Request& request, Reply reply) {
    auto id = request.id<TenantId>("tenant_id");
    if (!id) return reply.failed(id.error());
    api.delete_tenant(caller(request), *id, [reply = std::move(reply)](Result<void> gone) mutable {
        if (!gone) return reply.failed(gone.error());
        reply.json(200, Json{{"deleted", true}});
    });
}

}  // namespace

void add_vault_routes(Router& router, VaultApi& api) {
    router.add({
        {Method::get, "/v2/vault", Role::administrator,
         "the keys, what hangs on them, and how far a rotation is",
         [&api](Request, Reply reply) {
             api.vault(answer<VaultView>(std::move(reply), 200, form));
         }},
        {Method::post, "/v2/vault/rotations", Role::administrator,
         "replace the root key's wrapping, the key-encryption key or data keys, while runs go on",
         [&api](Request request, Reply reply) { rotate(api, request, std::move(reply)); }},
        {Method::del, "/v2/tenants/{tenant_id}/data", Role::administrator,
         "delete a tenant for ever: its data key, secrets, settings and payloads",
         [&api](Request request, Reply reply) { forget(api, request, std::move(reply)); }},
        {Method::post, "/v2/vault/accept-restore", Role::administrator,
         "take the secrets of a restored backup for the latest",
         [&api](Request request, Reply reply) {
             api.accept_restore(caller(request), answer<VaultView>(std::move(reply), 200, form));
         }},
    });
}

}  // namespace berth
