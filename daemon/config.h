// The daemon's settings: a file of `key = value` lines, as `berth init` writes it.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "daemon/grants.h"
#include "store/retention.h"
#include "store/triggers.h"

namespace berth {

struct Config {
    std::filesystem::path state_dir = "/var/lib/berth";
    std::filesystem::path run_dir = "/run/berth";
    std::filesystem::path root_key;                         // default: <state_dir>/keys/root.key
    std::string root_key_command;                           // prints the key; instead of the file
    std::vector<std::filesystem::path> previous_root_keys;  // files; they only open
    std::filesystem::path releases_dir;                     // default: <state_dir>/releases
    int max_runs = 16;                       // runs that may be live at once on this host
    std::int64_t max_starts_per_minute = 0;  // runs begun in any minute; 0: no cap
    WaitingCaps waiting;                     // max_waiting, max_tenant_waiting
    bool allow_seconds = false;              // schedules that name the second
    std::uint32_t first_uid = 1879048192;    // of the range the sandboxes' users come from
    int slots = 64;                          // uid pairs in that range: 2 × slots ids
    std::string env_name = "prod";           // PAN_CTX_ENV
    bool allow_near_runtime = false;         // a runtime of another version than `base` asks for
    std::optional<std::uint32_t> daemon_uid, runner_uid;  // default: users berth, berth-runner
    LogLevel log_level = LogLevel::info;
    std::chrono::seconds stop_grace{10};  // live runs may end by themselves when we are stopped
    RetentionPolicy retention;            // retention_days, tenant_runs, tenant_log_mib

    std::string public_url;  // `https://hooks.example.com`; empty: no public part
    std::int64_t webhook_rate = limits::kWebhookRate;  // deliveries per address and second
    std::int64_t webhook_body_mib = 5;                 // of one delivery
    std::filesystem::path connector_kinds;             // a folder of kinds beside ours; empty: none

    // The sandbox. What is not set here the launcher chooses.
    std::string cgroups = "auto";             // auto, none, or a delegated cgroup v2 folder
    bool require_cgroup = false;              // no run without limits on it as a whole
    int cpu_percent = 0;                      // of one processor, per run; 0: no limit
    int io_mib_per_second = 0;                // each way, per run; 0: no limit
    bool strict_sandbox = false;              // sandbox_profile = strict
    std::optional<int> pool_size;             // sandboxes kept ready, per class
    GrantTable grants;                        // grant.INTEGRATION = ...
    std::vector<std::string> egress_allow;    // addresses and names beyond the public ones
    std::vector<std::uint16_t> egress_ports;  // empty: the usual ones

    std::filesystem::path control_socket() const { return run_dir / "control.sock"; }
    // What may be reached by anybody: webhooks, auth links, OAuth2's way back.
    std::filesystem::path public_socket() const { return run_dir / "public.sock"; }
    std::filesystem::path runner_socket() const { return run_dir / "runner.sock"; }
    std::filesystem::path launcher_socket() const { return run_dir / "launcher.sock"; }
    std::filesystem::path egress_socket() const { return run_dir / "egress.sock"; }
    std::filesystem::path store_dir() const { return state_dir / "store"; }
    // What berth-runner remembers of the store, apart from it.
    std::filesystem::path anchors_dir() const { return state_dir / "anchors"; }
    std::uint32_t first_sandbox_uid() const { return first_uid + 16; }
};

// Refusals say file, line and key.
Result<Config> parse_config(std::string_view text, const std::string& file_name);
Result<Config> load_config(const std::filesystem::path& path);

}  // namespace berth
