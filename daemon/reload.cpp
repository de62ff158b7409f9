#include "daemon/reload.h"

#include <algorithm>

#include "base/text.h"

namespace berth {
namespace {

bool same(const RetentionPolicy& a, const RetentionPolicy& b) {
    return a.runs == b.runs && a.runs_of_tenant == b.runs_of_tenant &&
           a.log_bytes_of_tenant == b.log_bytes_of_tenant && a.slots == b.slots;
}

struct Setting {
    const char* name;
    const char* restart;
    bool (*same)(const Config&, const Config&);
};

template <auto Member>
constexpr Setting setting(const char* name, const char* restart) {
    return {name, restart, [](const Config& a, const Config& b) { return a.*Member == b.*Member; }};
}

constexpr const char* kAll = "berthd berth-runner berth-launcher berth-egress";

// Where a daemon is told at its start, it is that daemon's restart; live runs survive it.
constexpr Setting kSettings[] = {
    setting<&Config::state_dir>("state_dir", kAll),
    setting<&Config::run_dir>("run_dir", kAll),
    setting<&Config::root_key>("root_key", "berth-runner"),
    setting<&Config::root_key_command>("root_key_command", "berth-runner"),
    setting<&Config::previous_root_keys>("previous_root_keys", "berth-runner"),
    setting<&Config::releases_dir>("releases_dir", "berthd berth-launcher"),
    setting<&Config::max_runs>("max_runs", "berthd"),
    setting<&Config::max_starts_per_minute>("max_starts_per_minute", "berthd"),
    {"max_waiting, max_tenant_waiting", "berthd",
     [](const Config& a, const Config& b) { return a.waiting == b.waiting; }},
    setting<&Config::allow_seconds>("allow_seconds", "berthd"),
    setting<&Config::first_uid>("first_uid", "berth-launcher"),
    setting<&Config::slots>("slots", "berth-launcher"),
    setting<&Config::daemon_uid>("daemon_uid", kAll),
    setting<&Config::runner_uid>("runner_uid", kAll),
    setting<&Config::cgroups>("cgroups", "berth-launcher"),
    setting<&Config::require_cgroup>("require_cgroup", "berthd berth-launcher"),
    setting<&Config::cpu_percent>("cpu_percent", "berth-launcher"),
    setting<&Config::io_mib_per_second>("io_mib_per_second", "berth-launcher"),
    setting<&Config::strict_sandbox>("sandbox_profile", "berthd berth-launcher"),
    setting<&Config::pool_size>("pool_size", "berth-launcher"),
    setting<&Config::egress_allow>("egress_allow", "berth-egress"),
    setting<&Config::egress_ports>("egress_ports", "berth-launcher"),
    setting<&Config::grants>("grant.*", "berthd berth-launcher"),
    setting<&Config::env_name>("env_name", "berthd"),
    setting<&Config::allow_near_runtime>("allow_near_runtime", "berthd"),
    setting<&Config::stop_grace>("stop_grace_seconds", ""),
    {"retention_days, schedule_history_days, tenant_runs, tenant_log_mib", "",
     [](const Config& a, const Config& b) { return same(a.retention, b.retention); }},
    setting<&Config::connector_kinds>("connector_kinds", ""),
    setting<&Config::log_level>("log_level", ""),
};

}  // namespace

std::vector<ChangedSetting> changed_settings(const Config& before, const Config& now) {
    std::vector<ChangedSetting> changed;
    for (const Setting& one : kSettings)
        if (!one.same(before, now)) changed.push_back({one.name, one.restart});
    return changed;
}

void take_live_settings(Config& config, const Config& now) {
    config.stop_grace = now.stop_grace;
    config.retention = now.retention;
    config.connector_kinds = now.connector_kinds;
    config.log_level = now.log_level;
}

std::string restart_hint(const std::vector<ChangedSetting>& changed) {
    std::string names;
    std::vector<std::string> units;
    for (const ChangedSetting& one : changed) {
        if (one.restart.empty()) continue;
        names += (names.empty() ? "" : ", ") + one.name;
        for (const std::string& unit : split(one.restart, ' '))
            if (std::ranges::find(units, unit) == units.end()) units.push_back(unit);
    }
    if (names.empty()) return {};
    std::string list;
    for (const std::string& unit : units)
        list += " " + unit;
    return fmt::format("{} will be used after 'systemctl restart{}'; no live run ends by it", names,
                       list);
}

}  // namespace berth
