#include "daemon/command_lines.h"

#include <algorithm>
#include <iterator>
#include <map>

namespace berth {
namespace {

std::string joined(const auto& values) {
    std::string text;
    for (const auto& value : values)
        text += fmt::format("{}{}", text.empty() ? "" : ",", value);
    return text;
}

std::string text(const auto& value) { return fmt::format("{}", value); }

}  // namespace

std::vector<std::string> launcher_arguments(const Config& config, int listen_fd, uid_t runner_uid) {
    std::vector<std::string> words{"--listen-fd",  text(listen_fd),
                                   "--runner-uid", text(runner_uid),
                                   "--releases",   config.releases_dir.string(),
                                   "--first-uid",  text(config.first_sandbox_uid()),
                                   "--slots",      text(config.slots)};
    std::ranges::copy(launcher_policy(config), std::back_inserter(words));
    return words;
}

std::vector<std::string> egress_arguments(const Config& config, int listen_fd, uid_t runner_uid) {
    std::vector<std::string> words{"--listen-fd", text(listen_fd), "--runner-uid",
                                   text(runner_uid)};
    std::ranges::copy(egress_policy(config), std::back_inserter(words));
    return words;
}

std::vector<std::string> runner_arguments(const Config& config, int listen_fd, uid_t daemon_uid,
                                          const std::filesystem::path& credential) {
    std::vector<std::string> words;
    const auto add = [&](const char* option, std::string value) {
        words.emplace_back(option);
        words.push_back(std::move(value));
    };
    // What the service manager hands over goes before what the file says.
    if (!credential.empty())
        add("--root-key-credential", credential.string());
    else if (!config.root_key_command.empty())
        add("--root-key-command", config.root_key_command);
    else
        add("--root-key", config.root_key.string());
    for (const auto& previous : config.previous_root_keys)
        add("--previous-root-key", previous.string());
    add("--state-dir", config.store_dir().string());
    add("--anchors", config.anchors_dir().string());
    add("--listen-fd", text(listen_fd));
    add("--daemon-uid", text(daemon_uid));
    add("--launcher-socket", config.launcher_socket().string());
    add("--egress-socket", config.egress_socket().string());
    return words;
}

std::vector<std::string> launcher_policy(const Config& config) {
    std::vector<std::string> words{"--cgroups", config.cgroups};
    const auto add = [&](std::string option, std::string value) {
        words.push_back(std::move(option));
        words.push_back(std::move(value));
    };
    if (config.require_cgroup) words.emplace_back("--require-cgroup");
    if (config.cpu_percent != 0) add("--cpu-percent", std::to_string(config.cpu_percent));
    if (config.io_mib_per_second != 0)
        add("--io-mib-per-second", std::to_string(config.io_mib_per_second));
    if (config.strict_sandbox) words.emplace_back("--strict");
    if (config.pool_size) add("--pool", std::to_string(*config.pool_size));
    if (!config.egress_ports.empty()) add("--egress-ports", joined(config.egress_ports));

    bool host_network = false;
    std::map<std::string, std::string> folders, call_sets;  // each once, whoever has it
    for (const auto& [integration, granted] : config.grants) {
        host_network |= granted.host_network;
        if (!granted.writable_path.empty())
            folders[folder_name(granted.writable_path)] = granted.writable_path.string();
        if (!granted.extra_syscalls.empty())
            call_sets[syscalls_name(granted.extra_syscalls)] = joined(granted.extra_syscalls);
    }
    if (host_network) words.emplace_back("--allow-host-network");
    for (const auto& [name, folder] : folders)
        add("--allow-writable", name + "=" + folder);
    for (const auto& [name, calls] : call_sets)
        add("--allow-syscalls", name + "=" + calls);
    return words;
}

std::vector<std::string> egress_policy(const Config& config) {
    std::vector<std::string> words;
    for (const std::string& entry : config.egress_allow) {
        words.emplace_back("--allow");
        words.push_back(entry);
    }
    return words;
}

}  // namespace berth
