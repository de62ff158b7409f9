// The operations behind the routes, as an interface: control/routes_*.cpp parse
// requests and call it, daemon/api implements it over store, scheduler and runner.
// Every operation answers exactly once, on the loop, never before it has returned.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/callback.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/secret.h"
#include "control/metrics.h"
#include "model/audit.h"
#include "model/forms.h"
#include "model/rerun.h"
#include "model/schedule_forms.h"
#include "model/values.h"

namespace berth {

template <typename T>
using Done = Callback<void(Result<T>)>;

// Who asks, for the audit.
struct Caller {
    std::string name;  // `uid 1000`
};

struct IntegrationInput {  // for POST all that is absent has its default
    std::optional<std::string> name;
    std::optional<std::string> long_name;
    std::optional<std::vector<IntegrationConnector>> connectors;
    std::optional<NetworkMode> network;
    std::optional<std::vector<std::string>> egress_names;  // as parse_egress_name gives them
    std::optional<OnLost> on_lost;
    std::optional<std::chrono::seconds> wall_time;
    std::optional<std::uint64_t> memory_bytes;
    std::optional<Channel> default_release_channel;
    std::optional<ReleaseId> default_release_id;
    std::optional<bool> paused;
    std::optional<bool> archived;
};

struct TenantInput {
    std::optional<std::string> name;
    std::optional<std::string> user_name;
    std::optional<IntegrationId> integration_id;
    std::optional<ReleaseId> release_id;
    std::optional<Channel> release_channel;
    std::optional<std::string> configs;  // a JSON object's text
    std::optional<std::string> user_schedule;
    std::optional<bool> paused;
    std::optional<bool> archived;
};

struct TenantQuery {
    std::optional<IntegrationId> integration_id;
    std::optional<std::string> user_name;
    bool archived = false;
};

struct RunQuery {
    std::optional<TenantId> tenant_id;
    std::optional<IntegrationId> integration_id;
    std::optional<RunState> state;
};

struct ReleaseUpload {
    std::string name;
    std::string tag;
    bool make_default = false;
    Fd tar;  // a file, read from its start
};

struct SyncInput {
    RunMode mode = RunMode::normal;
    TriggerSource source = TriggerSource::api;
    std::string payload = "{}";  // a JSON object's text
    std::string body;            // as it came
    std::string idempotency_key;
};

struct TriggerStatus {
    RunId run_id;
    RunState state = RunState::queued;
};

// Absent members keep what there is.
struct ScheduleInput {
    std::optional<std::string> text;  // empty: none
    std::optional<std::string> zone;
    std::optional<GapRule> gap;
    std::optional<OverlapRule> overlap;
    std::optional<std::chrono::seconds> jitter;
    std::optional<MissedPolicy> missed;
    std::optional<std::chrono::seconds> window;
    std::optional<WhenBusy> when_busy;
    bool follow_integration = false;  // nothing of its own
};

struct PolicyInput {
    ScheduleInput schedule;
    std::optional<std::vector<std::string>> allowed;
    std::optional<std::chrono::seconds> shortest;
    std::optional<std::int64_t> most_running, most_waiting, starts_per_minute;
    std::optional<std::int64_t> tenant_starts_per_minute, retries;
    std::optional<std::chrono::seconds> retry_first, retry_longest;
};

struct ScheduleQuery {
    std::optional<IntegrationId> integration_id;
    ScheduleId after;
    std::int64_t limit = 100;
};

// Bytes for a client, as they come; letting go of it ends them. Thread: loop.
class ByteSource {
public:
    virtual ~ByteSource() = default;
    virtual std::uint64_t bytes() const = 0;  // that there will be
    // `take` gets what comes; an empty view is the end. It may let go of the source.
    virtual void read(std::function<void(std::string_view)> take) = 0;
    virtual void pause() = 0;
    virtual void resume() = 0;
};

struct DoctorCheck {
    std::string name;
    bool ok = false;
    bool needed = false;  // without it no run starts
    std::string detail;
    std::string cure;  // what to do when it is not ok
};

// The other end of a followed log. Thread: loop.
class LogFollower {
public:
    virtual ~LogFollower() = default;
    virtual void chunk(const LogChunk& chunk) = 0;
    virtual void end(const RunView& run) = 0;     // nothing follows
    virtual void broken(const Failure& why) = 0;  // what follows cannot be read
    // Of what is stored, no more is given than it has room for; `tell` is called when
    // there is room again.
    virtual bool has_room() = 0;
    virtual void on_room(std::function<void()> tell) = 0;
};
// Held by whoever follows; letting go of it ends the following.
using FollowHandle = std::shared_ptr<void>;

class Api {
public:
    virtual ~Api() = default;

    virtual void list_integrations(Page page, bool archived, Done<std::vector<Integration>>) = 0;
    virtual void get_integration(IntegrationId id, Done<Integration>) = 0;
    virtual void create_integration(Caller who, IntegrationInput input, Done<Integration>) = 0;
    virtual void change_integration(Caller who, IntegrationId id, IntegrationInput input,
                                    Done<Integration>) = 0;

    virtual void list_releases(IntegrationId id, Done<std::vector<Release>>) = 0;
    virtual void get_release(IntegrationId id, ReleaseId release, Done<Release>) = 0;
    virtual void default_release(IntegrationId id, Done<Release>) = 0;
    virtual void latest_release(IntegrationId id, Done<Release>) = 0;
    virtual void create_release(Caller who, IntegrationId id, ReleaseUpload upload,
                                Done<Release>) = 0;

    virtual void list_tenants(TenantQuery query, Page page, Done<std::vector<TenantView>>) = 0;
    virtual void get_tenant(TenantId id, Done<TenantView>) = 0;
    virtual void create_tenant(Caller who, TenantInput input, Done<TenantView>) = 0;
    virtual void change_tenant(Caller who, TenantId id, TenantInput input, Done<TenantView>) = 0;
    virtual void get_metadata(TenantId id, Done<std::string>) = 0;  // the API object's JSON text
    virtual void patch_metadata(Caller who, TenantId id, std::string patch, Done<std::string>) = 0;

    virtual void sync(Caller who, TenantId id, SyncInput input, Done<TriggerId>) = 0;
    virtual void sync_user(Caller who, IntegrationId id, std::string user_name, SyncInput input,
                           Done<TriggerId>) = 0;
    // Asks for a run of the past once more; `wish.triggers_of` is not looked at.
    virtual void rerun(Caller who, Rerun wish, std::string idempotency_key, Done<TriggerId>) = 0;
    virtual void trigger_status(TriggerId id, Done<TriggerStatus>) = 0;

    virtual void get_schedule(TenantId id, Done<TenantSchedule>) = 0;
    virtual void set_schedule(Caller who, TenantId id, ScheduleInput input,
                              Done<TenantSchedule>) = 0;
    virtual void list_schedules(ScheduleQuery query, Done<std::vector<TenantSchedule>>) = 0;
    // Newest first, before `before`.
    virtual void schedule_history(TenantId id, std::optional<Time> before, std::int64_t limit,
                                  Done<std::vector<SlotView>>) = 0;
    virtual void schedule_preview(TenantId id, std::int64_t count,
                                  Done<std::vector<ComingInstant>>) = 0;
    virtual void get_policy(IntegrationId id, Done<IntegrationPolicy>) = 0;
    virtual void set_policy(Caller who, IntegrationId id, PolicyInput input,
                            Done<IntegrationPolicy>) = 0;

    virtual void list_runs(RunQuery query, Page page, Done<std::vector<RunView>>) = 0;
    virtual void get_run(RunId id, Done<RunView>) = 0;
    virtual void run_connections(RunId id, Page page, Done<std::vector<RunConnection>>) = 0;
    virtual void run_events(RunId id, Done<std::vector<RunEvent>>) = 0;
    virtual void cancel_run(Caller who, RunId id, Done<RunView>) = 0;
    // All chunks after `after` that are kept now, in order; `more` is called with each
    // page and then `done`.
    virtual void read_log(RunId id, std::uint64_t after,
                          std::function<void(std::vector<LogChunk>)> more, Done<void>) = 0;
    // Those, and then what comes, until the run has ended.
    virtual void follow_log(RunId id, std::uint64_t after, std::shared_ptr<LogFollower> follower,
                            Done<FollowHandle>) = 0;

    // The newest first, below `before` when that is not 0.
    virtual void list_audit(std::int64_t before, std::int64_t limit,
                            Done<std::vector<AuditRow>>) = 0;
    // The whole chain, and that it still has `published`.
    virtual void verify_audit(std::optional<AuditHead> published, Done<AuditVerdict>) = 0;
    // A tar of all that is kept but the root key.
    virtual void back_up(Caller who, Done<std::unique_ptr<ByteSource>>) = 0;

    virtual std::vector<std::string> waiting_for() = 0;  // empty: ready
    virtual std::vector<DoctorCheck> doctor() = 0;
    virtual void metrics(Done<std::vector<Metric>>) = 0;
    virtual Time started() = 0;
    // Signs a log link, and checks one: HMAC-SHA256 with a key of this process.
    virtual std::string sign(const std::string& text) = 0;
    virtual Time now() = 0;
};

}  // namespace berth
