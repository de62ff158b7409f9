#include "daemon/connections.h"

#include <set>
#include <utility>

#include "base/text.h"
#include "daemon/connections_order.h"
#include "store/connectors.h"
#include "store/integrations.h"
#include "store/provisioning.h"
#include "store/secrets.h"
#include "store/tenants.h"

namespace berth {
namespace {

constexpr int kTries = 3;  // when a data key is replaced meanwhile

// A tenant's integration is its own to tell.
Result<ConnectionOwner> find_owner(Db& db, const ConnectionPlace& place) {
    if (!place.tenant) return ConnectionOwner{place.integration.value(), {}};
    auto tenant = get_tenant(db, *place.tenant);
    if (!tenant) return pass_on(tenant);
    return ConnectionOwner{tenant->integration_id, tenant->id};
}

std::set<std::string> held_fields(const Connection& connection) {
    std::set<std::string> held{connection.fields.begin(), connection.fields.end()};
    for (const auto& [field, value] : connection.readable)
        held.insert(field);
    return held;
}

}  // namespace

bool in_runs(const KindBook& kinds, std::string_view kind, std::string_view field) {
    if (kind == kCustomKind) return true;
    const ConnectorKind* known = kinds.find(kind);
    const KindField* found = known == nullptr ? nullptr : known->find_field(field);
    return found != nullptr && found->in_environment;
}

std::string env_field(const KindBook& kinds, std::string_view kind, std::string_view field) {
    const ConnectorKind* known = kinds.find(kind);
    const KindField* found = known == nullptr ? nullptr : known->find_field(field);
    return std::string{found == nullptr || found->env.empty() ? field : found->env};
}

void Connections::list_connectors(Done<std::vector<Connector>> done) {
    Page all;
    all.limit = 500;
    parts_.store.read([all](Db& db) { return berth::list_connectors(db, all); }, std::move(done));
}

void Connections::create_connector(Caller who, std::string name, std::string kind,
                                   Done<Connector> done) {
    auto known = parts_.kinds.check(kind);
    parts_.store.write(
        [by = by(who), name = std::move(name), kind = std::move(kind),
         known = std::move(known)](Db& db) mutable -> Result<Connector> {
            if (!known) return tl::unexpected<Failure>{known.error()};
            return berth::create_connector(db, by, name, kind);
        },
        std::move(done));
}

void Connections::attach_connector(Caller who, IntegrationId id, IntegrationConnector connector,
                                   Done<Integration> done) {
    parts_.store.write(
        [by = by(who), id, connector = std::move(connector)](Db& db) -> Result<Integration> {
            auto known = get_connector(db, connector.name);
            if (!known) return pass_on(known);
            auto attached = berth::attach_connector(db, by, id, connector);
            if (!attached) return pass_on(attached);
            return get_integration(db, id);
        },
        std::move(done));
}

void Connections::list_connections(TenantId id, Done<std::vector<Connection>> done) {
    parts_.store.read([id](Db& db) { return connections_of(db, id); }, std::move(done));
}

void Connections::get_connection(ConnectionPlace place, Done<ConnectionStory> done) {
    parts_.store.read(
        [place = std::move(place)](Db& db) -> Result<ConnectionStory> {
            auto owner = find_owner(db, place);
            if (!owner) return pass_on(owner);
            auto found = look_at_connection(db, *owner, place.connector);
            if (!found) return pass_on(found);
            auto history = connection_history(db, found->id);
            return ConnectionStory{std::move(*found), std::move(history)};
        },
        std::move(done));
}

Result<GivenFields> Connections::check(const Connection& connection, TypedFields fields) const {
    if (connection.kind == kCustomKind) {
        if (fields.empty())
            return fail_at(FailureKind::unprocessable, "body.fields", "no fields were given");
        return GivenFields{std::move(fields), {}};
    }
    const ConnectorKind* kind = parts_.kinds.find(connection.kind);
    if (kind == nullptr) return no_kind(connection.connector_name, connection.kind);
    // Tokens from elsewhere may be brought along; nobody is asked for them.
    auto held = held_fields(connection);
    for (const KindField& field : kind->fields)
        if (comes_from_provider(*kind, field.name)) held.insert(field.name);
    auto given = check_fields(kind->fields, std::move(fields), held);
    if (!given) return given;
    const std::set<std::string> sealed{connection.fields.begin(), connection.fields.end()};
    if (auto ok = check_place(*kind, *given, connection.readable, sealed); !ok) return pass_on(ok);
    return given;
}

void Connections::connect(Caller who, ConnectionPlace place, TypedFields fields,
                          Done<Connection> done) {
    struct Found {
        ConnectionOwner owner;
        Connection connection;
    };
    auto held = std::make_shared<TypedFields>(std::move(fields));
    parts_.store.read(
        [place](Db& db) -> Result<Found> {
            auto owner = find_owner(db, place);
            if (!owner) return pass_on(owner);
            auto found = look_at_connection(db, *owner, place.connector);
            if (!found) return pass_on(found);
            return Found{*owner, std::move(*found)};
        },
        [this, who, held, done = std::move(done)](Result<Found> found) mutable {
            if (!found) return done(pass_on(found));
            const Connection& before = found->connection;
            auto given = check(before, std::move(*held));
            if (!given) return done(pass_on(given));

            ConnectionWrite write;
            write.readable = std::move(given->readable);
            const ConnectorKind* kind = parts_.kinds.find(before.kind);
            const bool has_token = given->secret.contains("access_token") ||
                                   held_fields(before).contains("access_token");
            if (kind != nullptr && kind->oauth2 && !has_token) {
                write.status = ConnectionStatus::pending;
                write.reason = fmt::format("waits for the consent of {}", kind->title);
            }
            const bool own_client =
                kind != nullptr && kind->auth == AuthMethod::oauth2_client_credentials;
            auto order = std::make_shared<Order>();
            order->actor = who.name;
            order->secrets = std::move(given->secret);
            const std::string connector = before.connector_name;
            order->reserve = [owner = found->owner, connector](Db& db, const By& by) {
                return reserve_secrets(db, by, owner, connector);
            };
            order->write = [write](Db& db, const By& by, const SecretReservation& reserved,
                                   std::vector<SealedField> sealed) mutable {
                write.sealed = std::move(sealed);
                return set_secrets(db, by, reserved.connection.id, reserved.version, write);
            };
            order->done = [this, who, own_client, owner = found->owner, connector,
                           done = std::move(done)](Result<Connection> stored) mutable {
                if (!stored || !own_client || oauth_ == nullptr) return done(std::move(stored));
                oauth_->connect_client(who, {owner.integration_id, owner.tenant_id, connector},
                                       std::move(done));
            };
            store_fields(std::move(order));
        });
}

void Connections::store_fields(std::shared_ptr<Order> order) {
    parts_.store.write([order, by = By{order->actor, parts_.clock.now()}](
                           Db& db) { return order->reserve(db, by); },
                       [this, order](Result<SecretReservation> reserved) {
                           if (!reserved) return order->done(pass_on(reserved));
                           seal(order, std::move(*reserved));
                       });
}

void Connections::seal(std::shared_ptr<Order> order, SecretReservation reserved) {
    const By by{order->actor, parts_.clock.now()};
    if (order->secrets.empty())  // nothing that a key is needed for
        return parts_.store.write(
            [order, by, reserved](Db& db) { return order->write(db, by, reserved, {}); },
            [order](Result<Connection> written) { order->done(std::move(written)); });
    parts_.keys.seal(
        order->actor, {reserved.scope, reserved.connection.connector_id, reserved.version},
        order->secrets, [this, order, by, reserved](Result<std::vector<SealedField>> sealed) {
            if (!sealed) return order->done(pass_on(sealed));
            parts_.keys.manifests().change<Connection>(
                reserved.scope,
                [order, by, reserved, fields = std::move(*sealed)](Db& db) {
                    return order->write(db, by, reserved, fields);
                },
                [this, order, reserved](Result<Connection> written) {
                    const bool again = !written && written.error().kind == FailureKind::busy &&
                                       ++order->tries < kTries;
                    if (again) return seal(order, reserved);
                    order->done(std::move(written));
                });
        });
}

void Connections::disconnect(Caller who, ConnectionPlace place, Done<Connection> done) {
    const KeyScope scope = place.tenant
                               ? KeyScope{KeyScope::Kind::tenant, place.tenant->value}
                               : KeyScope{KeyScope::Kind::integration, place.integration->value};
    // A change may be tried several times: what was there is from the last.
    auto before = std::make_shared<std::optional<ConnectionMaterial>>();
    parts_.keys.manifests().change<Connection>(
        scope,
        [this, by = by(who), place, before](Db& db) -> Result<Connection> {
            auto owner = find_owner(db, place);
            if (!owner) return pass_on(owner);
            auto found = look_at_connection(db, *owner, place.connector);
            if (!found) return pass_on(found);
            const ConnectorKind* kind = parts_.kinds.find(found->kind);
            if (revoke_ && kind != nullptr && kind->oauth2 && !kind->oauth2->revoke_url.empty() &&
                !found->fields.empty()) {
                auto material = connection_secrets(db, by, found->id, "revoke");
                if (!material) return pass_on(material);
                *before = std::move(*material);
            }
            auto gone =
                berth::disconnect(db, by, *owner, place.connector, "disconnected by " + by.actor);
            if (!gone) return pass_on(gone);
            return look_at_connection(db, *owner, place.connector);
        },
        [this, who, before, done = std::move(done)](Result<Connection> gone) mutable {
            if (gone && *before) revoke_(who, **before);
            done(std::move(gone));
        });
}

}  // namespace berth
