#include "control/metrics.h"

#include <fmt/format.h>

#include <cmath>
#include <string_view>

namespace berth {
namespace {

enum class Place { help, label };

std::string escaped(std::string_view text, Place place) {
    std::string out;
    for (const char c : text) {
        if (c == '\\')
            out += "\\\\";
        else if (c == '\n')
            out += "\\n";
        else if (c == '"' && place == Place::label)
            out += "\\\"";
        else
            out += c;
    }
    return out;
}

// Counts as they are, without an exponent as long as a double holds them exactly.
std::string number(double value) {
    constexpr double kExact = 9007199254740992.0;  // 2^53
    if (std::floor(value) == value && std::fabs(value) <= kExact)
        return fmt::format("{:.0f}", value);
    return fmt::format("{}", value);
}

}  // namespace

std::string exposition(const std::vector<Metric>& metrics) {
    std::string text;
    for (const Metric& metric : metrics) {
        text += fmt::format("# HELP {} {}\n# TYPE {} {}\n", metric.name,
                            escaped(metric.help, Place::help), metric.name,
                            metric.kind == MetricKind::counter ? "counter" : "gauge");
        for (const Sample& sample : metric.samples) {
            std::string labels;
            for (const auto& [name, value] : sample.labels)
                labels += fmt::format("{}{}=\"{}\"", labels.empty() ? "" : ",", name,
                                      escaped(value, Place::label));
            if (!labels.empty()) labels = "{" + labels + "}";
            text += fmt::format("{}{} {}\n", metric.name, labels, number(sample.value));
        }
    }
    return text;
}

}  // namespace berth
