// Connectors and connections over the book of kinds: what is typed in is held against its
// kind, its secrets are sealed, and both are stored in one transaction.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "connectors/kind_fields.h"
#include "connectors/kinds.h"
#include "control/connections_api.h"
#include "control/oauth_api.h"
#include "daemon/keys.h"
#include "store/connection_secrets.h"
#include "store/connections.h"
#include "store/store.h"

namespace berth {

// Thread: loop.
class Connections final : public ConnectionsApi {
public:
    struct Parts {
        const Clock& clock;
        Store& store;
        Keys& keys;
        const KindBook& kinds;
        std::string public_url;
        std::string link_key;  // auth links are made from it; not in the store
    };
    explicit Connections(Parts parts) : parts_{std::move(parts)} {}

    // Connects by client credentials, and takes tokens back when something is disconnected.
    void use_oauth(OAuthApi& oauth, std::function<void(Caller, const ConnectionMaterial&)> revoke) {
        oauth_ = &oauth;
        revoke_ = std::move(revoke);
    }

    void list_kinds(Done<std::string> done) override;
    void get_kind(std::string name, Done<std::string> done) override;
    void list_connectors(Done<std::vector<Connector>> done) override;
    void create_connector(Caller who, std::string name, std::string kind,
                          Done<Connector> done) override;
    void attach_connector(Caller who, IntegrationId id, IntegrationConnector connector,
                          Done<Integration> done) override;
    void get_provisioning(IntegrationId id, std::string connector, Done<std::string> done) override;
    void provision(Caller who, IntegrationId id, std::string connector, TypedFields fields,
                   Done<std::string> done) override;
    void unprovision(Caller who, IntegrationId id, std::string connector,
                     Done<std::string> done) override;
    void list_connections(TenantId tenant, Done<std::vector<Connection>> done) override;
    void get_connection(ConnectionPlace place, Done<ConnectionStory> done) override;
    void connect(Caller who, ConnectionPlace place, TypedFields fields,
                 Done<Connection> done) override;
    void disconnect(Caller who, ConnectionPlace place, Done<Connection> done) override;
    void get_auth_link(TenantId tenant, Done<AuthLink> done) override;
    void make_auth_link(Caller who, TenantId tenant, Done<AuthLink> done) override;
    void revoke_auth_link(Caller who, TenantId tenant, Done<void> done) override;

private:
    struct Order;

    By by(const Caller& who) const { return {who.name, parts_.clock.now()}; }
    Result<GivenFields> check(const Connection& connection, TypedFields fields) const;
    void store_fields(std::shared_ptr<Order> order);
    void seal(std::shared_ptr<Order> order, SecretReservation reserved);
    std::string provisioning_form(const Provisioning& provisioning) const;
    Done<Provisioning> answer_provisioning(Done<std::string> done) const;

    Parts parts_;
    OAuthApi* oauth_ = nullptr;
    std::function<void(Caller, const ConnectionMaterial&)> revoke_;
};

// Whether runs get a field of a connector of that kind, and what it is called there. A kind
// that is not there (any more) gives runs nothing: no one could tell a token from what
// renews it.
bool in_runs(const KindBook& kinds, std::string_view kind, std::string_view field);
std::string env_field(const KindBook& kinds, std::string_view kind, std::string_view field);

}  // namespace berth
