// What an administrator grants to one integration by name, and how its runs' records tell.
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>

#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using namespace berth::test;
using Catch::Matchers::Contains;

TEST_CASE("only the integration that is granted the host's network may choose it", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const TempDir root{"berth-e2e"};
    Daemon::Installed wide;
    {
        Daemon daemon{root.path(), "grant.wide = host_network\n"};
        daemon.start();
        const auto answer =
            daemon.request("POST", "/v2/integrations", {{"name", "other"}, {"network", "host"}});
        CHECK(answer.status == 422);
        CHECK(json::parse(answer.body)["detail"][0]["loc"] == json{"body", "network"});
        CHECK_THAT(answer.body, Contains("'grant.other = host_network'"));
        wide = daemon.install("wide", {{"PANDIUM.yaml", manifest("true")}}, {{"network", "host"}});
        CHECK(daemon.run(wide.tenant)["grants"] == json{"host_network"});
        // Another name is another integration: it would take the grant along.
        const auto path = fmt::format("/v2/integrations/{}", wide.integration);
        CHECK(daemon.request("PATCH", path, {{"name", "renamed"}}).status == 422);
    }
    // Taken back while Berth was down: refused when a run begins, by name.
    Daemon daemon{root.path(), "grant.other = host_network\n"};
    daemon.start();
    const json run = daemon.run(wide.tenant);
    CHECK(run["state"] == "failed_platform");
    CHECK_THAT(run["reason"].get<std::string>(), Contains("'grant.wide = host_network'"));
    CHECK(run["grants"] == json::array());
}

TEST_CASE("a writable path is the folder that the configuration names", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const TempDir folder{"berth-writable"};
    REQUIRE(::chown(folder.path().c_str(), 64'980, 64'980) == 0);  // a root's is refused
    Daemon daemon{fmt::format("grant.writer = writable_path:{}\n", folder.path().string())};
    const std::string write = "echo kept >/data/out";
    const auto writer = daemon.install("writer", {{"PANDIUM.yaml", manifest(write)}});
    const auto other = daemon.install("other", {{"PANDIUM.yaml", manifest(write)}});
    const json run = daemon.run(writer.tenant);
    INFO(daemon.run_log(run["id"]) << run["reason"]);
    CHECK(run["state"] == "succeeded");
    CHECK(run["grants"] == json{"writable_path:" + folder.path().string()});
    std::ifstream file{folder.path() / "out"};
    std::string line;
    CHECK((std::getline(file, line) && line == "kept"));
    const json refused = daemon.run(other.tenant);
    CHECK(refused["state"] == "failed_integration");
    CHECK(refused["grants"] == json::array());
}

TEST_CASE("further system calls are allowed to the integration that they are granted to", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon{"grant.odd = extra_syscalls:personality\n"};
    const std::string set_personality = "exec setarch -R echo '{}'";  // without random addresses
    const auto odd = daemon.install("odd", {{"PANDIUM.yaml", manifest(set_personality)}});
    const auto usual = daemon.install("usual", {{"PANDIUM.yaml", manifest(set_personality)}});
    const json run = daemon.run(odd.tenant);
    INFO(run.dump(2));
    CHECK(run["state"] == "succeeded");
    CHECK(run["grants"] == json{"extra_syscalls:personality"});
    CHECK(run["refused_syscalls"] == json::array());
    const json refused = daemon.run(usual.tenant);
    CHECK(refused["state"] == "failed_integration");
    CHECK(refused["grants"] == json::array());
    CHECK(refused["refused_syscalls"] == json{"personality"});
    CHECK_THAT(refused["reason"].get<std::string>(), Contains("the sandbox refused: personality"));
}
