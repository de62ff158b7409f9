// What the daemons tell of themselves and of this host: readiness, doctor, metrics.
#include <utility>

#include "daemon/api_impl.h"
#include "daemon/doctor.h"
#include "daemon/metrics.h"
#include "store/connections.h"
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
    if (!hello->launcher_present)
        missing.push_back("berth-launcher: not connected; " +
                          launcher_cure(parts_.config.require_cgroup));
    if (parts_.store.full()) missing.push_back("the store's disk: it is full");
    return missing;
}

std::vector<DoctorCheck> ApiImpl::doctor() {
    const Config& config = parts_.config;
    const IdRange ids{config.first_uid, 16 + 2 * static_cast<std::uint32_t>(config.slots)};
    auto checks = check_daemons({parts_.runner.hello(), parts_.runner.pool(), config.require_cgroup,
                                 config.strict_sandbox, parts_.store.full(), parts_.store.damage(),
                                 ids, others_in_range(ids), open_files_limit()});
    for (const auto& check : checks_)
        checks.push_back(check());
    return checks;
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
    std::vector<Metric> others;
    for (const auto& measure : measures_)
        others.push_back(measure());
    parts_.store.read(
        [measured = std::move(measured), others = std::move(others)](Db& db) mutable {
            measured.live_runs = count_live_runs(db);
            measured.waiting_triggers = count_waiting_triggers(db);
            measured.connections = count_connections(db);
            auto metrics = make_metrics(measured);
            metrics.insert(metrics.end(), others.begin(), others.end());
            return metrics;
        },
        std::move(done));
}

}  // namespace berth
