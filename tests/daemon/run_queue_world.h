// A store with a queue before it, for tests of which triggers become runs, and when.
#pragma once

#include <functional>

#include "daemon/run_queue.h"
#include "store/integrations.h"
#include "store/runs.h"
#include "store/schedules.h"
#include "store/tenants.h"
#include "store/triggers.h"
#include "tests/store/support.h"

namespace berth::test {

struct QueueWorld {
    TempDir dir{"berth-queue"};
    Loop loop;
    FixedClock clock;
    std::unique_ptr<Store> store = must(make_store(dir.path() / "store", loop));
    RunQueue queue{*store, clock};

    template <typename Op>
    auto write(Op op) {
        return must(write_now(*store, loop, std::move(op)));
    }
    std::vector<Tenant> tenants(IntegrationId integration, int many) {
        return write([integration, many](Db& db) -> Result<std::vector<Tenant>> {
            std::vector<Tenant> made;
            for (int i = 0; i < many; ++i)
                made.push_back(add_tenant(db, integration, "quiet-" + std::to_string(i)));
            return made;
        });
    }
    TriggerId accept(TenantId tenant, TriggerSource source = TriggerSource::api,
                     RunMode mode = RunMode::normal, std::string body = "") {
        Trigger trigger = trigger_for(tenant);
        trigger.source = source;
        trigger.mode = mode;
        trigger.body = std::move(body);
        return write([trigger](Db& db) { return accept_trigger(db, trigger); }).id;
    }
    RunStore::Begun pass(int places) {
        Wait<RunStore::Begun> wait{loop};
        queue.begin_runs(places, wait.callback());
        return must(wait.get());
    }
    std::vector<Run> begin(int places) { return pass(places).runs; }
    // The run goes on for so long and succeeds.
    void finish(const Run& run, std::chrono::microseconds took) {
        write([run, took](Db& db) -> Result<Run> {
            must(move_run(db, run.id, run.attempt, RunState::starting, "", kNow));
            must(move_run(db, run.id, run.attempt, RunState::running, "", kNow));
            return move_run(db, run.id, run.attempt, RunState::succeeded, "", kNow + took);
        });
    }
    void cap(IntegrationId id, const std::function<void(IntegrationPolicy&)>& change) {
        write([id, change](Db& db) {
            IntegrationPolicy policy = get_policy(db, id);
            change(policy);
            return put_policy(db, kBy, id, policy);
        });
    }
};

}  // namespace berth::test
