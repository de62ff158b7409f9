// Connector calls: found, judged, given fresh tokens, made by a job, answered. So many at
// once and in a minute for each tenant; so many at once for each connector, whose partner may
// hang; what is more is refused at once.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "connectors/kind.h"
#include "control/calls_api.h"
#include "daemon/jobs.h"
#include "store/connection_secrets.h"
#include "store/store.h"

namespace berth {

using KindLookup = std::function<const ConnectorKind*(std::string_view)>;

// How often a tenant may: kCallsPerMinute of them at once, and then as they come back.
class CallBudget {
public:
    explicit CallBudget(const Clock& clock) : clock_{clock} {}
    // over_limit when the tenant has had its share; busy when the connector has, or all have.
    // Every begin() that worked has one end().
    Result<void> begin(TenantId tenant, const std::string& connector);
    void end(TenantId tenant, const std::string& connector);
    std::size_t tenants() const { return spent_.size(); }
    std::size_t connectors() const { return of_connector_.size(); }

    // Under way or waiting: of a tenant, of a connector for all tenants, of all. The last one of
    // a connector waits for two rounds of jobs (JobSlots::kOfPartner) that hang, and renewals
    // have the rest of limits::kWaitingJobs.
    static constexpr int kAtOnce = 4;
    static constexpr int kOfConnector = 12;
    static constexpr int kInAll = 48;

private:
    struct Spent {
        int running = 0;
        double left = 0;
        SteadyTime at{};
    };
    void forget_rested();

    const Clock& clock_;
    std::map<TenantId, Spent> spent_;
    std::map<std::string, int, std::less<>> of_connector_;
    int in_all_ = 0;
};

// Thread: loop.
class Calls final : public CallsApi {
public:
    struct Parts {
        Loop& loop;
        const Clock& clock;
        Store& store;
        Jobs& jobs;
        KindLookup kinds;
        // Tokens that are good until then; also of connections that have none.
        std::function<void(ConnectionId, Time, Done<void>)> ensure_fresh;
        std::vector<std::string> egress_allow;
    };
    explicit Calls(Parts parts);
    ~Calls() override { *alive_ = false; }

    void call(Caller who, TenantId tenant, std::string connector, CallInput input,
              Done<CallOutput> done) override;

private:
    struct Going;
    using GoingPtr = std::shared_ptr<Going>;
    void found(const GoingPtr& going, Result<Connection> connection);
    void fresh(const GoingPtr& going);
    void material(const GoingPtr& going, Result<ConnectionMaterial> material);
    void answered(const GoingPtr& going, Result<JobAnswer> answer);
    void over(const GoingPtr& going, Result<CallOutput> output);

    Parts parts_;
    const std::vector<std::string> named_;
    CallBudget budget_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// The records of jobs.
class JobRecords final : public JobsApi {
public:
    explicit JobRecords(Store& store) : store_{store} {}
    void list_jobs(JobFilter filter, Page page, Done<std::vector<JobView>> done) override;
    void get_job(JobId id, Done<JobView> done) override;

private:
    Store& store_;
};

}  // namespace berth
