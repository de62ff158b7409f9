// The daemon's settings: a file of `key = value` lines, as `berth init` writes it.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/log.h"

namespace berth {

struct Config {
    std::filesystem::path state_dir = "/var/lib/berth";
    std::filesystem::path run_dir = "/run/berth";
    std::filesystem::path root_key;        // default: <state_dir>/keys/root.key
    std::filesystem::path releases_dir;    // default: <state_dir>/releases
    int max_runs = 16;                     // runs that may be live at once on this host
    std::uint32_t first_uid = 1879048192;  // of the range the sandboxes' users come from
    int slots = 64;                        // uid pairs in that range: 2 × slots ids
    std::string env_name = "prod";         // PAN_CTX_ENV
    bool allow_host_network = false;       // runs may be given the host's network
    bool allow_near_runtime = false;       // a runtime of another version than `base` asks for
    std::optional<std::uint32_t> daemon_uid, runner_uid;  // default: users berth, berth-runner
    LogLevel log_level = LogLevel::info;
    std::chrono::seconds stop_grace{10};  // live runs may end by themselves when we are stopped
    std::filesystem::path cgroup_root;    // a delegated cgroup v2 subtree; empty: none

    std::filesystem::path control_socket() const { return run_dir / "control.sock"; }
    std::filesystem::path runner_socket() const { return run_dir / "runner.sock"; }
    std::filesystem::path launcher_socket() const { return run_dir / "launcher.sock"; }
    std::filesystem::path store_dir() const { return state_dir / "store"; }
    std::uint32_t first_sandbox_uid() const { return first_uid + 16; }
};

// Refusals say file, line and key.
Result<Config> parse_config(std::string_view text, const std::string& file_name);
Result<Config> load_config(const std::filesystem::path& path);

}  // namespace berth
