// What the daemons' findings become: a check each, with a cure where it is missing.
#include "daemon/doctor.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "sandbox/ipc/launcher_protocol.h"

using namespace berth;

namespace {

const DoctorCheck& named(const std::vector<DoctorCheck>& checks, const std::string& name) {
    const auto found = std::ranges::find(checks, name, &DoctorCheck::name);
    if (found == checks.end()) FAIL("there is no check '" << name << "'");
    return *found;
}

ipc::RunnerHello complete() {
    ipc::RunnerHello hello;
    hello.root_key_id = std::string(8, '\x11');
    hello.secret_memory_locked = true;
    hello.launcher_present = true;
    hello.protections = ~0U;
    hello.landlock_abi = 3;
    hello.egress_present = true;
    hello.slots = 4;
    hello.first_uid = 1000;
    return hello;
}

const ipc::Pool kPool{8, 13, 90, 10, 200, 300'000, 4, 70};

}  // namespace

TEST_CASE("without a runner there is the store and one check, and it is needed", "[daemon]") {
    const auto checks = check_daemons({});
    REQUIRE(checks.size() == 5);
    const DoctorCheck& runner = named(checks, "berth-runner");
    CHECK_FALSE(runner.ok);
    CHECK(runner.needed);
    CHECK_FALSE(runner.cure.empty());
}

TEST_CASE("a full disk and a damaged page are needed lacks, in words", "[daemon]") {
    DaemonFacts facts;
    facts.disk_full = true;
    facts.damage = {"page 7 of 'berth.db' is not what Berth wrote there", "page 9 of another"};
    const auto checks = check_daemons(facts);
    const DoctorCheck& room = named(checks, "room on the disk");
    CHECK_FALSE(room.ok);
    CHECK(room.needed);
    CHECK(room.detail == "the store's disk is full: nothing new is accepted");
    CHECK(room.cure == "make room; it goes on by itself");
    const DoctorCheck& pages = named(checks, "the store's pages");
    CHECK_FALSE(pages.ok);
    CHECK(pages.needed);
    CHECK(pages.detail == "2 found damaged: page 7 of 'berth.db' is not what Berth wrote there");
    CHECK(pages.cure == "restore a backup, and look after the disk");
}

TEST_CASE("a host with everything needs no cure", "[daemon]") {
    const auto checks = check_daemons({complete(), kPool, false, true});
    CHECK(checks.size() == 22);
    for (const auto& check : checks) {
        INFO(check.name);
        CHECK(check.ok);
        CHECK(check.cure.empty());
        CHECK_FALSE(check.detail.empty());
    }
    CHECK(named(checks, "root key").detail == "loaded, id 1111111111111111");
    CHECK(named(checks, "Landlock").detail == "ABI 3, a second fence around the file system");
    CHECK(named(checks, "cgroups").detail ==
          "version 2: a group for each run, killed as one; I/O limited");
    CHECK(named(checks, "sandbox profile").detail == "strict");
    CHECK(named(checks, "warm pool").detail ==
          "8 wanted of each class, 13 ready now, 4 complete for a run like an earlier one; 90 "
          "runs found one (70 complete), 10 did not; 1.5 ms to build one");
    CHECK(named(checks, "berth-launcher").detail ==
          "connected, 4 sandboxes at once, host users 1000 to 1007");
}

TEST_CASE("each missing layer has its own check and its cure", "[daemon]") {
    auto hello = complete();
    hello.protections &= ~(ipc::protection_landlock | ipc::protection_seccomp);
    hello.secret_memory_locked = false;
    const auto checks = check_daemons({.hello = hello, .pool = {}});
    CHECK(std::ranges::count(checks, false, &DoctorCheck::ok) == 3);
    CHECK_FALSE(named(checks, "Landlock").needed);
    CHECK(named(checks, "system call filter").needed);
    for (const char* name : {"Landlock", "system call filter", "locked secret memory"})
        CHECK_FALSE(named(checks, name).cure.empty());
}

TEST_CASE("without root key or launcher the runner's own words say why", "[daemon]") {
    ipc::RunnerHello hello;
    hello.why = "there is no root key at '/k'";
    const auto checks = check_daemons({.hello = hello, .pool = {}});
    CHECK(named(checks, "root key").detail == "there is no root key at '/k'");
    CHECK_FALSE(named(checks, "berth-launcher").ok);
    // Of layers nothing is known.
    CHECK(std::ranges::count(checks, "Landlock", &DoctorCheck::name) == 0);
    CHECK(std::ranges::count(checks, "system call filter", &DoctorCheck::name) == 0);
}

TEST_CASE("without a cgroup it is said what that means, and what to do", "[daemon]") {
    auto hello = complete();
    hello.protections &= ~(ipc::protection_cgroup_v2 | ipc::protection_cgroup_v1 |
                           ipc::protection_cgroup_memory | ipc::protection_cgroup_pids);
    const auto checks = check_daemons({.hello = hello, .pool = {}});
    const auto& cgroups = named(checks, "cgroups");
    CHECK_FALSE(cgroups.ok);
    CHECK_FALSE(cgroups.needed);
    CHECK_THAT(cgroups.detail, Catch::StartsWith("none: limits are each process's own (rlimits)"));
    CHECK_THAT(cgroups.cure, Catch::Contains("Delegate=yes"));
    hello.protections |= ipc::protection_cgroup_v1;
    CHECK_THAT(named(check_daemons({.hello = hello, .pool = {}}), "cgroups").detail,
               Catch::StartsWith("version 1: "));
}

TEST_CASE("a launcher that refuses to start for want of a cgroup is explained", "[daemon]") {
    auto hello = complete();
    hello.launcher_present = false;
    const auto with = check_daemons({.hello = hello, .pool = {}, .require_cgroup = true});
    CHECK_THAT(named(with, "berth-launcher").cure, Catch::Contains("'require_cgroup'"));
    const auto without = check_daemons({.hello = hello, .pool = {}});
    CHECK_THAT(named(without, "berth-launcher").cure, !Catch::Contains("require_cgroup"));
}

TEST_CASE("without berth-egress only runs with network egress are held up", "[daemon]") {
    auto hello = complete();
    hello.egress_present = false;
    const auto checks = check_daemons({.hello = hello, .pool = {}});
    const auto& egress = named(checks, "berth-egress");
    CHECK_FALSE(egress.ok);
    CHECK_FALSE(egress.needed);
    CHECK(egress.detail == "not connected: runs with network 'egress' cannot start");
}

TEST_CASE("a strict profile that is configured and not active is not passed over", "[daemon]") {
    auto hello = complete();
    hello.protections &= ~ipc::protection_strict;
    const auto checks = check_daemons({.hello = hello, .pool = {}, .strict_sandbox = true});
    CHECK_FALSE(named(checks, "sandbox profile").ok);
    CHECK(named(check_daemons({.hello = hello, .pool = {}}), "sandbox profile").ok);
}

TEST_CASE("an empty pool and one that is off are told apart", "[daemon]") {
    const auto said = [](std::optional<ipc::Pool> pool) {
        return named(check_daemons({.hello = complete(), .pool = pool}), "warm pool").detail;
    };
    CHECK(said({}) == "nothing reported yet");
    CHECK(said(ipc::Pool{}) == "off (pool_size = 0): each run's sandbox is built when it begins");
    CHECK_THAT(said(ipc::Pool{4, 0, 0, 3, 0, 0}), Catch::Contains("0.0 ms to build one"));
}

TEST_CASE("ids that somebody else has, and few descriptors, are lacks with a cure", "[daemon]") {
    const IdRange ids{100'000, 144};
    const char* passwd =
        "root:x:0:0:root:/root:/bin/sh\nanna:x:100143:1::/:/bin/sh\nbert:x:100144:1::/:\n"
        "none\nbroken:x:many:1::/:\n";
    const char* subuid = "anna:165536:65536\nbert:99990:11\ncarl:99990:10\nx:y:z\n";
    const auto taken = others_in_range(ids, passwd, subuid);
    CHECK(taken == std::vector<std::string>{"account 'anna' (100143)",
                                            "the range of 'bert' in /etc/subuid (from 99990)"});
    CHECK(others_in_range({200'000, 10}, passwd, "").empty());

    DaemonFacts facts;
    facts.ids = ids;
    facts.taken = taken;
    facts.open_files = 1024;
    const auto checks = check_daemons(facts);
    const DoctorCheck& users = named(checks, "users of the sandboxes");
    CHECK_FALSE(users.ok);
    CHECK(users.detail ==
          "ids 100000 to 100143: also account 'anna' (100143), the range of 'bert' in /etc/subuid "
          "(from 99990)");
    CHECK_THAT(users.cure, Catch::Contains("'first_uid'"));
    const DoctorCheck& files = named(checks, "open files");
    CHECK_FALSE(files.ok);
    CHECK(files.detail == "1024 for berthd");
    CHECK_THAT(files.cure, Catch::Contains("LimitNOFILE=4096"));
    facts.open_files = 4096;
    CHECK(named(check_daemons(facts), "open files").ok);
    CHECK(open_files_limit() > 0);
}
