// The tables and records of the list and show commands, exactly.
#include <catch2/catch.hpp>

#include "tests/cli/fake_daemon.h"

using namespace berth;
using namespace berth::test;
using Catch::Matchers::Contains;

namespace {

const char* const kIntegrations = R"([
 {"id":1,"name":"shop-sync","long_name":"Shop to CRM","network":"egress","on_lost":"fail",
  "connectors":[{"name":"shop","isGlobal":false},{"name":"crm","isGlobal":true}],
  "default_release_id":11,"paused":false,"archived":false,"wall_time_seconds":600,
  "memory_mib":512,"created_date":"2026-11-20T08:00:00.000000Z"},
 {"id":2,"name":"report","network":"none","connectors":[],"default_release_channel":"Latest",
  "paused":true}])";

const char* const kTenants = R"---([
 {"id":7,"name":"acme","integration_id":1,"paused":false,"archived":false,
  "schedule":"*/15 * * * *","integration_release_channel":"Default",
  "status":{"auth":{"connected":true},
            "last_run":{"id":41,"phase":"Failed (Timeout)","startTime":"2026-11-22T03:00:00Z"}}},
 {"id":8,"name":"日本-store","integration_id":1,"paused":true,"integration_release_id":11,
  "status":{"auth":{"connected":false,"connectors":[{"name":"shop","status":"disconnected"}]},
            "last_run":{}}},
 {"id":9,"name":"evil\u001b[31m","integration_id":2,"paused":false,
  "status":{"auth":{"connected":true},"current_run":{"id":44,"phase":"Running"}}}])---";

const char* const kRun = R"json({"id":41,"tenant_id":7,"integration_id":1,"release_id":11,
 "mode":"normal","state":"failed_timeout","status":{"phase":"Failed (Timeout)"
}
,
 "reason":"over its time limit of 600 s","attempt":1,
 "triggers":[{"id":1,"source":"cron"},{"id":2,"source":"api"},{"id":3,"source":"cron"}],
 "started_date":"2026-11-22T03:00:00.000000Z","completed_date":"2026-11-22T03:10:00.500000Z",
 "usage":{"user_ms":1200,"system_ms":80,"max_rss_bytes":31457280,"log_bytes":1536,
  "memory_peak_bytes":47185920,"io_read_bytes":4096,"io_write_bytes":0,
  "sent_bytes":2048,"received_bytes":3145728},
 "times":{"queued_ms":1500,"preparing_ms":2,"starting_ms":0,"running_ms":600500},
 "rerun_of":38,"keeps_state":false,
 "warm":true,"refused_syscalls":["ptrace","mount"],"tree_empty":true,
 "grants":["host network"],"std_out":"{\"cursor\":17}"
})json";

const char* const kConnections = R"json([
 {"name":"api.shop.example","address":"203.0.113.9","port":443,"sent_bytes":1530,
  "received_bytes":2097152,"allowed":true,"refused":null},
 {"name":null,"address":"169.254.169.254","port":80,"sent_bytes":0,"received_bytes":0,
  "allowed":false,"refused":"link-local address"}])json";

void lay_integrations(FakeDaemon& daemon) {
    daemon.on("GET /v2/integrations?limit=100&skip=0", {200, kIntegrations});
    daemon.on("GET /v2/integrations/1", {200, R"({"id":1,"name":"shop-sync",
        "long_name":"Shop to CRM","network":"egress","on_lost":"fail","default_release_id":11,
        "egress_names":["*.shop.example","crm.example"],
        "connectors":[{"name":"shop","isGlobal":false},{"name":"crm","isGlobal":true}],
        "wall_time_seconds":600,"memory_mib":512})"});
    daemon.on("GET /v2/integrations/2", {200, R"({"id":2,"name":"report"})"});
}

void expect(const FakeDaemon& daemon, std::vector<std::string> command, const std::string& golden,
            Terminal terminal = {}) {
    const Ran ran = run_berth(daemon, std::move(command), std::move(terminal));
    INFO(ran.err);
    CHECK(ran.exit == Exit::ok);
    check_golden(golden, ran.out);
}

}  // namespace

TEST_CASE("integrations are listed and shown", "[cli]") {
    FakeDaemon daemon;
    lay_integrations(daemon);
    expect(daemon, {"integration", "list"}, "integration_list.txt");
    expect(daemon, {"integration", "show", "1"}, "integration_show.txt");
}

TEST_CASE("tenants are listed with their integration's name and what is missing", "[cli]") {
    FakeDaemon daemon;
    lay_integrations(daemon);
    daemon.on("GET /v2/tenants?limit=100&skip=0", {200, kTenants});
    expect(daemon, {"tenant", "list"}, "tenant_list.txt");
    expect(daemon, {"tenant", "list"}, "tenant_list_narrow.txt", {.width = 60});
    expect(daemon, {"tenant", "list"}, "tenant_list_colour.txt", {.colour = true});
}

TEST_CASE("a tenant is shown with its runs", "[cli]") {
    FakeDaemon daemon;
    lay_integrations(daemon);
    daemon.on("GET /v2/tenants/7", {200, R"({"id":7,"name":"acme","integration_id":1,
        "user_name":"bob","paused":false,"configs":{"since":"2026"},"schedule":"@daily",
        "status":{"auth":{"connected":true},"waiting_triggers":2,
          "current_run":{"id":44,"phase":"Running","startTime":"2026-11-22T03:00:00Z"},
          "last_successful_run":{"id":40,"phase":"Succeeded"}},
        "created_date":"2026-11-20T08:00:00.000000Z"})"});
    expect(daemon, {"tenant", "show", "7"}, "tenant_show.txt");
}

TEST_CASE("runs are listed and shown with their course", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/runs?limit=20&skip=0&sort_by=id__DESC",
              {200, std::string{"["} + kRun + R"(,{"id":40,"tenant_id":99,"mode":"init",
                 "state":"running","triggers":[],"started_date":"2026-11-22T03:00:00Z"}])"});
    daemon.on("GET /v2/tenants/7", {200, R"({"id":7,"name":"acme"})"});
    daemon.on("GET /v2/runs/41", {200, kRun});
    daemon.on("GET /v2/runs/41/events", {200, R"([
        {"state":"queued","attempt":1,"note":"","date":"2026-11-22T02:59:59.000000Z"},
        {"state":"running","attempt":1,"note":"sandbox 3","date":"2026-11-22T03:00:00.000000Z"}])"});
    daemon.on("GET /v2/runs/41/connections?limit=21", {200, kConnections});
    expect(daemon, {"run", "list"}, "run_list.txt");
    expect(daemon, {"run", "show", "41"}, "run_show.txt");
}

TEST_CASE("what a run connected to is listed, with the reason of a refusal", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/runs/41", {200, kRun});
    daemon.on("GET /v2/runs/41/connections?limit=100&skip=0", {200, kConnections});
    expect(daemon, {"run", "connections", "41"}, "run_connections.txt");
    const Ran json = run_berth(daemon, {"--json", "run", "connections", "41"});
    CHECK_THAT(json.out, Contains("\"allowed\": false") || Contains("\"allowed\":false"));
    daemon.on("GET /v2/runs/41/connections?limit=100&skip=0", {200, "[]"});
    CHECK_THAT(run_berth(daemon, {"run", "connections", "41"}).err,
               Contains("connected to nothing"));
}

TEST_CASE("of many connections a run shows the first and says how to see the others", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/runs/41", {200, kRun});
    daemon.on("GET /v2/tenants/7", {200, R"({"id":7,"name":"acme"})"});
    daemon.on("GET /v2/runs/41/events", {200, "[]"});
    std::string many;
    for (int i = 0; i < 21; ++i)
        many += (i == 0 ? "" : ",") + fmt::format(R"({{"name":"h{}","port":443}})", i);
    daemon.on("GET /v2/runs/41/connections?limit=21", {200, "[" + many + "]"});
    const Ran ran = run_berth(daemon, {"run", "show", "41"});
    CHECK_THAT(ran.out, Contains("\nh19 ") && !Contains("\nh20 "));
    CHECK_THAT(ran.err, Contains("there are more: 'berth run connections 41'"));
}

TEST_CASE("connections show the names of secrets only", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/tenants/7", {200, R"({"id":7,"name":"acme"})"});
    daemon.on("GET /v2/tenants/7/connectors", {200, R"([
        {"connector":"shop","isGlobal":false,"status":"connected","secrets":["api_key","url"],
         "last_change":"2026-11-21T10:00:00.000000Z"},
        {"connector":"crm","isGlobal":true,"status":"disconnected","secrets":[],
         "reason":"refresh refused"}])"});
    expect(daemon, {"connection", "list", "7"}, "connection_list.txt");
}

TEST_CASE("releases are listed with what base became", "[cli]") {
    FakeDaemon daemon;
    lay_integrations(daemon);
    daemon.on("GET /v2/integrations/1/releases", {200, R"([
        {"id":11,"name":"1","tag":"beta","base":"python:3.11","runtime":"host","run_command":
         "python3 main.py","created_date":"2026-11-20T08:00:00.000000Z"},
        {"id":10,"name":"0","base":"sh","runtime":"sh","run_command":"./run.sh"}])"});
    expect(daemon, {"release", "list", "1"}, "release_list.txt");
}

TEST_CASE("an empty list says how to make the first one", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/tenants?limit=100&skip=0", {200, "[]"});
    const Ran people = run_berth(daemon, {"tenant", "list"});
    CHECK(people.exit == Exit::ok);
    CHECK(people.out.empty());
    CHECK_THAT(people.err, Contains("berth tenant create"));
    CHECK(run_berth(daemon, {"tenant", "list", "--json"}).out == "[]\n");
}

TEST_CASE("a full page says how to see the next", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/connectors?limit=1&skip=4&sort_by=name__DESC",
              {200, R"([{"id":5,"name":"shop","kind":"custom"}])"});
    const Ran ran = run_berth(
        daemon, {"connector", "list", "--limit", "1", "--skip", "4", "--sort", "name", "--desc"});
    CHECK(ran.out == "ID  NAME  KIND\n5   shop  custom\n");
    CHECK(ran.err == "1 shown; '--skip 5' shows those that follow\n");
}

TEST_CASE("an integration is made and changed with only what is named", "[cli]") {
    FakeDaemon daemon;
    daemon.on("POST /v2/integrations", {200, R"({"id":3,"name":"x"})"});
    run_berth(daemon, {"integration", "create", "x", "--connector", "shop", "--global-connector",
                       "crm", "--wall-time", "30", "--network", "none"});
    CHECK(daemon.only("POST", "/v2/integrations").body ==
          R"({"connectors":[{"isGlobal":false,"name":"shop"},{"isGlobal":true,"name":"crm"}],)"
          R"("name":"x","network":"none","wall_time_seconds":30})");
    daemon.on("GET /v2/integrations/3", {200, R"({"id":3,"name":"x"})"});
    daemon.on("GET /v2/integrations/3/releases/latest", {200, R"({"id":12})"});
    daemon.on("PATCH /v2/integrations/3", {200, R"({"id":3,"name":"x"})"});
    CHECK(run_berth(daemon, {"integration", "update", "3"}).exit == Exit::usage);
    run_berth(daemon, {"integration", "update", "3", "--default-release", "latest", "--pause"});
    CHECK(daemon.only("PATCH", "/v2/integrations/3").body ==
          R"({"default_release_id":12,"paused":true})");
}

TEST_CASE("the names that an integration may reach are given and taken away", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/integrations/3", {200, R"({"id":3,"name":"x"})"});
    daemon.on("PATCH /v2/integrations/3", {200, R"({"id":3,"name":"x"})"});
    run_berth(daemon, {"integration", "update", "3", "--egress-name", "*.a.example",
                       "--egress-name", "b.example"});
    run_berth(daemon, {"integration", "update", "3", "--any-egress-name"});
    std::vector<std::string> sent;
    for (const Asked& asked : daemon.asked())
        if (asked.method == "PATCH") sent.push_back(asked.body);
    CHECK(sent == std::vector<std::string>{R"({"egress_names":["*.a.example","b.example"]})",
                                           R"({"egress_names":[]})"});
    CHECK(run_berth(daemon, {"integration", "update", "3", "--any-egress-name", "--egress-name",
                             "a.example"})
              .exit == Exit::usage);
}

TEST_CASE("a tenant is made with its settings from a file", "[cli]") {
    FakeDaemon daemon;
    lay_integrations(daemon);
    daemon.on("POST /v2/tenants", {200, R"({"id":7,"name":"acme","paused":true})"});
    write_file_atomically(daemon.dir() / "configs.json", R"({"since": "2026"})", 0600);
    const Ran ran =
        run_berth(daemon, {"tenant", "create", "acme", "--integration", "1", "--configs",
                           "@" + (daemon.dir() / "configs.json").string()});
    CHECK(ran.exit == Exit::ok);
    CHECK_THAT(ran.err, Contains("berth tenant resume acme"));
    CHECK(daemon.only("POST", "/v2/tenants").body ==
          R"({"configs":{"since":"2026"},"integration_id":1,"name":"acme"})");
}

TEST_CASE("a release is packed, uploaded and shown", "[cli]") {
    FakeDaemon daemon;
    lay_integrations(daemon);
    daemon.on("POST /v2/integrations/1/releases?tag=beta&default=true",
              {200, R"({"id":12,"name":"2","base":"node:18","runtime":"host","run_command":"node .",
                   "build_command":"npm ci","note":"node 20 is used for 18"})"});
    const auto folder = daemon.dir() / "code";
    std::filesystem::create_directory(folder);
    write_file_atomically(folder / "PANDIUM.yaml", "version: 1\n", 0644);
    const Ran ran = run_berth(
        daemon, {"release", "create", "1", folder.string(), "--tag", "beta", "--default"});
    INFO(ran.err);
    CHECK(ran.exit == Exit::ok);
    CHECK_THAT(ran.out, Contains("node:18 -> host") && Contains("node 20 is used for 18"));
    CHECK_THAT(ran.err, Contains("uploading") && Contains("was not run"));
    const Asked asked = daemon.only("POST", "/v2/integrations/1/releases");
    CHECK(asked.headers.at("content-type") == "application/x-tar");
    CHECK_FALSE(asked.body.empty());

    const Ran none = run_berth(daemon, {"release", "create", "1", "/nowhere"});
    CHECK(none.exit == Exit::usage);
    CHECK_THAT(none.err, Contains("'/nowhere' is not a folder"));
}

TEST_CASE("health is good only when the daemon is ready", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/health", {200, R"({"status":"ok","version":"0.1.0"})"});
    daemon.on("GET /v2/ready", {503, R"({"ready":false,"waiting_for":["runner","store"]})"});
    Ran ran = run_berth(daemon, {"health"});
    CHECK(ran.exit == Exit::failed);
    CHECK(ran.out ==
          "status       ok\nready        no\nwaiting for  runner, store\n"
          "version      0.1.0\n");
    daemon.on("GET /v2/ready", {200, R"({"ready":true})"});
    ran = run_berth(daemon, {"health"});
    CHECK(ran.exit == Exit::ok);
    CHECK_THAT(run_berth(daemon, {"health", "--json"}).out, Contains("\"ready\": true"));
    CHECK_THAT(run_berth(daemon, {"version"}).out, Contains("berthd 0.1.0"));
}
