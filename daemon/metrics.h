// What berthd tells of itself at /metrics: names, words and values in one place. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "control/metrics.h"
#include "daemon/job_flow.h"
#include "daemon/run_flow.h"
#include "daemon/tokens.h"
#include "model/run_state.h"
#include "model/values.h"
#include "sandbox/ipc/messages.h"
#include "store/store.h"

namespace berth {

// What this process uses of the host.
struct ProcessUse {
    double cpu_seconds = 0;
    double resident_bytes = 0;
    double database_bytes = 0;  // of these
    double open_descriptors = 0;
};
ProcessUse read_process_use();

struct Measured {
    Time started{};
    bool ready = false;
    int max_runs = 0;
    std::vector<std::pair<RunState, std::int64_t>> live_runs;  // by state
    std::int64_t waiting_triggers = 0;
    std::map<ConnectionStatus, std::int64_t> connections;
    RunFlow::Counts runs;
    Store::Counts store;
    bool disk_full = false;
    std::size_t damaged_pages = 0;
    std::optional<ipc::Pool> pool;  // nothing: the runner has not told yet
    ProcessUse process;
};

std::vector<Metric> make_metrics(const Measured& measured);

// Of those who count for themselves.
Metric job_metric(const JobFlow::Counts& ended);
Metric token_metric(const Tokens::Counts& renewals);
// By outcome, `unknown` with them; and of those that were checked, by what berth-runner said.
Metric delivery_metric(const std::map<std::string, std::uint64_t>& outcomes);
struct MacCounts {
    std::uint64_t right = 0;
    std::uint64_t wrong = 0;
    std::uint64_t unchecked = 0;  // there was no runner, or it could not use the secret
};
Metric mac_metric(const MacCounts& macs);

}  // namespace berth
