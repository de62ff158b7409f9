// What the daemons tell of themselves and of this host: readiness, doctor, metrics.
#include <utility>

#include "daemon/api_impl.h"
#include "daemon/doctor.h"
#include "daemon/metrics.h"
#include "store/totals.h"

namespace berth {

std::vector<std::string> ApiImpl::waiting_for() {
    std::vector<std::string> missing;
    const auto& hello = parts_.runner.hello();
    if (!hello) return {"berth-runner: not connected"};
    if (hello->root_key_id.empty())
        missing.push_back("the root key: " + hello->why);
    else if (!parts_.runner.keys_loaded())
        missing.push_back("the stored keys");
    if (!hello->launcher_present) missing.push_back("berth-launcher: not connected");
    if (parts_.store.full()) missing.push_back("the store's disk: it is full");
    return missing;
}

std::vector<DoctorCheck> ApiImpl::doctor() {
    return check_daemons({parts_.runner.hello(), parts_.runner.pool(), parts_.config.require_cgroup,
                          parts_.config.strict_sandbox, parts_.store.full(),
                          parts_.store.damage()});
}

void ApiImpl::metrics(Done<std::vector<Metric>> done) {
    Measured measured;
    measured.started = started_;
    measured.ready = waiting_for().empty();
    measured.max_runs = parts_.config.max_runs;
    measured.runs = parts_.flow.counts();
    measured.store = parts_.store.counts();
    measured.disk_full = parts_.store.full();
    measured.damaged_pages = parts_.store.damage().size();
    measured.pool = parts_.runner.pool();
    measured.process = read_process_use();
    parts_.store.read(
        [measured = std::move(measured)](Db& db) mutable {
            measured.live_runs = count_live_runs(db);
            measured.waiting_triggers = count_waiting_triggers(db);
            return make_metrics(measured);
        },
        std::move(done));
}

}  // namespace berth
