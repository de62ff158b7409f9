#include "daemon/metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "model/version.h"
#include "model/webhooks.h"
#include "store/memory.h"

namespace berth {
namespace {

constexpr std::array kLiveStates{RunState::queued, RunState::preparing, RunState::starting,
                                 RunState::running};
constexpr std::array kFinalStates{
    RunState::succeeded,      RunState::failed_integration, RunState::failed_refresh,
    RunState::failed_timeout, RunState::failed_metadata,    RunState::failed_platform,
    RunState::cancelled,
};

Sample labelled(std::string name, std::string_view value, auto count) {
    return {{{std::move(name), std::string{value}}}, static_cast<double>(count)};
}

double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// Every state is there, also with 0: a series that appears late cannot be added up.
Metric live_runs(const Measured& m) {
    Metric metric{"berth_runs", MetricKind::gauge, "Runs that have not ended, by state.", {}};
    for (const RunState state : kLiveStates) {
        const auto found =
            std::ranges::find(m.live_runs, state, &std::pair<RunState, std::int64_t>::first);
        metric.samples.push_back(
            labelled("state", to_string(state), found == m.live_runs.end() ? 0 : found->second));
    }
    return metric;
}

Metric connections(const Measured& m) {
    Metric metric{"berth_connections", MetricKind::gauge, "Connections, by status.", {}};
    using enum ConnectionStatus;
    for (const ConnectionStatus status : {connected, disconnected, pending, failed_refresh}) {
        const auto found = m.connections.find(status);
        metric.samples.push_back(labelled("status", to_string(status),
                                          found == m.connections.end() ? 0 : found->second));
    }
    return metric;
}

Metric ended_runs(const Measured& m) {
    Metric metric{
        "berth_runs_ended_total", MetricKind::counter, "Runs that have ended, by final state.", {}};
    for (const RunState state : kFinalStates) {
        const auto found = m.runs.ended.find(state);
        metric.samples.push_back(
            labelled("state", to_string(state), found == m.runs.ended.end() ? 0U : found->second));
    }
    return metric;
}

}  // namespace

Metric job_metric(const JobFlow::Counts& ended) {
    Metric metric{"berth_jobs_total",
                  MetricKind::counter,
                  "Token exchanges and connector calls that have ended, by purpose and state.",
                  {}};
    for (const char* purpose : {"authorize", "refresh", "revoke", "call"})
        for (const JobState state : {JobState::succeeded, JobState::failed, JobState::lost}) {
            const auto found = ended.find({purpose, state});
            metric.samples.push_back(
                {{{"purpose", purpose}, {"state", std::string{to_string(state)}}},
                 found == ended.end() ? 0.0 : static_cast<double>(found->second)});
        }
    return metric;
}

Metric token_metric(const Tokens::Counts& renewals) {
    return {"berth_token_renewals_total",
            MetricKind::counter,
            "Tokens that were to be renewed, by what came of it.",
            {labelled("outcome", "renewed", renewals.renewed),
             labelled("outcome", "refused", renewals.refused),
             labelled("outcome", "outage", renewals.outages),
             labelled("outcome", "ours", renewals.ours)}};
}

Metric delivery_metric(const std::map<std::string, std::uint64_t>& outcomes) {
    Metric metric{"berth_webhook_deliveries_total",
                  MetricKind::counter,
                  "Requests to webhook addresses, by outcome.",
                  {}};
    using enum HookOutcome;
    std::vector<std::string> words{"unknown"};
    for (const HookOutcome outcome :
         {accepted, duplicate, handshake, refused, limited, unavailable})
        words.emplace_back(to_string(outcome));
    for (const std::string& word : words) {
        const auto found = outcomes.find(word);
        metric.samples.push_back(
            labelled("outcome", word, found == outcomes.end() ? 0 : found->second));
    }
    return metric;
}

Metric mac_metric(const MacCounts& macs) {
    return {"berth_webhook_macs_total",
            MetricKind::counter,
            "Signatures of deliveries, by what berth-runner said of them.",
            {labelled("verdict", "right", macs.right), labelled("verdict", "wrong", macs.wrong),
             labelled("verdict", "unchecked", macs.unchecked)}};
}

ProcessUse read_process_use() {
    ProcessUse use;
    rusage usage{};
    if (::getrusage(RUSAGE_SELF, &usage) == 0)
        use.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    std::uint64_t size = 0;
    std::uint64_t resident = 0;
    if (std::ifstream statm{"/proc/self/statm"}; statm >> size >> resident)
        use.resident_bytes =
            static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE));
    use.database_bytes = static_cast<double>(database_memory());
    std::error_code ignored;
    for (std::filesystem::directory_iterator it{"/proc/self/fd", ignored}, end; it != end;
         it.increment(ignored))
        ++use.open_descriptors;
    return use;
}

std::vector<Metric> make_metrics(const Measured& m) {
    std::vector<Metric> all;
    const auto add = [&](const char* name, MetricKind kind, const char* help, auto value) {
        all.push_back({name, kind, help, {{{}, static_cast<double>(value)}}});
    };
    using enum MetricKind;
    all.push_back(
        {"berth_info", gauge, "The version of this berthd.", {labelled("version", kVersion, 1)}});
    add("berth_start_time_seconds", gauge, "When this berthd began, in seconds since 1970.",
        static_cast<double>(to_micros(m.started)) / 1e6);
    add("berth_ready", gauge, "1 when runs can start.", m.ready ? 1 : 0);

    all.push_back(live_runs(m));
    add("berth_runs_max", gauge, "Runs that may be live at once (max_runs).", m.max_runs);
    all.push_back({"berth_runs_started_total",
                   counter,
                   "Runs whose script was executed, by the sandbox they found.",
                   {labelled("sandbox", "warm", m.runs.started_warm),
                    labelled("sandbox", "cold", m.runs.started_cold)}});
    all.push_back(ended_runs(m));
    add("berth_triggers_waiting", gauge, "Accepted triggers that have no run yet.",
        m.waiting_triggers);
    all.push_back(connections(m));
    add("berth_run_output_bytes_total", counter, "Bytes that runs have printed.",
        m.runs.output_bytes);
    all.push_back({"berth_run_connections_total",
                   counter,
                   "Connections of runs through berth-egress, by verdict.",
                   {labelled("verdict", "allowed", m.runs.connections),
                    labelled("verdict", "refused", m.runs.refused_connections)}});

    const ipc::Pool pool = m.pool.value_or(ipc::Pool{});
    add("berth_pool_size", gauge, "Sandboxes to be kept ready, of each class.", pool.size);
    add("berth_pool_parked", gauge, "Sandboxes that are ready now.", pool.parked);
    add("berth_pool_hits_total", counter, "Runs that found a sandbox ready.", pool.hits);
    add("berth_pool_complete", gauge,
        "Sandboxes that are complete: with release and limits, for a run like an earlier one.",
        pool.complete);
    add("berth_pool_complete_hits_total", counter,
        "Of the hits, runs that found a complete one: the launcher had no part in their start.",
        pool.complete_hits);
    add("berth_pool_misses_total", counter, "Runs that had to wait for one to be built.",
        pool.misses);
    add("berth_pool_built_total", counter, "Sandboxes built ahead of runs.", pool.built);
    add("berth_pool_build_seconds_total", counter, "Time that building them took.",
        static_cast<double>(pool.build_total_us) / 1e6);

    add("berth_store_operations_total", counter, "Writes that were committed.", m.store.operations);
    add("berth_store_commits_total", counter, "Commits that they took.", m.store.commits);
    add("berth_store_checkpoints_total", counter, "Times the write-ahead log was copied back.",
        m.store.checkpoints);
    add("berth_store_memory_bytes", gauge,
        "Memory of the databases: pages that are kept, of each open file at most 2 MB.",
        m.process.database_bytes);

    add("berth_store_full", gauge, "1 while the store's disk is full and nothing new is accepted.",
        m.disk_full ? 1 : 0);
    add("berth_store_damaged_pages", gauge,
        "Pages found damaged since this berthd began; it counts to 20.", m.damaged_pages);

    add("process_cpu_seconds_total", counter, "Processor time of this berthd.",
        m.process.cpu_seconds);
    add("process_resident_memory_bytes", gauge, "Memory of this berthd.", m.process.resident_bytes);
    add("process_open_fds", gauge, "Open descriptors of this berthd.", m.process.open_descriptors);
    return all;
}

}  // namespace berth
