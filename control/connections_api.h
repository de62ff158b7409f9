// Connector kinds, connectors, provisioning, connections and auth links, as the routes see
// them. daemon/connections.h implements it over store, keys and the book of kinds.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/secret.h"
#include "control/api.h"
#include "model/values.h"

namespace berth {

// A tenant's connection, or without one the integration's global one.
struct ConnectionPlace {
    std::optional<TenantId> tenant;
    std::optional<IntegrationId> integration;
    std::string connector;
};

struct ConnectionStory {
    Connection connection;
    std::vector<ConnectionEvent> history;  // the newest first
};

struct AuthLink {
    TenantId tenant_id;
    std::string url;  // empty: there is one, and it cannot be shown on this host
    Time created{};
};

// What is typed in for a connection or a provisioning, secret or not: its kind tells.
using TypedFields = std::map<std::string, Secret>;

// Thread: loop. Each answers exactly once, on the loop, never before it has returned.
class ConnectionsApi {
public:
    virtual ~ConnectionsApi() = default;

    // JSON texts: control knows no kinds.
    virtual void list_kinds(Done<std::string> done) = 0;
    virtual void get_kind(std::string name, Done<std::string> done) = 0;

    virtual void list_connectors(Done<std::vector<Connector>> done) = 0;
    virtual void create_connector(Caller who, std::string name, std::string kind,
                                  Done<Connector> done) = 0;
    virtual void attach_connector(Caller who, IntegrationId id, IntegrationConnector connector,
                                  Done<Integration> done) = 0;

    virtual void get_provisioning(IntegrationId id, std::string connector,
                                  Done<std::string> done) = 0;
    virtual void provision(Caller who, IntegrationId id, std::string connector, TypedFields fields,
                           Done<std::string> done) = 0;
    virtual void unprovision(Caller who, IntegrationId id, std::string connector,
                             Done<std::string> done) = 0;

    virtual void list_connections(TenantId tenant, Done<std::vector<Connection>> done) = 0;
    virtual void get_connection(ConnectionPlace place, Done<ConnectionStory> done) = 0;
    // Fields that are not given stay as they are: a reconnect.
    virtual void connect(Caller who, ConnectionPlace place, TypedFields fields,
                         Done<Connection> done) = 0;
    virtual void disconnect(Caller who, ConnectionPlace place, Done<Connection> done) = 0;

    virtual void get_auth_link(TenantId tenant, Done<AuthLink> done) = 0;
    // Takes the place of the one before.
    virtual void make_auth_link(Caller who, TenantId tenant, Done<AuthLink> done) = 0;
    virtual void revoke_auth_link(Caller who, TenantId tenant, Done<void> done) = 0;
};

}  // namespace berth
