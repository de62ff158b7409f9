#include "bench/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

namespace berth::bench {
namespace {

void print(std::string_view name, double value, std::string_view unit) {
    const int digits = value >= 1000 ? 0 : value >= 10 ? 1 : 3;
    fmt::print("{:<62} {:>12.{}f} {}\n", name, value, digits, unit);
    std::fflush(stdout);
}

}  // namespace

void Figures::title(std::string_view text) const { fmt::print("\n{}\n", text); }

void Figures::add(std::string_view name, double value, std::string_view unit) {
    print(name, value, unit);
    figures_.push_back({std::string{name}, value, std::string{unit}});
}

void Figures::add(std::string_view name, const Samples& samples) {
    fmt::print("{:<62} {:>12.0f} {:>9.0f} {:>9.0f} µs, p50 p90 p99 of {}\n", name,
               samples.percentile(0.5), samples.percentile(0.9), samples.percentile(0.99),
               samples.size());
    std::fflush(stdout);
    for (const int percent : {50, 90, 99})
        figures_.push_back(
            {fmt::format("{}, p{}", name, percent), samples.percentile(percent / 100.0), "µs"});
    figures_.push_back({fmt::format("{}, n", name), static_cast<double>(samples.size()), ""});
}

void Figures::goal(std::string_view text, Wanted wanted, double limit, double measured) {
    if (measured > 0) goals_.push_back({std::string{text}, wanted, limit, measured});
}

double Figures::value(std::string_view name) const {
    const auto found = std::ranges::find(figures_, name, &Figure::name);
    return found == figures_.end() ? 0 : found->value;
}

bool Figures::print_goals() const {
    if (!goals_.empty()) fmt::print("\n{:<62} {:>12} {:>9}\n", "goals", "goal", "measured");
    for (const Goal& goal : goals_)
        fmt::print("{:<62} {:>3} {:>8.2f} {:>9.2f}  {}\n", goal.text,
                   goal.wanted == Wanted::at_most ? "<=" : ">=", goal.limit, goal.measured,
                   goal.met() ? "met" : "MISSED");
    return std::ranges::all_of(goals_, &Goal::met);
}

void Figures::write(const std::string& path) const {
    if (path.empty()) return;
    nlohmann::json json{{"bench", bench_}};
    for (const Figure& figure : figures_)
        json["figures"][figure.name] = {{"value", figure.value}, {"unit", figure.unit}};
    for (const Goal& goal : goals_)
        json["goals"].push_back(
            {{"goal", goal.text},
             {"wanted", goal.wanted == Wanted::at_most ? "at most" : "at least"},
             {"limit", goal.limit},
             {"measured", goal.measured},
             {"met", goal.met()}});
    std::ofstream{path} << json.dump(2) << '\n';
}

}  // namespace berth::bench
