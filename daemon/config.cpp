#include "daemon/config.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/file.h"
#include "base/text.h"
#include "daemon/config_keys.h"
#include "model/limits.h"

namespace berth {
namespace {

// A script must not share a user with a daemon, nor the daemon that parses with the one
// that has the keys.
Result<void> keep_users_apart(const Config& config, const std::string& file_name) {
    const std::uint64_t first = config.first_sandbox_uid();
    const std::uint64_t end = first + 2 * static_cast<std::uint64_t>(config.slots);
    if (first < config.first_uid || end > kMaxUid)
        return fail_at(FailureKind::invalid, file_name,
                       "{}: first_uid ({}) leaves no room for {} slots; choose a lower one",
                       file_name, config.first_uid, config.slots);
    for (const auto& [key, uid] :
         {std::pair{"daemon_uid", config.daemon_uid}, std::pair{"runner_uid", config.runner_uid}})
        if (uid && *uid >= first && *uid < end)
            return fail_at(FailureKind::invalid, file_name,
                           "{}: {} ({}) is one of the ids of sandboxes, {} to {}; choose another",
                           file_name, key, *uid, first, end - 1);
    if (config.daemon_uid && config.daemon_uid == config.runner_uid)
        return fail_at(FailureKind::invalid, file_name,
                       "{}: daemon_uid and runner_uid are both {}: the root key would be "
                       "berthd's too; choose two",
                       file_name, *config.daemon_uid);
    return {};
}

bool holds(const std::filesystem::path& folder, const std::filesystem::path& path) {
    const auto [end, _] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
    return end == folder.end();
}

// A script that writes into Berth's own folders could leave through them.
Result<void> keep_folders_apart(const Config& config, const std::string& file_name) {
    for (const auto& [integration, granted] : config.grants)
        for (const auto& own : {config.state_dir, config.run_dir, config.releases_dir,
                                config.root_key.parent_path()}) {
            const auto& path = granted.writable_path;
            if (path.empty() || (!holds(own, path) && !holds(path, own))) continue;
            return fail_at(FailureKind::invalid, file_name,
                           "{}: grant.{} has the writable path '{}', which holds or lies in "
                           "Berth's own folder '{}'; choose another",
                           file_name, integration, path.string(), own.string());
        }
    return {};
}

}  // namespace

Result<Config> parse_config(std::string_view text, const std::string& file_name) {
    Config config;
    std::map<std::string, int> seen;
    int number = 0;
    for (const std::string& raw : split(text, '\n')) {
        ++number;
        const auto where = fmt::format("{}:{}", file_name, number);
        const auto line = trim(raw);
        if (line.empty() || line.front() == '#') continue;
        const auto equals = line.find('=');
        // Not the rest of it, which may be the arguments of root_key_command.
        if (equals == std::string_view::npos)
            return fail_at(FailureKind::invalid, where, "{}: '{}' is not a 'key = value' line",
                           where, printable(line.substr(0, line.find_first_of(" \t")), 80));
        const std::string key{trim(line.substr(0, equals))};
        const auto wrong = set_key(config, key, trim(line.substr(equals + 1)));
        if (!wrong)
            return fail_at(FailureKind::invalid, where,
                           "{}: there is no setting '{}'; check its spelling", where,
                           printable(key, 80));
        if (const auto [first, fresh] = seen.emplace(key, number); !fresh && !is_repeatable(key))
            return fail_at(FailureKind::invalid, where, "{}: '{}' is set in line {} already", where,
                           key, first->second);
        if (!wrong->empty())
            return fail_at(FailureKind::invalid, where, "{}: '{}' {}", where, printable(key, 80),
                           *wrong);
    }
    if (config.root_key.empty()) config.root_key = config.state_dir / "keys" / "root.key";
    if (config.releases_dir.empty()) config.releases_dir = config.state_dir / "releases";
    if (config.slots < config.max_runs)
        return fail_at(FailureKind::invalid, file_name,
                       "{}: slots ({}) must not be below max_runs ({}): each live run has a pair "
                       "of user ids",
                       file_name, config.slots, config.max_runs);
    if (auto apart = keep_users_apart(config, file_name); !apart) return pass_on(apart);
    if (auto apart = keep_folders_apart(config, file_name); !apart) return pass_on(apart);
    return config;
}

Result<Config> load_config(const std::filesystem::path& path) {
    auto text = read_file(path, 1 * limits::MiB);
    if (!text) {
        auto failure = text.error();
        if (failure.kind == FailureKind::not_found) failure.message += "; `berth init` makes one";
        return tl::unexpected<Failure>{std::move(failure)};
    }
    return parse_config(*text, path.string());
}

}  // namespace berth
