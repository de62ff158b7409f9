// Connectors and connections.
#include <utility>

#include "daemon/api_impl.h"
#include "store/connectors.h"
#include "store/integrations.h"
#include "store/secrets.h"
#include "store/tenants.h"

namespace berth {

void ApiImpl::list_connectors(Done<std::vector<Connector>> done) {
    Page all;
    all.limit = 500;
    parts_.store.read([all](Db& db) { return berth::list_connectors(db, all); }, std::move(done));
}

void ApiImpl::create_connector(Caller who, std::string name, std::string kind,
                               Done<Connector> done) {
    parts_.store.write([by = by(who), name = std::move(name), kind = std::move(kind)](
                           Db& db) { return berth::create_connector(db, by, name, kind); },
                       std::move(done));
}

void ApiImpl::attach_connector(Caller who, IntegrationId id, IntegrationConnector connector,
                               Done<Integration> done) {
    parts_.store.write(
        [by = by(who), id, connector = std::move(connector)](Db& db) -> Result<Integration> {
            auto known = get_connector(db, connector.name);
            if (!known) return pass_on(known);
            auto attached = berth::attach_connector(db, by, id, connector);
            if (!attached) return pass_on(attached);
            return berth::get_integration(db, id);
        },
        std::move(done));
}

void ApiImpl::connect(Caller who, std::optional<TenantId> tenant,
                      std::optional<IntegrationId> integration, std::string connector,
                      std::map<std::string, Secret> secrets, Done<Connection> done) {
    if (!tenant)
        return parts_.keys.store_secrets(std::move(who), {integration.value(), {}},
                                         std::move(connector), std::move(secrets), std::move(done));
    auto held = std::make_shared<std::map<std::string, Secret>>(std::move(secrets));
    parts_.store.read(
        [id = *tenant](Db& db) { return berth::get_tenant(db, id); },
        [this, who, connector, held, done = std::move(done)](Result<Tenant> found) mutable {
            if (!found) return done(pass_on(found));
            parts_.keys.store_secrets(std::move(who), {found->integration_id, found->id},
                                      std::move(connector), std::move(*held), std::move(done));
        });
}

void ApiImpl::disconnect(Caller who, TenantId id, std::string connector, Done<Connection> done) {
    parts_.store.write(
        [by = by(who), id, connector = std::move(connector)](Db& db) -> Result<Connection> {
            auto tenant = berth::get_tenant(db, id);
            if (!tenant) return pass_on(tenant);
            const ConnectionOwner owner{tenant->integration_id, id};
            auto gone = berth::disconnect(db, by, owner, connector, "disconnected by " + by.actor);
            if (!gone) return pass_on(gone);
            return get_connection(db, owner, connector);
        },
        std::move(done));
}

void ApiImpl::list_connections(TenantId id, Done<std::vector<Connection>> done) {
    parts_.store.read([id](Db& db) { return connections_of(db, id); }, std::move(done));
}

}  // namespace berth
