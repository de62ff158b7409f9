// The real daemons without room on the disk: what cannot be promised is refused by name, what
// was begun is ended on record, and it heals by itself.
#include <signal.h>

#include <catch2/catch.hpp>

#include "base/text.h"
#include "tests/store/small_disk.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;
using namespace std::chrono_literals;

namespace {

// Runs until `go` lies in its folder, then says a little and succeeds.
constexpr const char* kWaits =
    "until [ -e go ]; do sleep 0.05; done; echo last words >&2; echo '{\"kept\":true}'";

// Starts it and waits until the script is running.
std::string start(Daemon& daemon, std::int64_t tenant) {
    const auto trigger = daemon.sync(tenant);
    REQUIRE(eventually([&] {
        const auto answer = daemon.request("GET", "/v2/runs/triggers/" + trigger + "/status");
        return answer.status == 200 && json::parse(answer.body)["state"] == "running";
    }));
    return trigger;
}

void let_go(Daemon& daemon) {
    for (const auto& release : std::filesystem::directory_iterator{daemon.state_dir() / "releases"})
        berth::write_file_atomically(release.path() / "go", "", 0644);
}

std::string metric(Daemon& daemon, const std::string& name) {
    const auto answer = daemon.request("GET", "/metrics");
    for (const std::string& line : berth::split(answer.body, '\n'))
        if (line.starts_with(name + " ")) return line.substr(name.size() + 1);
    return "";
}

json check_named(Daemon& daemon, const std::string& name) {
    const json doctor = daemon.must("GET", "/v2/doctor");
    const json& checks = doctor.is_array() ? doctor : doctor.begin().value();
    for (const json& check : checks)
        if (check["name"] == name) return check;
    FAIL("the doctor has no check '" << name << "'");
    return {};
}

}  // namespace

TEST_CASE("on a full disk live runs end on record, new ones are refused, and it heals", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const berth::TempDir root{"berth-full"};
    const SmallDisk disk{root.path(), "size=48m,mode=755"};
    REQUIRE(disk.mounted());
    Daemon daemon{root.path(), ""};
    daemon.start();
    const auto live = daemon.install("live", {{"PANDIUM.yaml", manifest(kWaits)}});
    const auto other = daemon.install("other", {{"PANDIUM.yaml", manifest("echo ok")}});
    REQUIRE(daemon.run(other.tenant)["state"] == "succeeded");
    const auto running = start(daemon, live.tenant);
    CHECK(metric(daemon, "berth_store_full") == "0");
    CHECK(check_named(daemon, "room on the disk")["ok"] == true);

    for (int round = 0; round < 3; ++round) {
        INFO("round " << round);
        disk.fill();
        const auto path = fmt::format("/v2/tenants/{}/sync?mode=normal", other.tenant);
        std::vector<std::string> promised;
        berth::ClientResponse refused;
        // Until the room in files that the store has already is used up.
        for (int i = 0; i < 500 && refused.status == 0; ++i) {
            const auto answer =
                daemon.request("POST", path, {{"filler", std::string(30'000, 'y')}});
            if (answer.status == 202)
                promised.push_back(json::parse(answer.body)["trigger_id"]);
            else
                refused = answer;
        }
        REQUIRE(refused.status == 503);
        CHECK(refused.header("retry-after") == "1");
        CHECK(json::parse(refused.body)["message"] ==
              "the store's disk is full, so nothing new is accepted; make room, and it goes on by "
              "itself");
        // One rule for all that would be written.
        const auto tenant = fmt::format("/v2/tenants/{}", other.tenant);
        const auto integration = fmt::format("/v2/integrations/{}", other.integration);
        for (const auto& answer :
             {daemon.request("PATCH", tenant, {{"name", "renamed"}}),
              daemon.request("PATCH", integration, {{"paused", true}}),
              daemon.request("POST", "/v2/integrations", {{"name", "another"}}),
              daemon.request("PUT", tenant + "/schedule", {{"text", "@daily"}}),
              daemon.upload(other.integration, {{"PANDIUM.yaml", manifest("echo another")}})}) {
            INFO(answer.body);
            CHECK(answer.status == 503);
            CHECK(answer.header("retry-after") == "1");
        }
        CHECK(metric(daemon, "berth_store_full") == "1");
        CHECK(check_named(daemon, "room on the disk")["ok"] == false);
        const auto ready = daemon.request("GET", "/v2/ready");
        CHECK(ready.status == 503);
        CHECK(ready.body.find("the store's disk: it is full") != std::string::npos);

        if (round == 0) {  // the end of what was begun is kept while the disk is still full
            let_go(daemon);
            const json run = daemon.wait_run(running);
            CHECK(run["state"] == "succeeded");
            CHECK(run["std_out"] == "{\"kept\":true}");
            CHECK(daemon.run_log(run["id"], "stderr") == "last words\n");
            CHECK(daemon.request("POST", path).status == 503);
        }

        disk.make_room();
        CHECK(eventually([&] { return daemon.request("POST", path).status == 202; }));
        for (const auto& trigger : promised)
            CHECK(daemon.wait_run(trigger)["state"] == "succeeded");
        CHECK(metric(daemon, "berth_store_full") == "0");
        CHECK(daemon.request("GET", "/v2/ready").status == 200);
    }
    daemon.stop(SIGTERM);
}
