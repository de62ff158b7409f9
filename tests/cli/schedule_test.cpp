// `berth schedule`, exactly as a person sees it. `explain` asks no daemon.
#include <catch2/catch.hpp>

#include "tests/cli/fake_daemon.h"

using namespace berth;
using namespace berth::test;
using Catch::Matchers::Contains;

namespace {

Ran explain(std::vector<std::string> arguments) {
    std::vector<std::string> command{"schedule", "explain"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    command.insert(command.end(), {"--now", "2027-03-27T12:00:00Z"});
    return run_berth("/nowhere", std::move(command));
}

void expect(std::vector<std::string> arguments, const std::string& golden) {
    const Ran ran = explain(std::move(arguments));
    CHECK(ran.exit == Exit::ok);
    CHECK((ran.err.empty() || ran.err.starts_with("zone data: ")));
    check_golden(golden, ran.out);
}

}  // namespace

TEST_CASE("a fixed time is explained with what clock changes do to it", "[cli]") {
    expect({"30 2 * * *", "--tz", "Europe/Berlin"}, "schedule_fixed.txt");
}

TEST_CASE("the explanation follows the rule that was chosen", "[cli]") {
    expect({"30 2 * 3 SUNL", "--tz", "Europe/Berlin", "--gap", "skip", "--overlap", "both"},
           "schedule_never.txt");
}

TEST_CASE("a wildcard, an interval and jitter are explained", "[cli]") {
    expect({"*/15 9-17 * * MON-FRI", "--tz", "America/New_York", "--count", "3"},
           "schedule_wildcard.txt");
    expect({"@every 90m", "--count", "3", "--jitter", "5m", "--tenant", "7"},
           "schedule_interval.txt");
    const Ran nobody = explain({"0 * * * *", "--jitter", "5m"});
    CHECK_THAT(nobody.out, Contains("each tenant starts up to 5 min after these times"));
}

TEST_CASE("the explanation is JSON for programs", "[cli]") {
    const Ran ran = explain({"0 2 * * *", "--tz", "Europe/Berlin", "--count", "1", "--json"});
    CHECK(ran.exit == Exit::ok);
    for (const char* part : {"\"words\": \"at 02:00 every day\"", "\"kind\": \"gap_made_up\"",
                             "\"utc\": \"2027-03-28T01:00:00Z\"", "\"rule\": \"shifted\""})
        CHECK_THAT(ran.out, Contains(part));
}

TEST_CASE("a fault in a schedule is marked below it", "[cli]") {
    const Ran ran = explain({"0 25 * * *"});
    CHECK(ran.exit == Exit::failed);
    CHECK(ran.out.empty());
    CHECK(ran.err ==
          "berth: cannot read the schedule: hour 25 is out of range: write 0 to 23\n"
          "         0 25 * * *\n"
          "           ^^\n");
}

TEST_CASE("a mark stands right below characters of any width, and nothing is let through",
          "[cli]") {
    const Ran ran = explain({"0 0 \x1b日 * *"});
    CHECK_THAT(ran.err, Contains("         0 0 \\x1b日 * *\n             ^^^^\n"));
}

TEST_CASE("other faults of an explanation name their cure", "[cli]") {
    const Ran zone = explain({"0 2 * * *", "--tz", "berlin"});
    CHECK(zone.exit == Exit::failed);
    CHECK_THAT(zone.err, Contains("there is no time zone 'berlin'") && Contains("Europe/Berlin"));
    const Ran rule = explain({"0 2 * * *", "--gap", "first"});
    CHECK(rule.exit == Exit::usage);
    const Ran seconds = explain({"*/10 * * * * *"});
    CHECK_THAT(seconds.err, Contains("six fields begin with the second"));
    CHECK(explain({"*/10 * * * * *", "--seconds"}).exit == Exit::ok);
    const Ran window = explain({"0 2 * * *", "--jitter", "5"});
    CHECK(window.exit == Exit::usage);
    CHECK_THAT(window.err, Contains("a unit is missing here"));
    const Ran long_text = explain({std::string(1000, '*')});
    CHECK_THAT(long_text.err, Contains("longer than 256 bytes") && !Contains("***"));
}

namespace {

const char* const kSchedule = R"({"tenant_id":7,"source":"tenant","text":"30 2 * * *",
 "zone":"Europe/Berlin","gap":"at_end","overlap":"first","jitter_seconds":300,"missed":"one",
 "window_seconds":86400,"when_busy":"queue","enabled":true,
 "next_date":"2027-03-28T01:00:00.000000Z","next_look_date":"2027-03-28T01:01:00.000000Z",
 "last_date":"2027-03-27T01:30:00.000000Z","trouble":null,
 "warning":"13 of its last 20 firings shared a run with an earlier one: its last run took 50 s"})";

void lay_tenant(FakeDaemon& daemon) {
    daemon.on("GET /v2/tenants/7", {200, R"({"id":7,"name":"acme"})"});
}

void expect_of(FakeDaemon& daemon, std::vector<std::string> arguments, const std::string& golden) {
    const Ran ran = run_berth(daemon, std::move(arguments));
    INFO(ran.err);
    CHECK(ran.exit == Exit::ok);
    check_golden(golden, ran.out);
}

}  // namespace

TEST_CASE("a schedule is listed and shown with what comes next", "[cli]") {
    FakeDaemon daemon;
    lay_tenant(daemon);
    daemon.on("GET /v2/schedules?limit=500",
              {200, std::string{"["} + kSchedule + R"(,{"tenant_id":8,"source":"integration",
                "text":"@every 5m","zone":"UTC","next_date":null,"last_date":null,
                "trouble":"there is no time zone 'Europe/Atlantis'"}])"});
    daemon.on("GET /v2/tenants/7/schedule", {200, kSchedule});
    expect_of(daemon, {"schedule", "list"}, "schedule_list.txt");
    expect_of(daemon, {"schedule", "show", "7"}, "schedule_show.txt");

    daemon.on("GET /v2/tenants/7/schedule", {200, R"({"tenant_id":7,"text":"","enabled":false})"});
    const Ran none = run_berth(daemon, {"schedule", "show", "7"});
    CHECK(none.exit == Exit::ok);
    CHECK_THAT(none.err, Contains("there is no schedule; 'berth schedule set TENANT"));
}

TEST_CASE("a list of schedules goes over all pages", "[cli]") {
    FakeDaemon daemon;
    std::string page;
    for (int id = 1; id <= 500; ++id)
        page += fmt::format(R"({}{{"id":{},"tenant_id":{}}})", page.empty() ? "" : ",", id, id);
    daemon.on("GET /v2/schedules?limit=500", {200, "[" + page + "]"});
    daemon.on("GET /v2/schedules?limit=500&after=500", {200, R"([{"id":501,"tenant_id":501}])"});
    const Ran ran = run_berth(daemon, {"schedule", "list"});
    CHECK(ran.exit == Exit::ok);
    CHECK_THAT(ran.out, Contains("\n1 ") && Contains("\n500 ") && Contains("\n501 "));
    CHECK(daemon.asked().size() == 2);
}

TEST_CASE("setting a schedule sends what is named and nothing else", "[cli]") {
    FakeDaemon daemon;
    lay_tenant(daemon);
    daemon.on("PUT /v2/tenants/7/schedule", {200, kSchedule});
    const auto body = [&](std::vector<std::string> more) {
        std::vector<std::string> command{"schedule", "set", "7"};
        command.insert(command.end(), more.begin(), more.end());
        const Ran ran = run_berth(daemon, command);
        INFO(ran.err);
        CHECK(ran.exit == Exit::ok);
        return daemon.asked().back().body;
    };
    CHECK(body({"*/15 * * * *"}) == R"({"text":"*/15 * * * *"})");
    CHECK(
        body({"30 2 * * *", "--tz", "Europe/Berlin", "--gap", "skip", "--overlap", "both",
              "--jitter", "5m", "--missed", "all", "--window", "6h", "--when-busy", "skip"}) ==
        R"({"gap":"skip","jitter_seconds":300,"missed":"all","overlap":"both",)"
        R"("text":"30 2 * * *","when_busy":"skip","window_seconds":21600,"zone":"Europe/Berlin"})");
    CHECK(body({""}) == R"({"text":""})");
    CHECK(body({"--follow"}) == R"({"follow_integration":true})");
    CHECK(body({"--missed", "skip"}) == R"({"missed":"skip"})");
    CHECK(body({"@every 20s"}) == R"({"text":"@every 20s"})");  // the daemon's affair
}

TEST_CASE("a fault in a schedule that is set is marked before anything is sent", "[cli]") {
    FakeDaemon daemon;
    lay_tenant(daemon);
    for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
             {"schedule", "set", "7", "0 25 * * *"},
             {"schedule", "policy", "1", "--text", "0 25 * * *"},
             {"schedule", "policy", "1", "--allow", "0 0 * * *", "--allow", "0 25 * * *"}}) {
        const Ran ran = run_berth(daemon, command);
        CHECK(ran.exit == Exit::failed);
        CHECK(ran.err ==
              "berth: cannot read the schedule: hour 25 is out of range: write 0 to 23\n"
              "         0 25 * * *\n"
              "           ^^\n");
    }
    CHECK(daemon.asked().empty());

    const Ran window = run_berth(daemon, {"schedule", "set", "7", "--window", "6"});
    CHECK_THAT(window.err, Contains("--window: a unit is missing"));
    const Ran rule = run_berth(daemon, {"schedule", "set", "7", "--gap", "first"});
    CHECK(rule.exit == Exit::usage);

    daemon.on("PUT /v2/tenants/7/schedule",
              {422, R"({"detail":[{"loc":["body","zone"],"msg":"there is no time zone 'berlin'",
                "type":"value_error"}]})"});
    const Ran zone = run_berth(daemon, {"schedule", "set", "7", "--tz", "berlin"});
    CHECK(zone.exit == Exit::failed);
    CHECK_THAT(zone.err, Contains("zone") && Contains("there is no time zone 'berlin'"));
}

TEST_CASE("history says what became of each instant, and the preview what will", "[cli]") {
    FakeDaemon daemon;
    lay_tenant(daemon);
    daemon.on("GET /v2/tenants/7/schedule/history?limit=20", {200, R"([
        {"date":"2027-03-27T01:45:00.000000Z","outcome":"fired","reason":null,"late_ms":0,
         "run_id":42,"bundled":false},
        {"date":"2027-03-27T01:30:00.000000Z","outcome":"fired","reason":null,"late_ms":1250,
         "run_id":42,"bundled":true},
        {"date":"2027-03-27T01:15:00.000000Z","outcome":"skipped","reason":"overlap","late_ms":0,
         "run_id":null,"bundled":false},
        {"date":"2027-03-20T00:00:00.000000Z","until_date":"2027-03-26T23:45:00.000000Z",
         "instants":672,"outcome":"skipped","reason":"downtime","late_ms":0,"run_id":null,
         "bundled":false}])"});
    daemon.on("GET /v2/tenants/7/schedule/preview?count=2", {200, R"([
        {"date":"2027-03-28T01:00:00.000000Z","fires_date":"2027-03-28T01:01:00.000000Z",
         "local":"2027-03-28 03:00:00 +02:00","kind":"gap_made_up"},
        {"date":"2027-03-29T00:30:00.000000Z","fires_date":"2027-03-29T00:31:00.000000Z",
         "local":"2027-03-29 02:30:00 +02:00","kind":"regular"}])"});
    expect_of(daemon, {"schedule", "history", "7"}, "schedule_history.txt");
    expect_of(daemon, {"schedule", "preview", "7", "--count", "2"}, "schedule_preview.txt");

    daemon.on("GET /v2/tenants/7/schedule/history?limit=5", {200, "[]"});
    const Ran nothing = run_berth(daemon, {"schedule", "history", "7", "--limit", "5"});
    CHECK_THAT(nothing.err, Contains("nothing has been due yet; 'berth schedule preview'"));
    CHECK(run_berth(daemon, {"schedule", "history", "7", "--limit", "501"}).exit == Exit::usage);
}

TEST_CASE("a policy is shown in words and changed by what is named", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/integrations/1", {200, R"({"id":1,"name":"shop-sync"})"});
    const char* const policy = R"({"schedule":{"text":"0 * * * *","zone":"UTC","gap":"at_end",
      "overlap":"first","jitter_seconds":600,"missed":"one","window_seconds":86400,
      "when_busy":"queue"},"allowed_schedules":["0 * * * *","0 0 * * *"],
      "shortest_interval_seconds":900,"most_running":4,"most_waiting":0,"starts_per_minute":60,
      "tenant_starts_per_minute":0,"retries":2,"retry_first_seconds":60,
      "retry_longest_seconds":3600})";
    daemon.on("GET /v2/integrations/1/policy", {200, policy});
    daemon.on("PUT /v2/integrations/1/policy", {200, policy});
    expect_of(daemon, {"schedule", "policy", "1"}, "schedule_policy.txt");
    run_berth(daemon,
              {"schedule", "policy", "1", "--most-running", "4", "--shortest", "15m", "--allow",
               "any", "--text", "0 * * * *", "--retries", "2", "--retry-first", "1m"});
    CHECK(daemon.only("PUT", "/v2/integrations/1/policy").body ==
          R"({"allowed_schedules":[],"most_running":4,"retries":2,"retry_first_seconds":60,)"
          R"("schedule":{"text":"0 * * * *"},"shortest_interval_seconds":900})");
}
