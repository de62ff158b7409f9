#include "daemon/auth_links.h"

#include <algorithm>
#include <utility>

#include "base/crypto.h"
#include "base/text.h"
#include "store/auth_links.h"
#include "store/integrations.h"
#include "store/tenants.h"

namespace berth {
namespace {

constexpr std::size_t kTokenBytes = 16;

std::string token_hash(std::string_view token) { return to_hex(sha256(token)); }

tl::unexpected<Failure> leads_nowhere() {
    return fail(FailureKind::not_found, "this link does not work");
}

std::string base64url(std::string_view bytes) {
    std::string text = to_base64(bytes);
    std::ranges::replace(text, '+', '-');
    std::ranges::replace(text, '/', '_');
    std::erase(text, '=');
    return text;
}

struct Behind {
    Tenant tenant;
    Integration integration;
    std::vector<Connection> connections;
};

Result<Behind> find_behind(Db& db, std::string_view token) {
    const auto id = find_auth_link(db, token_hash(token));
    if (!id) return leads_nowhere();
    auto tenant = get_tenant(db, *id);
    if (!tenant) return pass_on(tenant);
    auto integration = get_integration(db, tenant->integration_id);
    if (!integration) return pass_on(integration);
    auto connections = connections_of(db, *id);
    if (!connections) return pass_on(connections);
    return Behind{std::move(*tenant), std::move(*integration), std::move(*connections)};
}

AuthLink link_of(const AuthLinkRow& row, std::string_view key, const std::string& public_url) {
    AuthLink link;
    link.tenant_id = row.tenant_id;
    link.created = row.created;
    const std::string token = auth_link_token(key, row.tenant_id, row.serial);
    // Made with another host's key: it still works, but only who has it knows it.
    if (token_hash(token) == row.token_hash) link.url = public_url + "/connect/" + token;
    return link;
}

}  // namespace

std::string auth_link_token(std::string_view key, TenantId tenant, std::string_view serial) {
    const std::string mac = hmac_sha256(key, fmt::format("auth-link|{}|{}", tenant.value, serial));
    return base64url(std::string_view{mac}.substr(0, kTokenBytes));
}

void Connections::get_auth_link(TenantId tenant, Done<AuthLink> done) {
    parts_.store.read(
        [tenant, key = parts_.link_key, url = parts_.public_url](Db& db) -> Result<AuthLink> {
            auto row = berth::get_auth_link(db, tenant);
            if (!row) return pass_on(row);
            if (!*row)
                return fail(FailureKind::not_found,
                            "tenant '{}' has no auth link; make one with 'berth tenant auth-link "
                            "--new'",
                            tenant.value);
            return link_of(**row, key, url);
        },
        std::move(done));
}

void Connections::make_auth_link(Caller who, TenantId tenant, Done<AuthLink> done) {
    const std::string serial = random_id();
    parts_.store.write(
        [by = by(who), tenant, serial, key = parts_.link_key,
         url = parts_.public_url](Db& db) -> Result<AuthLink> {
            if (url.empty())
                return fail(FailureKind::unavailable,
                            "nobody could open an auth link; set 'public_url' in the "
                            "configuration");
            auto row = put_auth_link(
                db, by, {tenant, serial, token_hash(auth_link_token(key, tenant, serial)), by.now});
            if (!row) return pass_on(row);
            return link_of(*row, key, url);
        },
        std::move(done));
}

void Connections::revoke_auth_link(Caller who, TenantId tenant, Done<void> done) {
    parts_.store.write([by = by(who), tenant](Db& db) { return delete_auth_link(db, by, tenant); },
                       std::move(done));
}

std::string AuthLinks::form_mark(std::string_view token, std::string_view cookie) const {
    return to_hex(hmac_sha256(parts_.link_key, fmt::format("form|{}|{}", token, cookie)));
}

ConnectItem AuthLinks::item_of(const Connection& connection) const {
    ConnectItem item;
    item.connector = connection.connector_name;
    item.title = connection.connector_name;
    item.status = connection.status;
    if (connection.status != ConnectionStatus::disconnected) item.reason = connection.reason;
    const ConnectorKind* kind = parts_.kinds.find(connection.kind);
    if (kind == nullptr) return item;
    item.title = kind->title;
    item.consent = kind->auth == AuthMethod::oauth2_code;
    for (const KindField& field : typed_fields(*kind)) {
        const auto stored = connection.readable.find(field.name);
        item.fields.push_back(
            {field.name, field.label, field.help,
             stored == connection.readable.end() ? field.default_value : stored->second,
             field.secret, field.required, field.multiline});
    }
    return item;
}

void AuthLinks::open(std::string token, Done<ConnectPage> done) {
    parts_.store.read(
        [token = std::move(token)](Db& db) { return find_behind(db, token); },
        [this, done = std::move(done)](Result<Behind> found) mutable {
            if (!found) return done(pass_on(found));
            ConnectPage page;
            page.title = found->integration.long_name.empty() ? found->integration.name
                                                              : found->integration.long_name;
            // What is connected for all tenants is no customer's to connect, and of a kind
            // that is not known nobody can say what to type in.
            for (const Connection& connection : found->connections)
                if (connection.tenant_id && parts_.kinds.find(connection.kind) != nullptr)
                    page.items.push_back(item_of(connection));
            done(std::move(page));
        });
}

void AuthLinks::submit(std::string token, std::string connector, TypedFields fields,
                       Done<ConnectNext> done) {
    auto held = std::make_shared<TypedFields>(std::move(fields));
    parts_.store.read(
        [token](Db& db) { return find_behind(db, token); },
        [this, token, connector, held, done = std::move(done)](Result<Behind> found) mutable {
            if (!found) return done(pass_on(found));
            const auto mine =
                std::ranges::find(found->connections, connector, &Connection::connector_name);
            if (mine == found->connections.end() || !mine->tenant_id) return done(leads_nowhere());
            const ConnectorKind* kind = parts_.kinds.find(mine->kind);
            if (kind == nullptr) return done(leads_nowhere());
            // Tokens do not come from a form.
            for (const auto& [name, value] : *held)
                if (comes_from_provider(*kind, name))
                    return done(fail(FailureKind::unprocessable, "there is no field '{}' here",
                                     printable(name, 60)));
            const Caller who{fmt::format("auth link of tenant {}", mine->tenant_id->value)};
            const OAuthTarget target{found->integration.id, mine->tenant_id, connector};
            const bool consent = kind->auth == AuthMethod::oauth2_code;
            if (consent && held->empty() && typed_fields(*kind).empty())
                return ask_provider(who, target, token, std::move(done));
            parts_.connections.connect(who, {mine->tenant_id, {}, connector}, std::move(*held),
                                       [this, who, target, token, consent,
                                        done = std::move(done)](Result<Connection> stored) mutable {
                                           if (!stored) return done(pass_on(stored));
                                           if (!consent) return done(ConnectNext{});
                                           ask_provider(who, target, token, std::move(done));
                                       });
        });
}

void AuthLinks::ask_provider(Caller who, OAuthTarget target, const std::string& token,
                             Done<ConnectNext> done) {
    if (oauth_ == nullptr)
        return done(fail(FailureKind::unavailable, "this cannot be connected here yet"));
    oauth_->begin(std::move(who), std::move(target), "/connect/" + token + "?connected=1",
                  [done = std::move(done)](Result<OAuthStart> start) mutable {
                      if (!start) return done(pass_on(start));
                      done(ConnectNext{std::move(start->authorize_url), std::move(start->cookie)});
                  });
}

}  // namespace berth
