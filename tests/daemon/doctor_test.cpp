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
    hello.slots = 4;
    hello.first_uid = 1000;
    return hello;
}

}  // namespace

TEST_CASE("without a runner there is one check, and it is needed", "[daemon]") {
    const auto checks = check_daemons({});
    REQUIRE(checks.size() == 1);
    CHECK(checks[0].name == "berth-runner");
    CHECK_FALSE(checks[0].ok);
    CHECK(checks[0].needed);
    CHECK_FALSE(checks[0].cure.empty());
}

TEST_CASE("a host with everything needs no cure", "[daemon]") {
    const auto checks = check_daemons(complete());
    CHECK(checks.size() == 14);
    for (const auto& check : checks) {
        INFO(check.name);
        CHECK(check.ok);
        CHECK(check.cure.empty());
        CHECK_FALSE(check.detail.empty());
    }
    CHECK(named(checks, "root key").detail == "loaded, id 1111111111111111");
    CHECK(named(checks, "berth-launcher").detail ==
          "connected, 4 sandboxes at once, host users 1000 to 1007");
}

TEST_CASE("each missing layer has its own check and its cure", "[daemon]") {
    auto hello = complete();
    hello.protections &= ~(ipc::protection_landlock | ipc::protection_seccomp);
    hello.secret_memory_locked = false;
    const auto checks = check_daemons(hello);
    CHECK(std::ranges::count(checks, false, &DoctorCheck::ok) == 3);
    CHECK_FALSE(named(checks, "Landlock").needed);
    CHECK(named(checks, "system call filter").needed);
    for (const char* name : {"Landlock", "system call filter", "locked secret memory"})
        CHECK_FALSE(named(checks, name).cure.empty());
}

TEST_CASE("without root key or launcher the runner's own words say why", "[daemon]") {
    ipc::RunnerHello hello;
    hello.why = "there is no root key at '/k'";
    const auto checks = check_daemons(hello);
    CHECK(named(checks, "root key").detail == "there is no root key at '/k'");
    CHECK_FALSE(named(checks, "berth-launcher").ok);
    CHECK(checks.size() == 4);  // of layers nothing is known
}
