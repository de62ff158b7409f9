// What /metrics says: the exposition format to the letter, and which series there are.
#include "daemon/metrics.h"

#include <catch2/catch.hpp>
#include <set>

using namespace berth;
using Catch::Matchers::Contains;

TEST_CASE("metrics are written in the exposition format, with what breaks a line escaped",
          "[daemon]") {
    const std::vector<Metric> metrics{
        {"a_total",
         MetricKind::counter,
         "Back\\slash and\nline.",
         {{{{"name", "quote \" back \\ line \n end"}, {"other", "x"}}, 3}}},
        {"b", MetricKind::gauge, "Numbers.", {{{}, 0.25}, {{{"n", "1"}}, 9007199254740992.0}}},
        {"c", MetricKind::gauge, "Empty.", {}},
    };
    CHECK(exposition(metrics) ==
          "# HELP a_total Back\\\\slash and\\nline.\n"
          "# TYPE a_total counter\n"
          "a_total{name=\"quote \\\" back \\\\ line \\n end\",other=\"x\"} 3\n"
          "# HELP b Numbers.\n"
          "# TYPE b gauge\n"
          "b 0.25\n"
          "b{n=\"1\"} 9007199254740992\n"
          "# HELP c Empty.\n"
          "# TYPE c gauge\n");
}

TEST_CASE("every state of a run has its series, also with nothing in it", "[daemon]") {
    Measured measured;
    measured.live_runs = {{RunState::running, 2}};
    measured.runs.ended[RunState::cancelled] = 5;
    const std::string text = exposition(make_metrics(measured));
    CHECK_THAT(text, Contains("berth_runs{state=\"running\"} 2\n"));
    CHECK_THAT(text, Contains("berth_runs{state=\"queued\"} 0\n"));
    CHECK_THAT(text, Contains("berth_runs_ended_total{state=\"cancelled\"} 5\n"));
    CHECK_THAT(text, Contains("berth_runs_ended_total{state=\"failed_refresh\"} 0\n"));
    CHECK_THAT(text, Contains("berth_pool_size 0\n"));  // the runner has not told yet
}

TEST_CASE("what the pool tells is in seconds and counts", "[daemon]") {
    Measured measured;
    measured.pool = ipc::Pool{8, 13, 90, 10, 200, 300'000, 4, 70};
    const std::string text = exposition(make_metrics(measured));
    CHECK_THAT(text, Contains("\nberth_pool_size 8\n") && Contains("\nberth_pool_parked 13\n"));
    CHECK_THAT(text, Contains("\nberth_pool_complete 4\n") &&
                         Contains("\nberth_pool_complete_hits_total 70\n"));
    CHECK_THAT(text, Contains("\nberth_pool_hits_total 90\n") &&
                         Contains("\nberth_pool_misses_total 10\n"));
    CHECK_THAT(text, Contains("\nberth_pool_build_seconds_total 0.3\n"));
}

TEST_CASE("names of metrics follow the custom: unique, counters end in _total", "[daemon]") {
    std::set<std::string> names;
    auto all = make_metrics({});
    for (const Metric& metric :
         {job_metric({}), token_metric({}), delivery_metric({}), mac_metric({})})
        all.push_back(metric);
    for (const Metric& metric : all) {
        INFO(metric.name);
        CHECK(names.insert(metric.name).second);
        CHECK(metric.name.ends_with("_total") == (metric.kind == MetricKind::counter));
        CHECK(metric.help.ends_with('.'));
        CHECK_FALSE(metric.samples.empty());
    }
}

TEST_CASE("jobs, renewals, deliveries and MACs are counted by outcome, also those of none",
          "[daemon]") {
    const std::string jobs = exposition({job_metric({{{"refresh", JobState::failed}, 3}})});
    CHECK_THAT(jobs, Contains("berth_jobs_total{purpose=\"refresh\",state=\"failed\"} 3\n"));
    for (const char* purpose : {"authorize", "refresh", "revoke", "call"})
        CHECK_THAT(jobs, Contains(fmt::format("{{purpose=\"{}\",state=\"lost\"}} 0\n", purpose)));
    const std::string tokens =
        exposition({token_metric({.renewed = 5, .refused = 1, .outages = 2, .ours = 0})});
    CHECK_THAT(tokens, Contains("_total{outcome=\"renewed\"} 5\n") &&
                           Contains("_total{outcome=\"outage\"} 2\n") &&
                           Contains("_total{outcome=\"ours\"} 0\n"));
    const std::string hooks = exposition(
        {delivery_metric({{"accepted", 7}}), mac_metric({.right = 7, .wrong = 2, .unchecked = 1})});
    for (const char* outcome :
         {"duplicate", "handshake", "refused", "limited", "unavailable", "unknown"})
        CHECK_THAT(hooks, Contains(fmt::format("_total{{outcome=\"{}\"}} 0\n", outcome)));
    CHECK_THAT(hooks, Contains("_total{outcome=\"accepted\"} 7\n") &&
                          Contains("berth_webhook_macs_total{verdict=\"wrong\"} 2\n"));
}

TEST_CASE("a process finds what it uses itself", "[daemon]") {
    const ProcessUse use = read_process_use();
    CHECK(use.resident_bytes > 1e6);
    CHECK(use.open_descriptors >= 3);
    CHECK(use.database_bytes < use.resident_bytes);
    CHECK(use.cpu_seconds > 0);
}
