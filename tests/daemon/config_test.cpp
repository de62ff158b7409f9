// The settings' file: every refusal says file, line and key. And the users that the
// supervisor chooses from the settings.
#include "daemon/config.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <set>

#include "daemon/config_keys.h"
#include "daemon/supervisor.h"

using namespace berth;

TEST_CASE("an empty file gives the defaults, and paths follow the folders", "[daemon]") {
    const auto plain = parse_config("", "berth.conf");
    REQUIRE(plain);
    CHECK(plain->root_key == "/var/lib/berth/keys/root.key");
    CHECK(plain->control_socket() == "/run/berth/control.sock");
    const auto moved = parse_config(
        "# where\n\n  state_dir=/srv/b \nrun_dir = /tmp/r\nlog_level = warning\n"
        "stop_grace_seconds = 0\nallow_near_runtime = no\ndaemon_uid = 7",
        "berth.conf");
    REQUIRE(moved);
    CHECK(moved->root_key == "/srv/b/keys/root.key");
    CHECK(moved->releases_dir == "/srv/b/releases");
    CHECK(moved->store_dir() == "/srv/b/store");
    CHECK(moved->log_level == LogLevel::warning);
    CHECK(moved->stop_grace == std::chrono::seconds{0});
    CHECK_FALSE(moved->allow_near_runtime);
    CHECK(moved->daemon_uid == 7U);
    CHECK_FALSE(moved->runner_uid);
}

TEST_CASE("a wrong setting is refused with its file, its line and its name", "[daemon]") {
    struct Case {
        const char* text;
        const char* says;
    };
    for (const auto& [text, says] : std::vector<Case>{
             {"\nstate_dir", "c:2: 'state_dir' is not a 'key = value' line"},
             {"# x\nstaet_dir = /a", "c:2: there is no setting 'staet_dir'"},
             {"run_dir = /a\nrun_dir = /b", "c:2: 'run_dir' is set in line 1 already"},
             {"run_dir = a", "c:1: 'run_dir' must be an absolute path"},
             {"max_runs = 0", "c:1: 'max_runs' must be a number from 1 to 10000"},
             {"max_runs = 1e3", "c:1: 'max_runs' must be"},
             {"max_runs =", "c:1: 'max_runs' must be"},
             {"max_starts_per_minute = -1", "c:1: 'max_starts_per_minute' must be a number from 0"},
             {"max_waiting = 0", "c:1: 'max_waiting' must be a number from 1 to 5000000"},
             {"max_tenant_waiting = 100001",
              "c:1: 'max_tenant_waiting' must be a number from 1 to 100000"},
             {"allow_seconds = 1", "c:1: 'allow_seconds' must be true or false"},
             {"first_uid = 1000", "c:1: 'first_uid' must be a number from 65536"},
             {"daemon_uid = -1", "c:1: 'daemon_uid' must be"},
             {"stop_grace_seconds = 3601", "c:1: 'stop_grace_seconds' must be from 0 to 3600"},
             {"log_level = loud", "c:1: 'log_level' must be error, warning or info"},
             {"allow_near_runtime = perhaps", "c:1: 'allow_near_runtime' must be true or false"},
             {"env_name =", "c:1: 'env_name' must be a short word"},
             {"cgroups = here", "c:1: 'cgroups' must be auto, none or the absolute path"},
             {"cgroup_root = /sys/fs/cgroup/x", "c:1: 'cgroup_root' is called 'cgroups' now"},
             {"allow_host_network = yes",
              "c:1: 'allow_host_network' is a grant now: write 'grant.INTEGRATION = host_network'"},
             {"sandbox_profile = tight", "c:1: 'sandbox_profile' must be default or strict"},
             {"pool_size = -1", "c:1: 'pool_size' must be auto, or a number from 0"},
             {"pool_size = 5000", "c:1: 'pool_size' must be auto, or a number from 0"},
             {"egress_allow =", "c:1: 'egress_allow' has ''"},
             {"egress_allow = a b", "c:1: 'egress_allow' has 'a b'; an entry is a name"},
             {"egress_allow = --allow", "c:1: 'egress_allow' has '--allow'"},
             {"egress_ports = 80,http", "c:1: 'egress_ports' must be at most 16 ports"},
             {"egress_ports = 80,80", "c:1: 'egress_ports' has 80 twice"},
             {"egress_ports = 443, 3128", "c:1: 'egress_ports' has 3128, which is always there"},
             {"egress_ports = 65536", "c:1: 'egress_ports' must be"},
             {"grant. = host_network", "c:1: 'grant.' names no integration"},
             {"grant.Shop = host_network", "c:1: 'grant.Shop' names no integration"},
             {"grant.a = everything", "c:1: 'grant.a' has 'everything'; a grant is host_network"},
             {"grant.a =", "c:1: 'grant.a' has ''"},
             {"grant.a = writable_path:srv", "c:1: 'grant.a' has 'writable_path:srv', which is no"},
             {"grant.a = writable_path:/", "c:1: 'grant.a' has 'writable_path:/'"},
             {"grant.a = writable_path:/srv/../", "c:1: 'grant.a' has 'writable_path:/srv/../'"},
             {"grant.a = writable_path:/a, writable_path:/b", "c:1: 'grant.a' gives two writable"},
             {"grant.a = extra_syscalls:", "c:1: 'grant.a' has '' among extra_syscalls"},
             {"grant.a = extra_syscalls:bpf+Mount", "c:1: 'grant.a' has 'Mount' among"},
             {"grant.a = host_network\ngrant.a = host_network", "c:2: 'grant.a' is set in line 1"},
             {"grant.a = writable_path:/var/lib/berth/keys",
              "c: grant.a has the writable path '/var/lib/berth/keys', which holds or lies in "
              "Berth's own folder '/var/lib/berth'"},
             {"state_dir = /srv/berth\ngrant.a = writable_path:/srv",
              "c: grant.a has the writable"},
             {"max_runs = 65", "c: slots (64) must not be below max_runs (65)"}}) {
        const auto parsed = parse_config(text, "c");
        INFO(text);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error().kind == FailureKind::invalid);
        CHECK_THAT(parsed.error().message, Catch::StartsWith(says));
    }
}

TEST_CASE("the sandbox's settings are read from their words", "[daemon]") {
    const auto plain = parse_config("", "c");
    REQUIRE(plain);
    CHECK(plain->cgroups == "auto");
    CHECK_FALSE(plain->require_cgroup);
    CHECK_FALSE(plain->strict_sandbox);
    CHECK_FALSE(plain->pool_size);
    CHECK(plain->grants.empty());
    CHECK(plain->egress_allow.empty());
    CHECK(plain->egress_ports.empty());

    const auto full = parse_config(
        "cgroups = /sys/fs/cgroup/berth\nrequire_cgroup = yes\nsandbox_profile = strict\n"
        "pool_size = 0\negress_allow = db.internal:5432, 10.0.0.0/8\n"
        "egress_allow = [fd00::1]:80\negress_ports = 443, 5432\n",
        "c");
    REQUIRE(full);
    CHECK(full->cgroups == "/sys/fs/cgroup/berth");
    CHECK(full->require_cgroup);
    CHECK(full->strict_sandbox);
    CHECK(full->pool_size == 0);
    CHECK(full->egress_allow ==
          std::vector<std::string>{"db.internal:5432", "10.0.0.0/8", "[fd00::1]:80"});
    CHECK(full->egress_ports == std::vector<std::uint16_t>{443, 5432});
}

TEST_CASE("grants are for the integration that the line names", "[daemon]") {
    const auto config = parse_config(
        "grant.shop = host_network\n"
        "grant.db-export = writable_path:/srv/x/, extra_syscalls:perf_event_open+bpf+bpf\n"
        "grant.* = extra_syscalls:bpf\n",
        "c");
    REQUIRE(config);
    CHECK(granted_to(config->grants, "shop") == Granted{true, "", {}});
    CHECK(granted_to(config->grants, "db-export") ==
          Granted{false, "/srv/x", {"bpf", "perf_event_open"}});
    CHECK(granted_to(config->grants, "other") == Granted{false, "", {"bpf"}});
    CHECK(granted_to({}, "other") == Granted{});
}

// S16. An administrator sees what he must correct; arguments of a command may be a secret.
TEST_CASE("no refusal of a setting repeats its value, but of those that are lists of names",
          "[daemon]") {
    const std::string canary = "cnry-7x2q9v";
    auto keys = setting_names();
    keys.insert(keys.end(), {"grant.*", "grant.shop", "cgroup_root", "allow_host_network"});
    std::set<std::string> quoted;
    std::size_t refused = 0;
    const auto ask = [&](const std::string& key, const std::string& line) {
        INFO(line);
        const auto config = parse_config(line, "berth.conf");
        if (config) return;
        ++refused;
        if (config.error().message.find(canary) != std::string::npos) quoted.insert(key);
    };
    for (const std::string& key : keys) {
        for (const std::string& value :
             {canary, "/x/" + canary + "/../\x01", "1" + canary, canary + "," + canary,
              "https://user:" + canary + "@[", "-1 " + canary, canary + ":99999"})
            ask(key, key + " = " + value);
        ask("(no '=')", key + " " + canary);
        ask("(twice)", key + " = " + canary + "\n" + key + " = " + canary);
    }
    ask("(no '=')", "root_key_command /usr/bin/fetch --token " + canary);
    CHECK(refused > 3 * keys.size());
    CHECK(quoted == std::set<std::string>{"(twice)", "egress_allow", "grant.*", "grant.shop"});
}

TEST_CASE("a file that is not there is refused with the command that makes one", "[daemon]") {
    const auto loaded = load_config("/nonexistent/berth.conf");
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().kind == FailureKind::not_found);
    CHECK_THAT(loaded.error().message, Catch::EndsWith("; `berth init` makes one"));
}

TEST_CASE("the daemons' users come from the settings, and are the caller's without root",
          "[daemon]") {
    Config config;
    config.daemon_uid = 900'001;
    config.runner_uid = 900'002;
    const DaemonIds ids = choose_ids(config);
    if (::geteuid() == 0) {
        CHECK(ids.daemon_uid == 900'001);
        CHECK(ids.daemon_gid == 900'001);
        CHECK(ids.runner_uid == 900'002);
        CHECK(ids.runner_gid == 900'002);
        // Without settings and without accounts: two users of the reserved range.
        const DaemonIds own = choose_ids(Config{});
        CHECK(own.daemon_uid != own.runner_uid);
        CHECK(own.daemon_uid != 0);
        CHECK(own.runner_uid != 0);
    } else {
        CHECK(ids.daemon_uid == ::geteuid());
        CHECK(ids.runner_uid == ::geteuid());
    }
}
