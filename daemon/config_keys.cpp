// The settings' keys: how each is read from its text.
#include "daemon/config_keys.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "base/text.h"
#include "model/limits.h"
#include "sandbox/ipc/egress_messages.h"

namespace berth {
namespace {

constexpr int kMostSlots = 4096;              // as many as berth-launcher takes
constexpr std::size_t kMostEgressPorts = 16;  // each costs every sandbox a listener
constexpr std::size_t kMostEgressEntries = 256;
constexpr std::size_t kEgressEntryBytes = 300;

constexpr std::string_view kGrantPrefix = "grant.";

// Sets one key from its text; returns what is wrong with the text, or nothing.
using Setter = std::function<std::string(Config&, std::string_view)>;

Setter path_key(std::filesystem::path Config::*member) {
    return [member](Config& config, std::string_view text) -> std::string {
        config.*member = std::filesystem::path{text};
        return (config.*member).is_absolute() ? "" : "must be an absolute path";
    };
}

template <typename Member>
Setter number_key(Member Config::*member, std::int64_t min, std::int64_t max) {
    return [=](Config& config, std::string_view text) -> std::string {
        const auto number = to_number<std::int64_t>(text);
        if (!number || *number < min || *number > max)
            return fmt::format("must be a number from {} to {}", min, max);
        if constexpr (requires { (config.*member).value(); })
            config.*member = static_cast<typename Member::value_type>(*number);
        else
            config.*member = static_cast<Member>(*number);
        return "";
    };
}

Setter retention_key(std::int64_t min, std::int64_t max,
                     void (*set)(RetentionPolicy&, std::int64_t)) {
    return [=](Config& config, std::string_view text) -> std::string {
        const auto number = to_number<std::int64_t>(text);
        if (!number || *number < min || *number > max)
            return fmt::format("must be a number from {} to {}", min, max);
        set(config.retention, *number);
        return "";
    };
}

Setter waiting_key(std::int64_t WaitingCaps::*member, std::int64_t max) {
    return [=](Config& config, std::string_view text) -> std::string {
        const auto number = to_number<std::int64_t>(text);
        if (!number || *number < 1 || *number > max)
            return fmt::format("must be a number from 1 to {}", max);
        config.waiting.*member = *number;
        return "";
    };
}

Setter yes_no_key(bool Config::*member) {
    return [member](Config& config, std::string_view text) -> std::string {
        config.*member = text == "yes" || text == "true";
        const bool no = text == "no" || text == "false";
        return config.*member || no ? "" : "must be true or false";
    };
}

std::string set_cgroups(Config& config, std::string_view text) {
    config.cgroups = text;
    const bool good = text == "auto" || text == "none" || text.starts_with('/');
    return good ? "" : "must be auto, none or the absolute path of a delegated cgroup v2 folder";
}

std::string set_profile(Config& config, std::string_view text) {
    config.strict_sandbox = text == "strict";
    return text == "strict" || text == "default" ? "" : "must be default or strict";
}

std::string set_pool_size(Config& config, std::string_view text) {
    const auto number = to_number<int>(text);
    if (number) config.pool_size = *number;
    const bool good = text == "auto" || (number && *number >= 0 && *number <= kMostSlots);
    return good ? "" : fmt::format("must be auto, or a number from 0 (none) to {}", kMostSlots);
}

// berth-egress reads an entry in full; here it must only be one word.
std::string add_egress_allow(Config& config, std::string_view text) {
    for (const std::string& raw : split(text, ',')) {
        const std::string_view entry = trim(raw);
        const bool good = !entry.empty() && entry.front() != '-' &&
                          entry.size() <= kEgressEntryBytes &&
                          entry.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789.:/[]*_-") == std::string_view::npos;
        if (!good)
            return fmt::format(
                "has '{}'; an entry is a name, an address or a range (CIDR), each with or without "
                ":PORT",
                printable(entry, 80));
        config.egress_allow.emplace_back(entry);
    }
    const bool few = config.egress_allow.size() <= kMostEgressEntries;
    return few ? "" : fmt::format("has more than {} entries", kMostEgressEntries);
}

std::string set_egress_ports(Config& config, std::string_view text) {
    auto& ports = config.egress_ports;
    for (const std::string& word : split(text, ',')) {
        const auto port = to_number<int>(trim(word));
        if (!port || *port < 1 || *port > 65'535 || ports.size() == kMostEgressPorts)
            return fmt::format("must be at most {} ports from 1 to 65535, such as 22, 80, 443",
                               kMostEgressPorts);
        if (std::ranges::find(ports, *port) != ports.end())
            return fmt::format("has {} twice", *port);
        if (*port == ipc::kDnsPort || *port == ipc::kProxyPort)
            return fmt::format("has {}, which is always there: DNS is on {}, the proxy on {}",
                               *port, ipc::kDnsPort, ipc::kProxyPort);
        ports.push_back(static_cast<std::uint16_t>(*port));
    }
    return "";
}

std::string set_root_key_command(Config& config, std::string_view text) {
    config.root_key_command = text;
    const bool good = text.starts_with('/');
    return good ? "" : "must be the absolute path of a program, with its arguments after it";
}

std::string set_previous_root_keys(Config& config, std::string_view text) {
    for (const std::string& word : split(text, ',')) {
        const std::filesystem::path path{trim(word)};
        if (!path.is_absolute()) return "must be absolute paths with commas between them";
        config.previous_root_keys.push_back(path);
    }
    return "";
}

// Without a trailing slash, so that paths can be put behind it.
std::string set_public_url(Config& config, std::string_view text) {
    while (text.ends_with('/'))
        text.remove_suffix(1);
    config.public_url = text;
    const bool good = text.empty() || text.starts_with("https://") || text.starts_with("http://");
    return good ? "" : "must be the https:// address under which others reach the public socket";
}

const std::map<std::string, Setter, std::less<>>& setters() {
    static const std::map<std::string, Setter, std::less<>> table{
        {"state_dir", path_key(&Config::state_dir)},
        {"run_dir", path_key(&Config::run_dir)},
        {"root_key", path_key(&Config::root_key)},
        {"root_key_command", set_root_key_command},
        {"previous_root_keys", set_previous_root_keys},
        {"releases_dir", path_key(&Config::releases_dir)},
        {"public_url", set_public_url},
        {"webhook_rate", number_key(&Config::webhook_rate, 1, 1'000'000)},
        {"webhook_body_mib", number_key(&Config::webhook_body_mib, 1, 5)},
        {"connector_kinds", path_key(&Config::connector_kinds)},
        {"cgroups", set_cgroups},
        {"require_cgroup", yes_no_key(&Config::require_cgroup)},
        {"cpu_percent", number_key(&Config::cpu_percent, 0, 100'000)},
        {"io_mib_per_second", number_key(&Config::io_mib_per_second, 0, 1'000'000)},
        {"sandbox_profile", set_profile},
        {"pool_size", set_pool_size},
        {"egress_allow", add_egress_allow},
        {"egress_ports", set_egress_ports},
        {"max_runs", number_key(&Config::max_runs, 1, 10'000)},
        {"max_starts_per_minute", number_key(&Config::max_starts_per_minute, 0, 1'000'000)},
        {"max_waiting", waiting_key(&WaitingCaps::host, limits::kWaitingTriggers)},
        {"max_tenant_waiting",
         waiting_key(&WaitingCaps::tenant, limits::kWaitingTriggersPerTenant)},
        {"allow_seconds", yes_no_key(&Config::allow_seconds)},
        {"first_uid", number_key(&Config::first_uid, 65'536, kMaxUid)},
        {"slots", number_key(&Config::slots, 1, kMostSlots)},
        {"daemon_uid", number_key(&Config::daemon_uid, 1, kMaxUid)},
        {"runner_uid", number_key(&Config::runner_uid, 1, kMaxUid)},
        {"env_name",
         [](Config& config, std::string_view text) -> std::string {
             config.env_name = text;
             return text.empty() || text.size() > limits::kNameBytes ? "must be a short word" : "";
         }},
        {"log_level",
         [](Config& config, std::string_view text) -> std::string {
             for (const LogLevel level : {LogLevel::error, LogLevel::warning, LogLevel::info}) {
                 if (text != to_string(level)) continue;
                 config.log_level = level;
                 return "";
             }
             return "must be error, warning or info";
         }},
        {"stop_grace_seconds",
         [](Config& config, std::string_view text) -> std::string {
             const auto number = to_number<int>(text);
             config.stop_grace = std::chrono::seconds{number.value_or(0)};
             return number && *number >= 0 && *number <= 3600 ? "" : "must be from 0 to 3600";
         }},
        {"retention_days", retention_key(1, 36'500,
                                         [](RetentionPolicy& policy, std::int64_t days) {
                                             policy.runs = std::chrono::days{days};
                                         })},
        {"schedule_history_days", retention_key(1, 36'500,
                                                [](RetentionPolicy& policy, std::int64_t days) {
                                                    policy.slots = std::chrono::days{days};
                                                })},
        {"tenant_runs", retention_key(1, 1'000'000'000,
                                      [](RetentionPolicy& policy, std::int64_t runs) {
                                          policy.runs_of_tenant = runs;
                                      })},
        {"tenant_log_mib", retention_key(1, 1'000'000,
                                         [](RetentionPolicy& policy, std::int64_t mib) {
                                             policy.log_bytes_of_tenant =
                                                 static_cast<std::uint64_t>(mib) * limits::MiB;
                                         })},
        {"allow_near_runtime", yes_no_key(&Config::allow_near_runtime)},
    };
    return table;
}

// What was a setting once, and what is said to whoever still has it.
const std::map<std::string, std::string, std::less<>>& retired_keys() {
    static const std::map<std::string, std::string, std::less<>> table{
        {"allow_host_network",
         "is a grant now: write 'grant.INTEGRATION = host_network', or 'grant.* = host_network' "
         "for all"},
        {"cgroup_root", "is called 'cgroups' now"},
    };
    return table;
}

bool is_integration_name(std::string_view name) {
    return !name.empty() && name.size() <= limits::kNameBytes &&
           std::ranges::all_of(name, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
           });
}

// An integration's name, or '*' for those without a line of their own.
std::string set_grants(Config& config, const std::string& integration, std::string_view text) {
    if (integration != "*" && !is_integration_name(integration))
        return "names no integration; after 'grant.' comes a name, or *";
    auto granted = parse_grants(text);
    if (!granted) return granted.error().message;
    config.grants[integration] = std::move(*granted);
    return "";
}

}  // namespace

std::vector<std::string> setting_names() {
    std::vector<std::string> names;
    for (const auto& [name, setter] : setters())
        names.push_back(name);
    return names;
}

bool is_repeatable(std::string_view key) { return key == "egress_allow"; }

std::optional<std::string> set_key(Config& config, const std::string& key, std::string_view text) {
    if (key.starts_with(kGrantPrefix))
        return set_grants(config, key.substr(kGrantPrefix.size()), text);
    if (const auto old = retired_keys().find(key); old != retired_keys().end()) return old->second;
    const auto setter = setters().find(key);
    if (setter == setters().end()) return {};
    return setter->second(config, text);
}

}  // namespace berth
