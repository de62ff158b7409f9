// The control plane of the real daemon: the contract's shapes, and bad input.
#include <catch2/catch.hpp>
#include <fstream>

#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;

TEST_CASE("the contract's objects have the contract's fields", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made =
        daemon.install("shape", {{"PANDIUM.yaml", manifest("true")}}, {{"long_name", "A Shape"}});
    const auto has = [](const json& object, std::initializer_list<const char*> names) {
        for (const char* name : names) {
            INFO(name << " in " << object.dump());
            CHECK(object.contains(name));
        }
    };
    const auto integration = "/v2/integrations/" + std::to_string(made.integration);
    has(daemon.must("GET", integration),
        {"id", "created_date", "modified_date", "name", "long_name", "connectors",
         "repository_path", "repository_tracking_branch", "repository_url", "type", "categories",
         "tags", "flag", "default_release_id", "default_release_channel"});
    for (const char* which : {"/releases/default", "/releases/latest", "/releases/1"})
        has(daemon.must("GET", integration + which),
            {"id", "name", "repository_tracking_branch", "run_command", "tag", "config_schema",
             "config_version", "metadata_schema", "created_date", "modified_date"});
    const json tenant = daemon.must("GET", "/v2/tenants/" + std::to_string(made.tenant));
    has(tenant, {"id", "name", "archived", "integration_id", "configs", "paused", "user_schedule",
                 "schedule", "source", "integration_release_id", "integration_release_channel",
                 "status", "created_date", "modified_date"});
    CHECK(tenant["paused"] == true);
    CHECK(tenant["source"] == "api");
    has(tenant["status"],
        {"last_run", "current_run", "last_successful_run", "dynamic_configs", "auth"});
    const json run = daemon.run(made.tenant);
    has(run, {"id", "mode", "status", "triggers", "started_date", "completed_date", "tenant_id",
              "integration_id"});
    has(run["status"], {"phase", "startTime", "completionTime"});
    has(run["triggers"][0], {"id", "created_date", "mode", "source", "payload"});
}

TEST_CASE("lists page and sort as the contract says", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    for (const char* name : {"aa", "bb", "cc"})
        daemon.must("POST", "/v2/integrations", {{"name", name}});
    const auto names = [&](const std::string& query) {
        std::string all;
        for (const auto& one : daemon.must("GET", "/v2/integrations" + query))
            all += one["name"].get<std::string>() + " ";
        return all;
    };
    CHECK(names("") == "aa bb cc ");
    CHECK(names("?sort_by=name__DESC&limit=2") == "cc bb ");
    CHECK(names("?skip=2") == "cc ");
    for (const char* bad : {"?limit=0", "?limit=501", "?limit=x", "?skip=-1", "?sort_by=name",
                            "?sort_by=password__ASC", "?archived=maybe"}) {
        const auto answer = daemon.request("GET", std::string{"/v2/integrations"} + bad);
        INFO(bad << ": " << answer.body);
        CHECK(answer.status == 422);
        CHECK(json::parse(answer.body)["detail"][0]["loc"][0] == "query");
    }
}

TEST_CASE("wrong ids, types and names are refused, each at its place", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install("strict", {{"PANDIUM.yaml", manifest("true")}});
    struct Case {
        const char* method;
        std::string path;
        json body;
        int status;
        const char* where;  // the last part of loc; empty: a {"message"}
    };
    const auto tenant = "/v2/tenants/" + std::to_string(made.tenant);
    const auto new_tenant = [&](json more) {
        json body{{"name", "x"}, {"integration_id", made.integration}};
        body.update(more);
        return body;
    };
    const std::vector<Case> cases{
        {"GET", "/v2/tenants/abc", nullptr, 422, "tenant_id"},
        {"GET", "/v2/tenants/-1", nullptr, 422, "tenant_id"},
        {"GET", "/v2/tenants/99999999999999999999", nullptr, 422, "tenant_id"},
        {"GET", "/v2/tenants/424242", nullptr, 404, ""},
        {"GET", "/v2/runs/424242", nullptr, 404, ""},
        {"GET", "/v2/runs/424242/log?follow=1", nullptr, 404, ""},
        {"GET", "/v2/runs/triggers/nonsense/status", nullptr, 404, ""},
        {"GET", "/v2/integrations/424242/releases", nullptr, 404, ""},
        {"GET", "/v2/nothing", nullptr, 404, ""},
        {"POST", "/v2/integrations", {{"name", 7}}, 422, "name"},
        {"POST", "/v2/integrations", {{"name", "Upper"}}, 422, "name"},
        {"POST", "/v2/integrations", {{"name", "-x"}}, 422, "name"},
        {"POST", "/v2/integrations", {{"long_name", "x"}}, 422, "name"},
        {"POST", "/v2/integrations", {{"name", "y"}, {"netwrok", "host"}}, 422, "netwrok"},
        {"POST", "/v2/integrations", {{"name", "y"}, {"network", "all"}}, 422, "network"},
        {"POST",
         "/v2/integrations",
         {{"name", "y"}, {"wall_time_seconds", 0}},
         422,
         "wall_time_seconds"},
        {"POST", "/v2/integrations", {{"name", "strict"}}, 409, ""},
        {"POST", "/v2/tenants", new_tenant({{"name", std::string(64, 'a')}}), 422, "name"},
        {"POST", "/v2/tenants", new_tenant({{"name", "BAD_Name"}}), 422, "name"},
        {"POST", "/v2/tenants", new_tenant({{"integration_id", 424242}}), 422, "integration_id"},
        {"POST", "/v2/tenants", new_tenant({{"integration_id", "1"}}), 422, "integration_id"},
        {"POST", "/v2/tenants", new_tenant({{"configs", json::array()}}), 422, "configs"},
        {"POST", "/v2/tenants",
         new_tenant({{"integration_release_id", 1}, {"integration_release_channel", "Latest"}}),
         422, "integration_release_channel"},
        {"POST", tenant + "/sync", nullptr, 422, ""},
        {"POST", tenant + "/sync?mode=webhook", nullptr, 422, ""},
        {"POST", tenant + "/sync?mode=normal", json::array({1}), 422, ""},
        {"POST", "/v2/tenants/424242/sync?mode=normal", nullptr, 404, ""},
        {"PUT", tenant + "/connectors/nope/connection", {{"secrets", {{"k", "vvvvvv"}}}}, 404, ""},
        {"PATCH", tenant + "/connectors/nope/disconnect", nullptr, 404, ""},
        {"PATCH", tenant + "/metadata", {{"a", 1}}, 422, "body"},
        {"PATCH", tenant, {{"paused", "yes"}}, 422, "paused"},
        {"PATCH", tenant, {{"integration_release_id", 424242}}, 422, "integration_release_id"},
        {"PATCH",
         "/v2/integrations/" + std::to_string(made.integration),
         {{"default_release_id", 424242}},
         422,
         "default_release_id"},
        {"DELETE", "/v2/integrations/1", nullptr, 405, ""},
    };
    for (const Case& one : cases) {
        const auto answer = daemon.request(one.method, one.path, one.body);
        INFO(one.method << " " << one.path << " " << one.body.dump() << " -> " << answer.status
                        << " " << answer.body);
        CHECK(answer.status == one.status);
        const json said = json::parse(answer.body);
        if (one.where[0] == '\0')
            CHECK(said.contains("message"));
        else
            CHECK(said["detail"][0]["loc"].back() == one.where);
    }
}

TEST_CASE("an archived tenant is hidden and takes no trigger", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install("arch", {{"PANDIUM.yaml", manifest("true")}});
    const auto tenant = "/v2/tenants/" + std::to_string(made.tenant);
    CHECK(daemon.request("DELETE", tenant).status == 200);
    CHECK(daemon.must("GET", "/v2/tenants").empty());
    CHECK(daemon.must("GET", "/v2/tenants?archived=true").size() == 1);
    const auto answer = daemon.request("POST", tenant + "/sync?mode=normal");
    CHECK(answer.status == 409);
    CHECK(answer.body.find("archived") != std::string::npos);
}

TEST_CASE("settings are checked against the release, and errors name the property", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install(
        "settings",
        {{"PANDIUM.yaml", manifest("env | grep ^PAN_CFG | sort",
                                   "configs:\n  schema:\n    type: object\n    required: [size]\n"
                                   "    properties:\n      size: {type: integer, min: 1, max: 10}\n"
                                   "      dry: {type: boolean}\n")}},
        json::object(), {{"size", 3}});
    const json run = daemon.run(made.tenant);
    CHECK(daemon.run_log(run["id"], "stdout") == "PAN_CFG_DRY=false\nPAN_CFG_SIZE=3\n");
    const auto path = "/v2/tenants/" + std::to_string(made.tenant);
    for (const json& configs : {json{{"size", 11}}, json{{"size", "big"}}, json::object()}) {
        const auto answer = daemon.request("PATCH", path, {{"configs", configs}});
        INFO(answer.body);
        CHECK(answer.status == 422);
        CHECK(answer.body.find("size") != std::string::npos);
    }
    CHECK(daemon.must("GET", path)["configs"] == json{{"size", 3}});
}

TEST_CASE("releases that cannot run are refused when they are made", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const std::int64_t id = daemon.must("POST", "/v2/integrations", {{"name", "rel"}})["id"];
    struct Case {
        Folder folder;
        const char* says;
    };
    for (const auto& [folder, says] : std::vector<Case>{
             {{{"main.sh", "true"}}, "PANDIUM.yaml"},
             {{{"PANDIUM.yaml", "version: 1.0\nbase: sh\nconfigs: {}\n"}}, "run"},
             {{{"PANDIUM.yaml", "version: 1.0\nbase: cobol:85\nrun: x\nconfigs: {}\n"}}, "cobol"},
             {{{"PANDIUM.yaml", "version: 1.0\n\tbase: sh\n"}}, "PANDIUM.yaml:2:"},
             {{{"PANDIUM.yaml",
                "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
                "e: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nversion: 1.0\n"}},
              "PANDIUM.yaml:"}}) {
        const auto answer = daemon.upload(id, folder);
        INFO(answer.body);
        CHECK(answer.status == 422);
        CHECK(answer.body.find(says) != std::string::npos);
    }
    CHECK(daemon.must("GET", "/v2/integrations/" + std::to_string(id) + "/releases").empty());
    const auto no_release =
        daemon.request("POST", "/v2/tenants", {{"name", "t"}, {"integration_id", id}});
    INFO(no_release.body);
    CHECK(no_release.status == 422);
    berth::Client client{daemon.socket()};
    const auto junk =
        client.request("POST", "/v2/integrations/" + std::to_string(id) + "/releases",
                       std::string(4096, 'j'), {{"Content-Type", "application/x-tar"}});
    REQUIRE(junk);
    CHECK(junk->status == 400);
}

TEST_CASE("the same content is the same release", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install("same", {{"PANDIUM.yaml", manifest("true")}});
    const json again =
        json::parse(daemon.upload(made.integration, {{"PANDIUM.yaml", manifest("true")}}).body);
    CHECK(again["id"] == made.release);
    const json other =
        json::parse(daemon.upload(made.integration, {{"PANDIUM.yaml", manifest("false")}}).body);
    CHECK(other["id"] != made.release);
}

TEST_CASE("a log link is good as it was given, and no other", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install("link", {{"PANDIUM.yaml", manifest("echo hi >&2")}});
    const json run = daemon.run(made.tenant);
    const auto base = "/v2/runs/" + std::to_string(run["id"].get<int>()) + "/log";
    const auto link = daemon.request("GET", base);
    CHECK(link.status == 302);
    const std::string location{link.header("location")};
    CHECK(daemon.request("GET", location).body == "hi\n");
    auto forged = location;
    forged.back() = forged.back() == '0' ? '1' : '0';
    CHECK(daemon.request("GET", forged).status == 403);
    CHECK(daemon.request("GET", base + "/content").status == 403);
}

TEST_CASE("every JSON file that must be refused is refused by the daemon", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const std::filesystem::path corpus{BERTH_SOURCE_DIR "/../shared/testdata/json/test_parsing"};
    if (!std::filesystem::exists(corpus)) {
        WARN("skipped: the JSON corpus is not beside this repository");
        return;
    }
    Daemon daemon;
    const auto made = daemon.install("corpus", {{"PANDIUM.yaml", manifest("true")}});
    daemon.must("PATCH", "/v2/integrations/" + std::to_string(made.integration),
                {{"paused", true}});
    const auto path = "/v2/tenants/" + std::to_string(made.tenant) + "/sync?mode=normal";
    berth::Client client{daemon.socket()};
    int refused = 0, taken = 0;
    for (const auto& entry : std::filesystem::directory_iterator{corpus}) {
        const auto name = entry.path().filename().string();
        std::ifstream file{entry.path(), std::ios::binary};
        const std::string body{std::istreambuf_iterator<char>{file}, {}};
        const auto answer = client.request("POST", path, body);
        INFO(name);
        REQUIRE(answer);
        if (name.starts_with("n_") && !body.empty()) {
            CHECK((answer->status == 400 || answer->status == 422));
            ++refused;
        } else {
            // y_: an object is taken, any other value is not what a payload may be.
            CHECK((answer->status == 202 || answer->status == 422 || answer->status == 400));
            taken += answer->status == 202 ? 1 : 0;
        }
    }
    CHECK(refused > 150);
    CHECK(taken > 5);
    CHECK(daemon.request("GET", "/v2/health").status == 200);
}

TEST_CASE("an archived integration takes no trigger, and a name can be taken back only once",
          "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install("names", {{"PANDIUM.yaml", manifest("true")}});
    const auto tenant = "/v2/tenants/" + std::to_string(made.tenant);
    CHECK(daemon.request("DELETE", tenant).status == 200);
    const json second = daemon.must(
        "POST", "/v2/tenants", {{"name", "names-tenant"}, {"integration_id", made.integration}});
    const auto back = daemon.request("PATCH", tenant, {{"archived", false}});
    CHECK(back.status == 409);
    CHECK(back.body.find("names-tenant") != std::string::npos);
    CHECK(daemon.request("PATCH", tenant, {{"archived", false}, {"name", "other"}}).status == 200);
    CHECK(daemon.request("PATCH", tenant, {{"name", "names-tenant"}}).status == 409);
    CHECK(daemon.request("PATCH", tenant, json::object()).status == 200);

    daemon.must("PATCH", "/v2/integrations/" + std::to_string(made.integration),
                {{"archived", true}});
    const auto refused = daemon.request("POST", tenant + "/sync?mode=normal");
    CHECK(refused.status == 409);
    CHECK(refused.body.find("archived") != std::string::npos);
}

TEST_CASE("a log larger than a follower may leave unread is followed to its end", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install(
        "large", {{"PANDIUM.yaml", manifest("yes 'a line of a large log' | head -c 9000000 >&2")}});
    const json run = daemon.run(made.tenant);
    const auto path = "/v2/runs/" + std::to_string(run["id"].get<int>()) + "/log?follow=1";
    const auto answer = daemon.request("GET", path);
    CHECK(answer.status == 200);
    CHECK(answer.body.find("event: error") == std::string::npos);
    CHECK(answer.body.find("event: end") != std::string::npos);
    CHECK(answer.body.size() > 9'000'000);
    CHECK(daemon.request("HEAD", path).status == 200);  // at once, also of a live run
}
