// `berth integration`, `berth release`, `berth connector`: what a company offers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/session.h"

namespace berth {

// Absent members are not sent, so an update changes only what is named.
struct IntegrationFields {
    std::optional<std::string> long_name;
    std::vector<std::string> connectors;         // each tenant has its own connection
    std::vector<std::string> global_connectors;  // one connection for all tenants
    std::optional<std::string> network;
    std::vector<std::string> egress_names;
    bool any_egress = false;  // takes the names away again
    std::optional<std::string> on_lost;
    std::optional<std::int64_t> wall_time_seconds;
    std::optional<std::int64_t> memory_mib;
    std::optional<std::string> channel;
    std::optional<std::string> default_release;  // id, name, tag or `latest`
    std::optional<bool> paused;
    std::optional<bool> archived;
};

struct ListOptions {
    bool archived = false;
    Paging paging;
};

struct ReleaseUpload {
    std::string integration;
    std::string dir;
    std::string name;
    std::string tag;
    std::string manifest;  // its path below dir; empty: PANDIUM.yaml
    bool make_default = false;
};

Result<Exit> integration_list(Session& session, const ListOptions& options);
Result<Exit> integration_show(Session& session, const std::string& integration);
Result<Exit> integration_create(Session& session, const std::string& name,
                                const IntegrationFields& fields);
Result<Exit> integration_update(Session& session, const std::string& integration,
                                const IntegrationFields& fields);

Result<Exit> release_list(Session& session, const std::string& integration);
Result<Exit> release_show(Session& session, const std::string& integration,
                          const std::string& release);
Result<Exit> release_create(Session& session, const ReleaseUpload& upload);

enum class Sharing { per_tenant, global };
Result<Exit> connector_list(Session& session, const Paging& paging);
Result<Exit> connector_create(Session& session, const std::string& name, const std::string& kind);
Result<Exit> connector_kinds(Session& session);
Result<Exit> connector_kind(Session& session, const std::string& name);
struct Provision {
    std::string integration;
    std::string connector;
    std::vector<std::string> fields;   // FIELD=VALUE, FIELD=@file, FIELD=-
    std::vector<std::string> prompts;  // fields to ask for
    bool forget = false;
};
// Without fields: shows it.
Result<Exit> connector_provision(Session& session, const Provision& provision);
Result<Exit> connector_attach(Session& session, const std::string& integration,
                              const std::string& connector, Sharing sharing);

}  // namespace berth
