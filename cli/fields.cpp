#include "cli/fields.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "model/run_state.h"

namespace berth {

const Json& inner(const Json& object, std::string_view path) {
    static const Json nothing;
    const Json* at = &object;
    while (!path.empty()) {
        const auto dot = path.find('.');
        const std::string key{path.substr(0, dot)};
        path = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
        if (!at->is_object()) return nothing;
        const auto found = at->find(key);
        if (found == at->end()) return nothing;
        at = &*found;
    }
    return *at;
}

std::string field(const Json& object, std::string_view path) {
    const Json& value = inner(object, path);
    if (value.is_null()) return "";
    if (value.is_string()) return value.get<std::string>();
    return to_text(value);
}

bool flag(const Json& object, std::string_view path) {
    const Json& value = inner(object, path);
    return value.is_boolean() && value.get<bool>();
}

std::optional<std::int64_t> number(const Json& object, std::string_view path) {
    const Json& value = inner(object, path);
    if (!value.is_number_integer()) return {};
    return value.get<std::int64_t>();
}

std::string short_time(const std::string& rfc3339) {
    const auto time = parse_rfc3339(rfc3339);
    if (!time) return rfc3339;
    std::string text = to_rfc3339(*time).substr(0, sizeof "2026-11-22T03:04:05" - 1);
    text[sizeof "2026-11-22" - 1] = ' ';
    return text;
}

std::string duration(const std::string& from, const std::string& to) {
    const auto start = parse_rfc3339(from);
    const auto end = parse_rfc3339(to);
    if (!start || !end) return "";
    const auto ms = (to_micros(*end) - to_micros(*start)) / 1000;
    if (ms < 1000) return fmt::format("{} ms", ms);
    if (ms < 60'000) return fmt::format("{}.{} s", ms / 1000, ms % 1000 / 100);
    const auto s = ms / 1000;
    if (s < 3600) return fmt::format("{} min {} s", s / 60, s % 60);
    return fmt::format("{} h {} min", s / 3600, s % 3600 / 60);
}

std::string size_text(std::uint64_t bytes) {
    constexpr std::string_view kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
    if (bytes < 1024) return fmt::format("{} B", bytes);
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (value /= 1024; value >= 1024 && unit + 1 < std::size(kUnits); ++unit)
        value /= 1024;
    return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

Cell state_cell(const Json& run) {
    const std::string word = field(run, "state");
    const auto state = parse_run_state(word);
    if (!state) {
        // A tenant's last run is told in the contract's short form.
        const std::string phase = field(run, "phase");
        if (phase.empty()) return Cell{word.empty() ? field(run, "status.phase") : word};
        return Cell{phase, phase == "Succeeded"           ? Tone::good
                           : phase.starts_with("Failed ") ? Tone::bad
                                                          : Tone::plain};
    }
    if (!is_final(*state)) return Cell{word};
    return Cell{word, *state == RunState::succeeded ? Tone::good : Tone::bad};
}

bool is_over(const Json& run) {
    const auto state = parse_run_state(field(run, "state"));
    return state && is_final(*state);
}

bool has_succeeded(const Json& run) {
    return parse_run_state(field(run, "state")) == RunState::succeeded;
}

}  // namespace berth
