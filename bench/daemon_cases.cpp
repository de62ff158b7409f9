#include "bench/daemon_cases.h"

#include <fcntl.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "base/file.h"
#include "bench/daemons.h"
#include "bench/http_load.h"
#include "bench/schedule_world.h"
#include "store/triggers.h"

namespace berth::bench {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

double seconds_since(Steady::time_point begin) {
    return std::chrono::duration<double>{Steady::now() - begin}.count();
}

// The store's own code without anything around it: the next trigger when the last one is
// on disk.
class OneByOne {
public:
    OneByOne() {
        populate(folder_.path(), {.tenants = 1});
        store_ = must(Store::open(folder_.path(), loop_, clock_));
    }
    double per_second(int count) {
        const auto begin = Steady::now();
        for (int i = 0; i < count; ++i)
            write(*store_, loop_, [now = clock_.now()](Db& db) {
                Trigger trigger;
                trigger.id = TriggerId::make();
                trigger.tenant_id = TenantId{1};
                trigger.created = now;
                return accept_trigger(db, trigger);
            });
        return count / seconds_since(begin);
    }

private:
    TempDir folder_{"intake-bench"};
    SystemClock clock_;
    Loop loop_;
    std::unique_ptr<Store> store_;
};

double syncs_per_second(int count) {
    const TempDir folder{"sync-bench"};
    const Fd file{
        check(::open((folder.path() / "page").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600),
              "making a file")};
    const std::string page(4096, 'p');
    const auto begin = Steady::now();
    for (int i = 0; i < count; ++i) {
        check(::pwrite(file.get(), page.data(), page.size(), 0), "writing");
        check(::fdatasync(file.get()), "syncing");
    }
    return count / seconds_since(begin);
}

// What waits stays waiting: intake is measured, not runs.
void pause(Daemons& daemons, std::int64_t integration) {
    daemons.must("PATCH", fmt::format("/v2/integrations/{}", integration), R"({"paused":true})");
}

}  // namespace

Intake measure_intake(int clients, int rounds, int total) {
    OneByOne alone;
    Daemons daemons;
    daemons.start();
    const auto integration = daemons.install("bench", programs() / "first_line", "./program");
    pause(daemons, integration);
    std::vector<std::string> requests;
    for (int i = 0; i < clients; ++i)
        requests.push_back(post_request(
            fmt::format("/v2/tenants/{}/sync?mode=normal",
                        daemons.add_tenant(integration, fmt::format("tenant-{}", i)))));
    Intake intake;
    const int few = std::max(total / 20, 1);
    for (int i = 0; i < rounds; ++i) {
        intake.reference += syncs_per_second(few) / rounds;
        const Load many = send_load(daemons.socket(), requests, total);
        intake.store += alone.per_second(few) / rounds;
        const Load one = send_load(daemons.socket(), {requests.front()}, few);
        intake.many += many.per_second / rounds;
        intake.one += one.per_second / rounds;
        intake.many_waits.add(many.waits);
        intake.one_waits.add(one.waits);
    }
    return intake;
}

Start measure_start(std::int64_t tenants) {
    Daemons daemons{"max_runs = 1\n"};
    daemons.start();
    const auto integration = daemons.install("bench", programs() / "first_line", "./program");
    daemons.stop();
    populate(daemons.store_dir(), {.tenants = tenants,
                                   .scheduled = tenants,
                                   .waiting = tenants,
                                   .integration = IntegrationId{integration}});
    daemons.give_store();
    Start start;
    const auto begin = Steady::now();
    start.ready_ms = std::chrono::duration<double, std::milli>{daemons.start()}.count();
    for (;;) {
        const auto runs = json::parse(daemons.must("GET", "/v2/runs?limit=1&state=succeeded"));
        if (!runs.empty()) break;
        if (seconds_since(begin) > 60) throw std::runtime_error{"no run began"};
        std::this_thread::sleep_for(1ms);  // asks another process
    }
    start.first_run_ms = seconds_since(begin) * 1e3;
    start.resident_mib = daemons.resident_mib();
    return start;
}

}  // namespace berth::bench
