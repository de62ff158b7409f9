// What is counted and measured, as values, and its text for Prometheus. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace berth {

enum class MetricKind { counter, gauge };

struct Sample {
    std::vector<std::pair<std::string, std::string>> labels;
    double value = 0;
};

struct Metric {
    std::string name;  // `berth_runs_ended_total`
    MetricKind kind = MetricKind::gauge;
    std::string help;  // one sentence
    std::vector<Sample> samples;
};

// Text exposition format 0.0.4.
std::string exposition(const std::vector<Metric>& metrics);
inline constexpr const char* kExpositionType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace berth
