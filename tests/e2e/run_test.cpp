// The main job: a trigger becomes a run, the run becomes a record.
#include <catch2/catch.hpp>

#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;

TEST_CASE("a trigger becomes exactly one run with its record and its log", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install(
        "hello", {{"PANDIUM.yaml", manifest("echo working >&2; echo '{\"cursor\": 7}'")}});

    const auto trigger = daemon.sync(made.tenant);
    const json run = daemon.wait_run(trigger);

    CHECK(run["state"] == "succeeded");
    CHECK(run["status"]["phase"] == "Succeeded");
    CHECK(run["reason"] == "exited with code 0");
    CHECK(run["tenant_id"] == made.tenant);
    CHECK(run["integration_id"] == made.integration);
    CHECK(run["release_id"] == made.release);
    CHECK(run["mode"] == "normal");
    CHECK(run["std_out"] == "{\"cursor\": 7}");
    CHECK(run["grants"] == json::array());
    REQUIRE(run["triggers"].size() == 1);
    CHECK(run["triggers"][0]["id"] == trigger);
    CHECK(run["triggers"][0]["source"] == "api");
    CHECK(run["started_date"] <= run["completed_date"]);
    CHECK(daemon.run_log(run["id"], "stderr") == "working\n");
    CHECK(daemon.run_log(run["id"], "stdout") == "{\"cursor\": 7}\n");

    std::vector<std::string> states;
    for (const auto& event :
         daemon.must("GET", "/v2/runs/" + std::to_string(run["id"].get<int>()) + "/events"))
        states.push_back(event["state"]);
    CHECK(states ==
          std::vector<std::string>{"queued", "preparing", "starting", "running", "succeeded"});
}

TEST_CASE("the state of a run reaches the next one, under every spelling", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made =
        daemon.install("counter", {{"PANDIUM.yaml", manifest("sh count.sh")},
                                   {"count.sh",
                                    "env | grep LAST_ | sort >&2\n"
                                    "echo $((${PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT:-0} + 1))\n"}});
    CHECK(daemon.run(made.tenant)["std_out"] == "1");
    const json second = daemon.run(made.tenant);
    CHECK(second["std_out"] == "2");
    const auto log = daemon.run_log(second["id"], "stderr");
    for (const char* line :
         {"PAN_CTX_LAST_RUN_PHASE=Succeeded\n", "PAN_CTX_LAST_RUN_STDOUT=1\n",
          "PAN_CTX_LAST_RUN_STD_OUT=1\n", "PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT=1\n",
          "PAN_CTX_LAST_SUCESSFUL_RUN_STDOUT=1\n"}) {
        INFO(line << "in\n" << log);
        CHECK(log.find(line) != std::string::npos);
    }
}

TEST_CASE("triggers that come during a run are bundled into one run after it", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install(
        "bundle", {{"PANDIUM.yaml", manifest("echo \"$PAN_CTX_RUN_TRIGGERS\" >&2; sleep 1")}});
    const auto first = daemon.sync(made.tenant, "normal", {{"n", 1}});
    REQUIRE(eventually([&] {
        return daemon.request("GET", "/v2/runs/triggers/" + first + "/status").status == 200;
    }));
    const auto second = daemon.sync(made.tenant, "normal", {{"n", 2}});
    const auto third = daemon.sync(made.tenant, "normal", {{"n", 3}});

    const json one = daemon.wait_run(first), two = daemon.wait_run(second),
               three = daemon.wait_run(third);
    CHECK(one["id"] != two["id"]);
    CHECK(two["id"] == three["id"]);
    CHECK(two["triggers"].size() == 2);
    CHECK(two["started_date"] >= one["completed_date"]);
    const json handed = json::parse(daemon.run_log(two["id"], "stderr"));
    REQUIRE(handed.size() == 2);
    CHECK(handed[0]["id"] == second);
    CHECK(handed[0]["payload"]["n"] == 2);
    CHECK(handed[1]["payload"]["n"] == 3);
}

TEST_CASE("the payload of an api trigger is a file in the sandbox", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made =
        daemon.install("payload", {{"PANDIUM.yaml", manifest("cat /work/.berth/trigger-*.body")}});
    const json run = daemon.run(made.tenant, "normal", {{"order", 42}});
    CHECK(run["state"] == "succeeded");
    CHECK(json::parse(run["std_out"].get<std::string>()) == json{{"order", 42}});
}

TEST_CASE("an init run fills the tenant's options", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install(
        "options",
        {{"PANDIUM.yaml",
          manifest("echo '{\"lists\": [\"a\", \"b\"], \"note\": \"kept out\"}'",
                   "configs:\n  schema:\n    type: object\n    properties:\n      list:\n"
                   "        $ref: '#/definitions/lists'\n    definitions:\n      lists:\n"
                   "        type: string\n        enum: [placeholder]\n")}});
    CHECK(daemon.run(made.tenant, "init")["state"] == "succeeded");
    const auto path = "/v2/tenants/" + std::to_string(made.tenant);
    CHECK(daemon.must("GET", path)["status"]["dynamic_configs"] == json{{"lists", {"a", "b"}}});
    CHECK(daemon.request("PATCH", path, {{"configs", {{"list", "b"}}}}).status == 200);
    const auto wrong = daemon.request("PATCH", path, {{"configs", {{"list", "zzz"}}}});
    CHECK(wrong.status == 422);
    CHECK(json::parse(wrong.body)["detail"][0]["loc"] == json{"body", "configs", "list"});
}

TEST_CASE("metadata that fits is merged, and what does not fit fails the run", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const std::string schema =
        "configs: {}\nmetadata_schema:\n  schema:\n    type: object\n    properties:\n"
        "      count: {type: integer}\n";
    const auto made = daemon.install(
        "meta",
        {{"PANDIUM.yaml",
          manifest("cat \"$PAN_CTX_TENANT_METADATA_FILE\" >&2; cat $(ls /work/.berth/*.body) "
                   "| sed 's/.*\"print\":\"\\([^|]*\\)|\".*/\\1/' | tr \"'\" '\"'",
                   schema)}});
    const auto metadata = "/v2/tenants/" + std::to_string(made.tenant) + "/metadata";
    const json good = daemon.run(made.tenant, "normal", {{"print", "{'count': 3, 'x': 1}|"}});
    INFO(daemon.run_log(good["id"]));
    CHECK(good["state"] == "succeeded");
    CHECK(daemon.must("GET", metadata)["data"] == json{{"count", 3}, {"x", 1}});

    const json bad = daemon.run(made.tenant, "normal", {{"print", "{'count': 'three'}|"}});
    CHECK(bad["state"] == "failed_metadata");
    CHECK(bad["status"]["phase"] == "Failed (Metadata Validation)");
    CHECK(bad["reason"].get<std::string>().find("count") != std::string::npos);
    CHECK(daemon.must("GET", metadata)["data"] == json{{"count", 3}, {"x", 1}});
    CHECK(json::parse(daemon.run_log(bad["id"], "stderr")) == json{{"count", 3}, {"x", 1}});
}

TEST_CASE("a repeated request with one idempotency key is one trigger", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install("idem", {{"PANDIUM.yaml", manifest("true")}});
    const auto path = "/v2/tenants/" + std::to_string(made.tenant) + "/sync?mode=normal";
    const berth::ClientHeaders key{{"Idempotency-Key", "abc"}};
    const json one = daemon.must("POST", path, nullptr, key);
    const json two = daemon.must("POST", path, nullptr, key);
    CHECK(one == two);
    daemon.wait_run(one["trigger_id"]);
    CHECK(daemon.must("GET", "/v2/tenants/" + std::to_string(made.tenant) + "/runs").size() == 1);
}

TEST_CASE("a log is followed live to its end, without a gap", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install(
        "live",
        {{"PANDIUM.yaml",
          manifest("for i in $(seq 1 40); do echo line $i >&2; sleep 0.02; done; echo end")}});
    const auto trigger = daemon.sync(made.tenant);
    REQUIRE(eventually([&] {
        return daemon.request("GET", "/v2/runs/triggers/" + trigger + "/status").status == 200;
    }));
    const auto id = daemon.must("GET", "/v2/runs/triggers/" + trigger + "/status")["run_id"];
    std::string text;
    std::uint64_t last = 0;
    json end;
    berth::Client client{daemon.socket()};
    const auto followed =
        client.follow("/v2/runs/" + std::to_string(id.get<int>()) + "/log?follow=1",
                      [&](const berth::ServerEvent& event) {
                          const json data = json::parse(event.data);
                          if (event.event == "end") end = data;
                          if (event.event == "chunk") {
                              CHECK(data["seq"].get<std::uint64_t>() == last + 1);
                              last = data["seq"];
                              text += data["text"];
                          }
                          return berth::Follow::on;
                      });
    REQUIRE(followed);
    std::string wanted;
    for (int i = 1; i <= 40; ++i)
        wanted += "line " + std::to_string(i) + "\n";
    CHECK(text == wanted + "end\n");
    CHECK(end["state"] == "succeeded");
}

TEST_CASE("a run is cancelled while it runs, and a second cancel says it has ended", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made =
        daemon.install("long", {{"PANDIUM.yaml", manifest("echo up >&2; sleep 600")}});
    const auto trigger = daemon.sync(made.tenant);
    const auto status = "/v2/runs/triggers/" + trigger + "/status";
    REQUIRE(eventually([&] {
        const auto answer = daemon.request("GET", status);
        return answer.status == 200 && json::parse(answer.body)["state"] == "running";
    }));
    const auto run = "/v2/runs/" + std::to_string(daemon.must("GET", status)["run_id"].get<int>());
    CHECK(daemon.request("POST", run + "/cancel").status == 202);
    CHECK(daemon.wait_run(trigger)["state"] == "cancelled");
    CHECK(daemon.request("POST", run + "/cancel").status == 409);
    CHECK(daemon.nothing_sandboxed());
}

TEST_CASE("a paused integration keeps its triggers until it goes on", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install("paused", {{"PANDIUM.yaml", manifest("true")}});
    const auto path = "/v2/integrations/" + std::to_string(made.integration);
    daemon.must("PATCH", path, {{"paused", true}});
    const auto trigger = daemon.sync(made.tenant);
    const auto tenant = "/v2/tenants/" + std::to_string(made.tenant);
    CHECK(daemon.must("GET", tenant)["status"]["waiting_triggers"] == 1);
    CHECK(daemon.request("GET", "/v2/runs/triggers/" + trigger + "/status").status == 404);
    daemon.must("PATCH", path, {{"paused", false}});
    CHECK(daemon.wait_run(trigger)["state"] == "succeeded");
}
