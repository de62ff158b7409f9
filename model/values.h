// The product's values as the store keeps them and the API shows them: what
// pandium-contract.md 1 calls objects. Plain structs; JSON members hold JSON
// text, checked before it got here.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "model/ids.h"
#include "model/run_state.h"

namespace berth {

// What a run is for. `webhook` only ever comes from a webhook delivery.
enum class RunMode { init, normal, webhook };
// Who asked for it (pandium-contract.md 5.2).
enum class TriggerSource { api, cron, manual, webhook };
enum class NetworkMode { none, egress, host };
// What becomes of a run whose process was lost with a daemon.
enum class OnLost { fail, retry };
// Which release a tenant runs: its own, the integration's default, the newest.
enum class Channel { Latest, Default };
enum class ConnectionStatus {
    connected,
    disconnected,
    pending,        // begun: its fields are there, the provider's consent is not
    failed_refresh  // the provider no longer takes its tokens: reconnect
};

std::string_view to_string(RunMode mode);
std::string_view to_string(TriggerSource source);
std::string_view to_string(NetworkMode mode);
std::string_view to_string(OnLost on_lost);
std::string_view to_string(Channel channel);
std::string_view to_string(ConnectionStatus status);
std::optional<RunMode> parse_run_mode(std::string_view word);
std::optional<TriggerSource> parse_trigger_source(std::string_view word);
std::optional<NetworkMode> parse_network_mode(std::string_view word);
std::optional<OnLost> parse_on_lost(std::string_view word);
std::optional<Channel> parse_channel(std::string_view word);
std::optional<ConnectionStatus> parse_connection_status(std::string_view word);

struct IntegrationConnector {
    std::string name;  // the connector's slug, `hubspot-oauth`
    bool is_global = false;
    bool operator==(const IntegrationConnector&) const = default;
};

struct Integration {
    IntegrationId id;
    std::string name;       // slug
    std::string long_name;  // for people
    std::string type = "Internal";
    std::vector<IntegrationConnector> connectors;
    std::string repository_url;
    std::string repository_path;
    std::string repository_tracking_branch;
    std::optional<ReleaseId> default_release_id;
    std::optional<Channel> default_release_channel;
    NetworkMode network = NetworkMode::egress;
    std::vector<std::string> egress_names;  // host_name.h; empty: any public one
    OnLost on_lost = OnLost::fail;
    std::chrono::seconds wall_time{600};
    std::uint64_t memory_bytes = std::uint64_t{512} << 20;
    bool archived = false;
    bool paused = false;
    Time created{};
    Time modified{};
};

// Code and its PANDIUM.yaml, frozen together.
struct Release {
    ReleaseId id;
    IntegrationId integration_id;
    std::string name;
    std::string tag;
    std::string config_version;  // the manifest's `version`, as written
    std::string base;            // the manifest's `base`, as written
    std::string runtime;         // the runtime it resolved to
    std::string build_command;
    std::string run_command;
    std::string config_schema;    // JSON text; empty when the manifest has none
    std::string ui_schema;        // JSON text
    std::string metadata_schema;  // JSON text; empty: no metadata
    std::string content_hash;     // names the read-only folder below releases/
    Time created{};
};

struct Connector {
    ConnectorId id;
    std::string name;  // slug
    std::string kind;  // of connectors/kinds, or `custom`: any fields, all of them secret
    Time created{};
};

// Credentials of a connector: of one tenant, or of a whole integration (global).
struct Connection {
    ConnectionId id;
    ConnectorId connector_id;
    std::string connector_name;
    IntegrationId integration_id;
    std::optional<TenantId> tenant_id;  // nothing: global
    ConnectionStatus status = ConnectionStatus::disconnected;
    std::string reason;  // why it is disconnected; may be empty
    Time last_change{};
    std::vector<std::string> fields;                // names of the secrets it holds, sorted
    std::string kind;                               // of its connector
    std::map<std::string, std::string> readable{};  // its fields that are no secret
};

// What a connection was before, or has become.
struct ConnectionEvent {
    ConnectionStatus status = ConnectionStatus::disconnected;
    std::string reason;
    std::string actor;
    Time time{};
};

// What an integration's app is at a provider, whichever tenant connects.
struct Provisioning {
    ConnectionId id;  // of the row that holds it; 0: nothing was provisioned yet
    IntegrationId integration_id;
    ConnectorId connector_id;
    std::string connector_name;
    std::string kind;
    bool is_global = false;
    std::map<std::string, std::string> readable;  // client id, scopes, base URL, ...
    std::vector<std::string> secrets;             // names, sorted
    Time last_change{};
};

// One sealed field of a connection. Only the runner can open it.
struct SecretRow {
    ConnectionId connection_id;
    std::string field;
    std::uint64_t version = 0;  // counts up with every write of the field
    std::string envelope;
};

struct Tenant {
    TenantId id;
    std::string name;
    std::string user_name;  // the customer's user; empty when there is none
    IntegrationId integration_id;
    bool archived = false;
    bool paused = true;
    std::string configs = "{}";
    std::string dynamic_configs = "{}";
    std::string user_schedule;
    std::string schedule;
    std::string source = "api";
    std::optional<ReleaseId> release_id;     // static
    std::optional<Channel> release_channel;  // or one of these
    Time created{};
    Time modified{};
};

struct Trigger {
    TriggerId id;
    TenantId tenant_id;
    TriggerSource source = TriggerSource::api;
    RunMode mode = RunMode::normal;
    std::string payload = "{}";  // JSON object: an API body, or {} for others
    std::string body;            // raw bytes of a webhook or API body; a file in the sandbox
    std::string headers = "{}";  // JSON object: a webhook's headers
    std::string idempotency_key;
    std::optional<RunId> run_id;  // the run it became part of
    Time created{};
};

// What the choice of a bundle needs of a trigger: no payload.
struct WaitingTrigger {
    TriggerId id;
    TriggerSource source = TriggerSource::api;
    RunMode mode = RunMode::normal;
    std::uint64_t body_bytes = 0;
    bool rerun = false;  // it makes a run of its own
};

// What a run used, on its record.
struct Usage {
    std::int64_t user_us = 0;
    std::int64_t system_us = 0;
    std::uint64_t max_rss_bytes = 0;      // of its largest process
    std::uint64_t memory_peak_bytes = 0;  // of all together; 0: not known without a cgroup
    std::uint64_t io_read_bytes = 0;      // likewise
    std::uint64_t io_write_bytes = 0;
    std::uint64_t log_bytes = 0;
    std::uint64_t sent_bytes = 0;  // through berth-egress
    std::uint64_t received_bytes = 0;
};

// How long a run was in each state before its final one, over all its attempts.
struct StateTimes {
    std::chrono::microseconds queued{0};  // retries wait in it, too
    std::chrono::microseconds preparing{0};
    std::chrono::microseconds starting{0};
    std::chrono::microseconds running{0};
    std::optional<Time> since;  // its present state; nothing: not known
};

struct Run {
    RunId id;
    TenantId tenant_id;
    IntegrationId integration_id;
    ReleaseId release_id;
    RunMode mode = RunMode::normal;
    RunState state = RunState::queued;
    int attempt = 1;                            // the fence: every write of a run carries it
    std::string reason;                         // describe(outcome) once it has ended
    std::string std_out;                        // its last non-empty stdout line, masked
    std::string grants;                         // JSON array: each weakening of its sandbox
    bool warm = false;                          // it began in a parked sandbox
    std::vector<std::string> refused_syscalls;  // by name, the first different ones
    bool tree_empty = false;  // the kernel confirmed that no process of it was left
    Usage usage;              // of all its attempts; the peaks are the highest
    StateTimes times;
    std::optional<RunId> rerun_of;  // it repeats this one
    bool keeps_state = true;        // false: later runs are told nothing of it
    Time created{};
    std::optional<Time> started;
    std::optional<Time> completed;
};

struct RunEvent {
    RunId run_id;
    int attempt = 1;
    RunState state = RunState::queued;
    std::string note;
    Time time{};
};

// A connection that a run made through berth-egress, or was refused.
struct RunConnection {
    RunId run_id;
    int attempt = 1;
    Time time{};          // when it was opened
    std::string name;     // as asked for; empty: the script used an address
    std::string address;  // that was connected to, or refused; empty: there was none
    std::uint16_t port = 0;
    std::uint64_t sent_bytes = 0;  // by the script
    std::uint64_t received_bytes = 0;
    std::string refused;  // why; empty: it was allowed
};

enum class OutputStream { out, err, note };  // note: written by Berth, such as a truncation marker
std::string_view to_string(OutputStream stream);
std::optional<OutputStream> parse_output_stream(std::string_view word);

// A piece of what a run printed, in order within its run.
struct LogChunk {
    RunId run_id;
    std::uint64_t seq = 0;
    Time time{};
    OutputStream stream = OutputStream::err;
    std::string bytes;
    bool operator==(const LogChunk&) const = default;
};

// What `skip`, `limit` and `sort_by` of the contract ask for (section 11).
struct Page {
    std::int64_t skip = 0;
    std::int64_t limit = 100;  // 1..500
    std::string sort_field;    // empty: by id
    bool descending = false;
};

}  // namespace berth
