// The API over store, runner and run flow. One class, its operations in files by
// subject: api_integrations, api_tenants, api_runs, api_host.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/loop/worker.h"
#include "control/api.h"
#include "daemon/config.h"
#include "daemon/keys.h"
#include "daemon/log_hub.h"
#include "daemon/run_flow.h"
#include "daemon/schedule_book.h"
#include "scheduler/engine.h"
#include "scheduler/schedules.h"
#include "store/audit.h"
#include "store/store.h"

namespace berth {

class Backups;

// Thread: loop.
class ApiImpl final : public Api {
public:
    struct Parts {
        Loop& loop;
        const Clock& clock;
        const Config& config;
        Store& store;
        LogHub& hub;
        Keys& keys;
        RunFlow& flow;
        RunnerLink& runner;
        Engine& engine;
        ScheduleEngine& schedules;
        ScheduleBook& book;
        Worker& work;
        Backups& backups;
    };
    explicit ApiImpl(Parts parts);

    void list_integrations(Page page, bool archived, Done<std::vector<Integration>>) override;
    void get_integration(IntegrationId id, Done<Integration>) override;
    void create_integration(Caller who, IntegrationInput input, Done<Integration>) override;
    void change_integration(Caller who, IntegrationId id, IntegrationInput input,
                            Done<Integration>) override;

    void list_releases(IntegrationId id, Done<std::vector<Release>>) override;
    void get_release(IntegrationId id, ReleaseId release, Done<Release>) override;
    void default_release(IntegrationId id, Done<Release>) override;
    void latest_release(IntegrationId id, Done<Release>) override;
    void create_release(Caller who, IntegrationId id, ReleaseUpload upload, Done<Release>) override;

    void list_tenants(TenantQuery query, Page page, Done<std::vector<TenantView>>) override;
    void get_tenant(TenantId id, Done<TenantView>) override;
    void create_tenant(Caller who, TenantInput input, Done<TenantView>) override;
    void change_tenant(Caller who, TenantId id, TenantInput input, Done<TenantView>) override;
    void get_metadata(TenantId id, Done<std::string>) override;
    void patch_metadata(Caller who, TenantId id, std::string patch, Done<std::string>) override;

    void sync(Caller who, TenantId id, SyncInput input, Done<TriggerId>) override;
    void sync_user(Caller who, IntegrationId id, std::string user_name, SyncInput input,
                   Done<TriggerId>) override;
    void rerun(Caller who, Rerun wish, std::string idempotency_key, Done<TriggerId>) override;
    void trigger_status(TriggerId id, Done<TriggerStatus>) override;

    void get_schedule(TenantId id, Done<TenantSchedule>) override;
    void set_schedule(Caller who, TenantId id, ScheduleInput input, Done<TenantSchedule>) override;
    void list_schedules(ScheduleQuery query, Done<std::vector<TenantSchedule>>) override;
    void schedule_history(TenantId id, std::optional<Time> before, std::int64_t limit,
                          Done<std::vector<SlotView>>) override;
    void schedule_preview(TenantId id, std::int64_t count,
                          Done<std::vector<ComingInstant>>) override;
    void get_policy(IntegrationId id, Done<IntegrationPolicy>) override;
    void set_policy(Caller who, IntegrationId id, PolicyInput input,
                    Done<IntegrationPolicy>) override;

    void list_runs(RunQuery query, Page page, Done<std::vector<RunView>>) override;
    void get_run(RunId id, Done<RunView>) override;
    void run_connections(RunId id, Page page, Done<std::vector<RunConnection>>) override;
    void run_events(RunId id, Done<std::vector<RunEvent>>) override;
    void cancel_run(Caller who, RunId id, Done<RunView>) override;
    void read_log(RunId id, std::uint64_t after, std::function<void(std::vector<LogChunk>)> more,
                  Done<void>) override;
    void follow_log(RunId id, std::uint64_t after, std::shared_ptr<LogFollower> follower,
                    Done<FollowHandle>) override;

    void list_audit(std::int64_t before, std::int64_t limit, Done<std::vector<AuditRow>>) override;
    void verify_audit(std::optional<AuditHead> published, Done<AuditVerdict>) override;
    void back_up(Caller who, Done<std::unique_ptr<ByteSource>>) override;

    std::vector<std::string> waiting_for() override;
    std::vector<DoctorCheck> doctor() override;
    void metrics(Done<std::vector<Metric>>) override;
    Time started() override { return started_; }
    std::string sign(const std::string& text) override;
    Time now() override { return parts_.clock.now(); }

    // What another part counts; asked at each metrics().
    void add_metric(std::function<Metric()> measure) { measures_.push_back(std::move(measure)); }
    // What another part finds; asked at each doctor().
    void add_check(std::function<DoctorCheck()> check) { checks_.push_back(std::move(check)); }

private:
    By by(const Caller& who) const { return {who.name, parts_.clock.now()}; }
    // Accepts the trigger of a tenant that `find` names, in one transaction.
    void accept(std::function<Result<Tenant>(Db&)> find, SyncInput input, Done<TriggerId> done);

    Parts parts_;
    std::vector<std::function<Metric()>> measures_;
    std::vector<std::function<DoctorCheck()>> checks_;
    const Time started_;
    const std::string link_key_;  // signs log links; they die with this process
};

}  // namespace berth
