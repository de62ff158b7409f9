// `berth tenant` and `berth connection`: who has installed what, and with which
// credentials.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cli/follow.h"
#include "cli/session.h"

namespace berth {

struct TenantFilter {
    std::string integration;
    std::string user_name;
    bool archived = false;
    Paging paging;
};

// Absent members are not sent.
struct TenantFields {
    std::optional<std::string> name;
    std::optional<std::string> user_name;  // only at creation
    std::optional<std::string> schedule;
    std::optional<std::string> release;  // id, name or tag; excludes channel
    std::optional<std::string> channel;
    std::optional<std::string> configs;  // JSON, @file or -
    std::optional<bool> paused;
    std::optional<bool> archived;
};

struct SyncOptions {
    std::string mode = "normal";
    AfterOptions after;
    std::optional<std::string> payload;          // JSON, @file or -
    std::optional<std::string> idempotency_key;  // else a random one
};

Result<Exit> tenant_list(Session& session, const TenantFilter& filter);
Result<Exit> tenant_show(Session& session, const std::string& tenant);
Result<Exit> tenant_create(Session& session, const std::string& name,
                           const std::string& integration, const TenantFields& fields);
// Also archive, pause and resume, which change one field.
Result<Exit> tenant_update(Session& session, const std::string& tenant, const TenantFields& fields);
// For ever.
Result<Exit> tenant_delete(Session& session, const std::string& tenant);
Result<Exit> tenant_sync(Session& session, const std::string& tenant, const SyncOptions& options);
// Shows it, or merges `set` (JSON, @file or -) into it.
Result<Exit> tenant_metadata(Session& session, const std::string& tenant,
                             const std::optional<std::string>& set);

enum class AuthLinkWish { show, fresh, revoke };
Result<Exit> tenant_auth_link(Session& session, const std::string& tenant, AuthLinkWish wish);

struct ConnectionSet {
    std::string owner;  // a tenant, or with `global` an integration
    std::string connector;
    std::vector<std::string> fields;   // FIELD=VALUE, FIELD=@file, FIELD=-
    std::vector<std::string> prompts;  // fields to ask for
    bool global = false;
};
Result<Exit> connection_list(Session& session, const std::string& tenant);
Result<Exit> connection_show(Session& session, const std::string& tenant,
                             const std::string& connector);
Result<Exit> connection_set(Session& session, const ConnectionSet& set);
Result<Exit> connection_disconnect(Session& session, const std::string& tenant,
                                   const std::string& connector);

}  // namespace berth
