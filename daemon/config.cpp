#include "daemon/config.h"

#include <functional>
#include <map>
#include <utility>

#include "base/file.h"
#include "base/text.h"
#include "model/limits.h"

namespace berth {
namespace {

constexpr std::int64_t kMaxUid = 0xFFFF'FFF0;
constexpr int kMostSlots = 4096;  // as many as berth-launcher takes

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

Setter yes_no_key(bool Config::*member) {
    return [member](Config& config, std::string_view text) -> std::string {
        config.*member = text == "yes" || text == "true";
        const bool no = text == "no" || text == "false";
        return config.*member || no ? "" : "must be true or false";
    };
}

const std::map<std::string, Setter, std::less<>>& setters() {
    static const std::map<std::string, Setter, std::less<>> table{
        {"state_dir", path_key(&Config::state_dir)},
        {"run_dir", path_key(&Config::run_dir)},
        {"root_key", path_key(&Config::root_key)},
        {"releases_dir", path_key(&Config::releases_dir)},
        {"cgroup_root", path_key(&Config::cgroup_root)},
        {"max_runs", number_key(&Config::max_runs, 1, 10'000)},
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
        {"allow_near_runtime", yes_no_key(&Config::allow_near_runtime)},
        {"allow_host_network", yes_no_key(&Config::allow_host_network)},
    };
    return table;
}

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
        if (equals == std::string_view::npos)
            return fail_at(FailureKind::invalid, where, "{}: '{}' is not a 'key = value' line",
                           where, printable(line, 80));
        const std::string key{trim(line.substr(0, equals))};
        const auto setter = setters().find(key);
        if (setter == setters().end())
            return fail_at(FailureKind::invalid, where,
                           "{}: there is no setting '{}'; check its spelling", where,
                           printable(key, 80));
        if (const auto [first, fresh] = seen.emplace(key, number); !fresh)
            return fail_at(FailureKind::invalid, where, "{}: '{}' is set in line {} already", where,
                           key, first->second);
        const auto wrong = setter->second(config, trim(line.substr(equals + 1)));
        if (!wrong.empty())
            return fail_at(FailureKind::invalid, where, "{}: '{}' {}", where, key, wrong);
    }
    if (config.root_key.empty()) config.root_key = config.state_dir / "keys" / "root.key";
    if (config.releases_dir.empty()) config.releases_dir = config.state_dir / "releases";
    if (config.slots < config.max_runs)
        return fail_at(FailureKind::invalid, file_name,
                       "{}: slots ({}) must not be below max_runs ({}): each live run has a pair "
                       "of user ids",
                       file_name, config.slots, config.max_runs);
    if (auto apart = keep_users_apart(config, file_name); !apart) return pass_on(apart);
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
