// `berth init` and `berth doctor`.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/host_checks.h"
#include "model/json.h"
#include "tests/cli/fake_daemon.h"

using namespace berth;
using namespace berth::test;
using Catch::Matchers::Contains;

namespace {

struct stat status_of(const std::filesystem::path& path) {
    struct stat status {};
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status;
}

std::vector<std::string> init_in(const std::filesystem::path& dir) {
    return {"init",      "--state-dir", dir / "state", "--config", dir / "etc/berth.conf",
            "--run-dir", dir / "run"};
}

// A host on which everything is there.
HostFacts good_host() {
    HostFacts facts;
    facts.kernel_release = "6.1.0-18-amd64";
    facts.is_root = true;
    facts.max_user_namespaces = 15000;
    facts.seccomp_filter = facts.seccomp_kill_process = true;
    facts.landlock_abi = 2;
    facts.overlayfs = true;
    facts.cgroup2_mount = "/sys/fs/cgroup";
    facts.cgroup2_controllers = {"cpu", "io", "memory", "pids"};
    facts.cgroup2_writable = true;
    facts.memlock_bytes = 8 << 20;
    facts.proc_hidepid = "invisible";
    facts.core_pattern = "core";
    facts.state_dir = "/var/lib/berth";
    facts.free_bytes = std::uint64_t{10} << 30;
    facts.free_inodes = 1'000'000;
    facts.clock_synchronised = true;
    facts.root_key = {"/var/lib/berth/keys/root.key", HostFacts::Place::Sight::seen, 0400, 32};
    return facts;
}

Check find(const std::vector<Check>& checks, const std::string& name) {
    for (const Check& check : checks)
        if (check.name == name) return check;
    FAIL("there is no check '" << name << "'");
    return {};
}

}  // namespace

TEST_CASE("init makes the key and the folders with the right modes", "[cli]") {
    const TempDir dir{"berth-init"};
    const auto state = dir.path() / "state";
    const Ran ran = run_berth("/nowhere", init_in(dir.path()));
    INFO(ran.err);
    REQUIRE(ran.exit == Exit::ok);
    CHECK_THAT(ran.out, Contains("Back up the root key"));
    const auto key = status_of(state / "keys/root.key");
    CHECK(key.st_mode == (S_IFREG | 0400));
    CHECK(key.st_size == 32);
    CHECK(key.st_nlink == 1);
    CHECK(status_of(state / "keys").st_mode == (S_IFDIR | 0700));
    CHECK(status_of(state / "store").st_mode == (S_IFDIR | 0700));
    CHECK(status_of(state / "releases").st_mode == (S_IFDIR | 0711));
    CHECK(status_of(state / "runtimes").st_mode == (S_IFDIR | 0755));
    CHECK(status_of(dir.path() / "etc/berth.conf").st_mode == (S_IFREG | 0644));
    CHECK_FALSE(std::filesystem::exists(state / "keys/root.key.new"));
    // The key itself is nowhere in what is printed.
    CHECK(ran.out.find(to_hex(read_file(state / "keys/root.key", 64).value())) ==
          std::string::npos);
}

TEST_CASE("the package's settings are those that init writes", "[cli]") {
    const TempDir dir{"berth-init"};
    REQUIRE(run_berth("/nowhere", init_in(dir.path())).exit == Exit::ok);
    std::string written = read_file(dir.path() / "etc/berth.conf", 1 << 20).value();
    const auto replace = [&](const std::string& from, const std::string& to) {
        for (std::size_t at; (at = written.find(from)) != std::string::npos;)
            written.replace(at, from.size(), to);
    };
    replace(dir.path() / "state", "/var/lib/berth");
    replace(dir.path() / "run", "/run/berth");
    CHECK(written == read_file(BERTH_SOURCE_DIR "/packaging/berth.conf", 1 << 20).value());
}

TEST_CASE("init never replaces a root key or a configuration", "[cli]") {
    const TempDir dir{"berth-init"};
    REQUIRE(run_berth("/nowhere", init_in(dir.path())).exit == Exit::ok);
    const auto key = read_file(dir.path() / "state/keys/root.key", 64).value();
    const Ran again = run_berth("/nowhere", init_in(dir.path()));
    CHECK(again.exit == Exit::failed);
    CHECK_THAT(again.err, Contains("there is a root key at") && Contains("nothing was changed"));
    CHECK(read_file(dir.path() / "state/keys/root.key", 64).value() == key);

    std::filesystem::remove(dir.path() / "state/keys/root.key");
    std::filesystem::create_symlink("/nowhere", dir.path() / "state/keys/root.key");
    CHECK(run_berth("/nowhere", init_in(dir.path())).exit == Exit::failed);  // not even a dead link
    std::filesystem::remove(dir.path() / "state/keys/root.key");
    write_file_atomically(dir.path() / "etc/berth.conf", "max_runs = 3\n", 0600);
    const Ran kept = run_berth("/nowhere", init_in(dir.path()));
    CHECK(kept.exit == Exit::ok);
    CHECK_THAT(kept.out, Contains("unchanged"));
    CHECK(read_file(dir.path() / "etc/berth.conf", 100).value() == "max_runs = 3\n");
    CHECK(read_file(dir.path() / "state/keys/root.key", 64).value() != key);
}

TEST_CASE("init does not follow a link that stands for a folder", "[cli]") {
    const TempDir dir{"berth-init"};
    std::filesystem::create_directories(dir.path() / "state");
    std::filesystem::create_directories(dir.path() / "elsewhere");
    std::filesystem::create_directory_symlink(dir.path() / "elsewhere", dir.path() / "state/keys");
    const Ran ran = run_berth("/nowhere", init_in(dir.path()));
    CHECK(ran.exit == Exit::failed);
    CHECK_THAT(ran.err, Contains("state/keys"));
    CHECK(std::filesystem::is_empty(dir.path() / "elsewhere"));
}

TEST_CASE("init gives keys to the runner and the rest to the daemon", "[cli]") {
    if (::geteuid() != 0) {
        WARN("skipped: only root can give files away");
        return;
    }
    const TempDir dir{"berth-init"};
    auto arguments = init_in(dir.path());
    for (const char* more : {"--daemon-uid", "54321", "--runner-uid", "54322"})
        arguments.push_back(more);
    REQUIRE(run_berth("/nowhere", arguments).exit == Exit::ok);
    CHECK(status_of(dir.path() / "state/keys/root.key").st_uid == 54322);
    CHECK(status_of(dir.path() / "state/keys").st_uid == 54322);
    CHECK(status_of(dir.path() / "state/store").st_uid == 54321);
    const auto config = read_file(dir.path() / "etc/berth.conf", 10'000).value();
    CHECK_THAT(config, Contains("\ndaemon_uid = 54321\n") && Contains("\nrunner_uid = 54322\n"));
}

TEST_CASE("the written configuration documents every setting", "[cli]") {
    const TempDir dir{"berth-init"};
    REQUIRE(run_berth("/nowhere", init_in(dir.path())).exit == Exit::ok);
    const auto config = read_file(dir.path() / "etc/berth.conf", 10'000).value();
    for (const char* key : {"state_dir",
                            "run_dir",
                            "root_key",
                            "releases_dir",
                            "max_runs",
                            "max_starts_per_minute",
                            "max_waiting",
                            "max_tenant_waiting",
                            "allow_seconds",
                            "first_uid",
                            "slots",
                            "daemon_uid",
                            "runner_uid",
                            "cgroups",
                            "require_cgroup",
                            "sandbox_profile",
                            "pool_size",
                            "egress_allow",
                            "egress_ports",
                            "grant.shop-sync",
                            "env_name",
                            "log_level",
                            "allow_near_runtime",
                            "stop_grace_seconds",
                            "retention_days",
                            "schedule_history_days",
                            "tenant_runs",
                            "tenant_log_mib"})
        CHECK_THAT(config, Contains("\n" + std::string{key} + " = ") ||
                               Contains("\n# " + std::string{key} + " = "));
    for (const std::string& line : split(config, '\n'))
        CHECK((line.empty() || line[0] == '#' || line.find(" = ") != std::string::npos));
}

TEST_CASE("a host with everything passes every check", "[cli]") {
    const auto checks = judge(good_host());
    for (const Check& check : checks) {
        INFO(check.name << ": " << check.detail);
        CHECK(check.ok);
    }
    CHECK(all_needed(checks));
}

TEST_CASE("each thing that is missing is found, weighed and given a cure", "[cli]") {
    struct Case {
        const char* check;
        void (*spoil)(HostFacts&);
        Weight weight;
        const char* cure;
    };
    const std::vector<Case> cases{
        {"kernel", [](HostFacts& f) { f.kernel_release = "5.10.0-28-amd64"; }, Weight::needed,
         "5.15"},
        {"kernel", [](HostFacts& f) { f.kernel_release = "odd"; }, Weight::needed, "5.15"},
        {"run as root", [](HostFacts& f) { f.is_root = false; }, Weight::advised, "sudo"},
        {"user namespaces",
         [](HostFacts& f) {
             f.user_namespace = ENOSPC;
             f.max_user_namespaces = 0;
         },
         Weight::needed, "user.max_user_namespaces"},
        {"user namespaces", [](HostFacts& f) { f.user_namespace = EPERM; }, Weight::needed,
         "container"},
        {"user namespaces",
         [](HostFacts& f) {
             f.is_root = false;
             f.user_namespace = EPERM;
             f.apparmor_restricts_userns = 1;
         },
         Weight::advised, "AppArmor"},
        {"user namespaces",
         [](HostFacts& f) {
             f.is_root = false;
             f.user_namespace = EPERM;
             f.unprivileged_userns_clone = 0;
         },
         Weight::advised, "unprivileged_userns_clone"},
        {"other namespaces", [](HostFacts& f) { f.other_namespaces = EPERM; }, Weight::needed,
         "CAP_SYS_ADMIN"},
        {"seccomp filters", [](HostFacts& f) { f.seccomp_filter = false; }, Weight::needed,
         "CONFIG_SECCOMP_FILTER"},
        {"seccomp filters", [](HostFacts& f) { f.seccomp_kill_process = false; }, Weight::needed,
         "kernel"},
        {"system calls", [](HostFacts& f) { f.openat2 = ENOSYS; }, Weight::needed, "newer kernel"},
        {"system calls", [](HostFacts& f) { f.clone3 = EPERM; }, Weight::needed, "seccomp profile"},
        {"system calls", [](HostFacts& f) { f.close_range = ENOSYS; }, Weight::needed, "newer"},
        {"system calls", [](HostFacts& f) { f.pidfd_open = ENOSYS; }, Weight::needed, "newer"},
        {"system calls", [](HostFacts& f) { f.fsopen = ENOSYS; }, Weight::needed, "newer"},
        {"Landlock", [](HostFacts& f) { f.landlock_abi = 0; }, Weight::advised, "lsm="},
        {"overlayfs", [](HostFacts& f) { f.overlayfs = false; }, Weight::advised, "modprobe"},
        {"cgroup v2 limits", [](HostFacts& f) { f.cgroup2_mount.clear(); }, Weight::advised,
         "unified_cgroup_hierarchy"},
        {"cgroup v2 limits", [](HostFacts& f) { f.cgroup2_controllers.erase("memory"); },
         Weight::advised, "Delegate=yes"},
        {"cgroup v2 limits", [](HostFacts& f) { f.cgroup2_writable = false; }, Weight::advised,
         "Delegate=yes"},
        {"no plain swap", [](HostFacts& f) { f.swaps = {"/dev/sda2"}; }, Weight::advised,
         "swapoff"},
        {"no core handler", [](HostFacts& f) { f.core_pattern = "|/usr/bin/handler %p"; },
         Weight::advised, "core_pattern"},
        {"processes hidden", [](HostFacts& f) { f.proc_hidepid.clear(); }, Weight::advised,
         "hidepid"},
        {"free disk", [](HostFacts& f) { f.free_bytes = 100 << 20; }, Weight::advised, "room"},
        {"free disk", [](HostFacts& f) { f.free_bytes = 1 << 20; }, Weight::needed, "room"},
        {"free disk", [](HostFacts& f) { f.free_inodes = 3; }, Weight::advised, "room"},
        {"clock", [](HostFacts& f) { f.clock_synchronised = false; }, Weight::advised, "timesyncd"},
        {"clock", [](HostFacts& f) { f.clock_synchronised.reset(); }, Weight::advised, "chrony"},
        {"locked memory",
         [](HostFacts& f) {
             f.is_root = false;
             f.memlock_bytes = 65536;
         },
         Weight::advised, "LimitMEMLOCK=4M"},
    };
    for (const Case& one : cases) {
        HostFacts facts = good_host();
        one.spoil(facts);
        const auto checks = judge(facts);
        const Check check = find(checks, one.check);
        INFO(check.name << ": " << check.detail << " / " << check.cure);
        CHECK_FALSE(check.ok);
        CHECK((check.weight == one.weight));
        CHECK_THAT(check.cure, Contains(one.cure));
        CHECK_FALSE(check.detail.empty());
        CHECK(all_needed(checks) == (one.weight == Weight::advised));
    }
}

TEST_CASE("doctor looks at this host without a daemon and says that it did", "[cli]") {
    const TempDir dir{"berth-doctor"};
    const std::string socket = (dir.path() / "none.sock").string();
    const Ran ran = run_berth(socket, {"doctor", "--state-dir", dir.path()});
    CHECK((ran.exit == Exit::ok || ran.exit == Exit::failed));
    CHECK_THAT(ran.out, Contains("CHECK") && Contains("user namespaces") && Contains("kernel"));
    CHECK_THAT(ran.err, Contains("only the host was looked at") && Contains(socket));
    const auto report = parse_json(run_berth(socket, {"doctor", "--json"}).out);
    REQUIRE(report);
    CHECK((*report)["daemon"].is_null());
    CHECK((*report)["host"].size() == judge(good_host()).size());
    for (const auto& check : (*report)["host"]) {
        INFO(check.dump());
        CHECK_FALSE(check["protects"].get<std::string>().empty());
    }
}

TEST_CASE("doctor shows what the daemons found, and a needed lack fails it", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/doctor", {200, R"({"checks":[
        {"name":"keys","ok":true,"detail":"loaded","cure":""},
        {"name":"cgroup","ok":false,"detail":"none","cure":"delegate one\u001b"}]})"});
    const Ran weak = run_berth(daemon, {"doctor"});
    CHECK_THAT(weak.out, Contains("The daemons\n") && Contains("keys    active      loaded") &&
                             Contains("cgroup  not active  none") && Contains("PROTECTS\n") &&
                             Contains("  cgroup: delegate one\\x1b\n"));
    daemon.on("GET /v2/doctor",
              {200, R"({"checks":[{"name":"launcher","needed":true,"ok":false,"cure":"x"}]})"});
    const Ran failed = run_berth(daemon, {"doctor"});
    CHECK(failed.exit == Exit::failed);
    CHECK_THAT(failed.out, Contains("not active, needed") && Contains("will not start"));
}

TEST_CASE("the doctor judges the key's source, the folders and the clock", "[cli]") {
    using Place = HostFacts::Place;
    HostFacts facts = good_host();
    facts.clock_source = "tsc";
    facts.year = 2027;
    facts.root_key = {"/s/keys/root.key", Place::Sight::seen, 0400, 32};
    facts.own = {{"/s/store", Place::Sight::seen, 0700, 0},
                 {"/s/keys", Place::Sight::hidden, 0, 0}};
    facts.closed = {{"/s", Place::Sight::seen, 0755, 0}};
    for (const Check& check : judge(facts)) {
        INFO(check.name);
        CHECK(check.ok);
    }
    CHECK(find(judge(facts), "clock").detail == "synchronised, source tsc");
    CHECK(find(judge(facts), "source of the root key").detail ==
          "'/s/keys/root.key', mode 0400, 32 bytes");

    facts.year = 1970;
    CHECK_FALSE(find(judge(facts), "clock").ok);
    CHECK_THAT(find(judge(facts), "clock").detail, Contains("it shows the year 1970"));
    facts.root_key.mode = 0440;
    CHECK_FALSE(find(judge(facts), "source of the root key").ok);
    CHECK_THAT(find(judge(facts), "source of the root key").cure,
               Contains("chmod 0400 /s/keys/root.key"));
    facts.root_key = {"/s/keys/root.key", Place::Sight::seen, 0400, 31};
    CHECK_FALSE(find(judge(facts), "source of the root key").ok);
    facts.root_key = {"/s/keys/root.key"};
    CHECK_THAT(find(judge(facts), "source of the root key").cure, Contains("berth init"));
    facts.credential = "/etc/credstore.encrypted/berth.root-key";
    CHECK(find(judge(facts), "source of the root key").ok);
    CHECK_THAT(find(judge(facts), "source of the root key").detail,
               Contains("a credential of systemd"));
    facts.own[0].mode = 0750;
    CHECK(find(judge(facts), "private folders").detail == "'/s/store' has mode 0750");
    CHECK_FALSE(find(judge(facts), "private folders").ok);
    facts.closed[0].mode = 01777;
    CHECK(find(judge(facts), "folders and settings").detail == "'/s' has mode 1777");
    CHECK_FALSE(find(judge(facts), "folders and settings").ok);
    CHECK(all_needed(judge(facts)));  // runs would start all the same
}
