// Triggering, waiting and following, to the exit code.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>

#include "base/text.h"
#include "cli/log_view.h"
#include "tests/cli/fake_daemon.h"

using namespace berth;
using namespace berth::test;
using Catch::Matchers::Contains;

namespace {

const char* const kTrigger = "0f8fad5bd9cb469fa16570867728950e";

std::string end_event(const std::string& state, const std::string& reason) {
    return "event: end\ndata: {\"id\":5,\"state\":\"" + state + "\",\"reason\":\"" + reason +
           "\",\"started_date\":\"2026-11-22T03:00:00Z\",\"completed_date\":"
           "\"2026-11-22T03:00:01.250000Z\"}\n\n";
}

// A tenant whose trigger becomes run 5 at the third question.
void lay_sync(FakeDaemon& daemon, std::atomic<int>& questions) {
    daemon.on("GET /v2/tenants/7", {200, R"({"id":7,"name":"acme"})"});
    daemon.on("POST /v2/tenants/7/sync?mode=normal",
              {202, std::string{"{\"trigger_id\":\""} + kTrigger + "\"}"});
    daemon.on(std::string{"GET /v2/runs/triggers/"} + kTrigger + "/status",
              [&questions](const Asked&) -> Answer {
                  if (++questions < 3) return {404, R"({"message":"no run yet"})"};
                  return {200, R"({"status":"running","run_id":5})"};
              });
    daemon.on("GET /v2/runs/5", {200, R"({"id":5,"state":"running"})"});
}

}  // namespace

TEST_CASE("a sync carries an idempotency key of its own or the one given", "[cli]") {
    FakeDaemon daemon;
    std::atomic<int> questions = 0;
    lay_sync(daemon, questions);
    const Ran ran = run_berth(daemon, {"tenant", "sync", "7", "--payload", R"({"a":1})"});
    CHECK(ran.exit == Exit::ok);
    CHECK(ran.out == std::string{kTrigger} + "\n");
    const Asked asked = daemon.only("POST", "/v2/tenants/7/sync");
    CHECK(asked.body == R"({"a":1})");
    CHECK(asked.headers.at("idempotency-key").size() == 32);

    run_berth(daemon, {"tenant", "sync", "7", "--idempotency-key", "order-17"});
    CHECK(daemon.asked().back().headers.at("idempotency-key") == "order-17");
    run_berth(daemon, {"tenant", "sync", "7", "--payload", "-"}, {.input = R"({"b":2})"});
    CHECK(daemon.asked().back().body == R"({"b":2})");
    CHECK(daemon.asked().back().headers.at("idempotency-key") !=
          asked.headers.at("idempotency-key"));
}

TEST_CASE("following waits for the run, shows its log and ends with its state", "[cli]") {
    FakeDaemon daemon;
    std::atomic<int> questions = 0;
    lay_sync(daemon, questions);
    daemon.on(
        "GET /v2/runs/5/log?follow=1",
        events(chunk_event(1, "stderr", "fetching ") + chunk_event(2, "stdout", "{\\\"n\\\":") +
               chunk_event(3, "stderr", "orders\\n\\u001b[31mred\\n") +
               chunk_event(4, "note", "log truncated at 16 MiB") + chunk_event(5, "stdout", "1}") +
               end_event("succeeded", "exited with code 0")));
    const Ran ran = run_berth(daemon, {"tenant", "sync", "7", "-f"});
    CHECK(ran.exit == Exit::ok);
    CHECK(ran.out ==
          "err| fetching orders\n"
          "err| \\x1b[31mred\n"
          "--- log truncated at 16 MiB\n"
          "out| {\"n\":1}\n");
    CHECK_THAT(ran.err, Contains("run 5: succeeded (exited with code 0), 1.2 s"));
    CHECK(questions == 3);
}

TEST_CASE("a run that does not succeed makes exit code 4", "[cli]") {
    FakeDaemon daemon;
    std::atomic<int> questions = 0;
    lay_sync(daemon, questions);
    daemon.on("GET /v2/runs/5/log?follow=1",
              events(chunk_event(1, "stderr", "boom\\n") +
                     end_event("failed_integration", "exited with code 3")));
    Ran ran = run_berth(daemon, {"tenant", "sync", "7", "--wait"});
    CHECK(ran.exit == Exit::run_not_succeeded);
    CHECK(ran.out.empty());  // --wait shows no log
    CHECK_THAT(ran.err, Contains("run 5: failed_integration (exited with code 3)"));

    ran = run_berth(daemon, {"log", "5", "-f"});
    CHECK(ran.exit == Exit::run_not_succeeded);
    CHECK(ran.out == "err| boom\n");
    ran = run_berth(daemon, {"run", "follow", "5", "--times"});
    CHECK(ran.out == "2026-11-22 03:04:05 err| boom\n");
    ran = run_berth(daemon, {"tenant", "sync", "7", "--wait", "--json"});
    CHECK(ran.exit == Exit::run_not_succeeded);
    CHECK_THAT(ran.out, Contains("\"state\": \"failed_integration\""));
}

TEST_CASE("a connection that breaks is taken up again where it broke", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/runs/5", {200, R"({"id":5,"state":"running"})"});
    daemon.on("GET /v2/runs/5/log?follow=1",
              events(chunk_event(1, "stdout", "one\\n") + chunk_event(2, "stdout", "two\\n")));
    daemon.on("GET /v2/runs/5/log?follow=1&after=2",
              events(chunk_event(2, "stdout", "two\\n") + chunk_event(3, "stdout", "three\\n") +
                     end_event("succeeded", "")));
    const Ran ran = run_berth(daemon, {"log", "5", "-f"});
    CHECK(ran.exit == Exit::ok);
    CHECK(ran.out == "out| one\nout| two\nout| three\n");
}

TEST_CASE("a time limit ends the waiting, not the run", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/tenants/7", {200, R"({"id":7,"name":"acme"})"});
    daemon.on("POST /v2/tenants/7/sync?mode=normal",
              {202, std::string{"{\"trigger_id\":\""} + kTrigger + "\"}"});
    const Ran ran = run_berth(daemon, {"tenant", "sync", "7", "--wait", "--timeout", "1"});
    CHECK(ran.exit == Exit::failed);
    CHECK_THAT(ran.err, Contains("still waits") && Contains(kTrigger));
    for (const Asked& asked : daemon.asked())
        CHECK(asked.target.find("cancel") == std::string::npos);
}

TEST_CASE("one stream of a log comes without marks, raw without escaping", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/runs/5", {200, R"({"id":5,"state":"succeeded"})"});
    daemon.on("GET /v2/runs/5/log?follow=1",
              events(chunk_event(1, "stderr", "noise\\n") +
                     chunk_event(2, "stdout", "\\u001b[1mstate\\n") + end_event("succeeded", "")));
    CHECK(run_berth(daemon, {"log", "5", "-f", "--stream", "stdout"}).out == "\\x1b[1mstate\n");
    CHECK(run_berth(daemon, {"log", "5", "-f", "--raw"}).out == "noise\n\x1b[1mstate\n");
    const Ran lines = run_berth(daemon, {"log", "5", "-f", "--json"});
    CHECK_THAT(lines.out, Contains(R"("text":"noise\n")") && Contains(R"("state":"succeeded")"));
    CHECK(std::count(lines.out.begin(), lines.out.end(), '\n') == 3);
}

TEST_CASE("a log that is over comes through the signed address", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/tenants?limit=500&skip=0", {200, R"([{"id":7,"name":"acme"}])"});
    daemon.on("GET /v2/tenants/7/runs?sort_by=id__DESC&limit=1",
              {200, R"([{"id":5,"state":"succeeded"}])"});
    daemon.on("GET /v2/runs/5/log",
              {302, "", {{"location", "/v2/runs/5/log/content?expires=9&signature=ab"}}});
    daemon.on("GET /v2/runs/5/log/content?expires=9&signature=ab",
              {200, "fetching\r\n\x1b]0;gotcha\x07\n", {{"content-type", "text/plain"}}});
    CHECK(run_berth(daemon, {"log", "acme"}).out == "fetching\n\\x1b]0;gotcha\\x07\n");
    CHECK(run_berth(daemon, {"log", "acme", "--raw"}).out == "fetching\r\n\x1b]0;gotcha\x07\n");
}

TEST_CASE("a tenant without runs has no log, and the cure is named", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/tenants?limit=500&skip=0", {200, R"([{"id":7,"name":"acme"}])"});
    daemon.on("GET /v2/tenants/7/runs?sort_by=id__DESC&limit=1", {200, "[]"});
    const Ran ran = run_berth(daemon, {"log", "acme"});
    CHECK(ran.exit == Exit::failed);
    CHECK(ran.err == "berth: tenant 'acme' has no runs yet; 'berth tenant sync acme' starts one\n");
}

TEST_CASE("bytes that are not text come back from base64", "[cli]") {
    CHECK(from_base64("AP9i") == std::string("\0\xff"
                                             "b",
                                             3));
    CHECK(from_base64("YQ==") == "a");
    CHECK(from_base64("") == "");
    CHECK_FALSE(from_base64("a b"));
    for (int size = 0; size < 40; ++size) {
        std::string bytes;
        for (int i = 0; i < size; ++i)
            bytes += static_cast<char>(i * 37 + size);
        CHECK(from_base64(to_base64(bytes)) == bytes);
    }
}

TEST_CASE("a rerun says what it wants to be given, and is followed like a sync", "[cli]") {
    FakeDaemon daemon;
    std::atomic<int> questions = 0;
    lay_sync(daemon, questions);
    daemon.on("POST /v2/runs/5/rerun", {202, fmt::format(R"({{"trigger_id":"{}"}})", kTrigger)});
    const auto body = [&](std::vector<std::string> more, Terminal terminal = {}) {
        std::vector<std::string> command{"run", "rerun", "5"};
        command.insert(command.end(), more.begin(), more.end());
        const Ran ran = run_berth(daemon, command, std::move(terminal));
        INFO(ran.err);
        CHECK(ran.exit == Exit::ok);
        CHECK(ran.out == std::string{kTrigger} + "\n");
        CHECK(daemon.asked().back().headers.at("idempotency-key").size() >= 3);
        return daemon.asked().back().body;
    };
    CHECK(body({}) == R"({"configs_from":"original","keeps_state":false,"release_from":"original",)"
                      R"("state_from":"original"})");
    CHECK(body({"--config", "current", "--state", "current", "--release", "current", "--keep-state",
                "--idempotency-key", "key"}) ==
          R"({"configs_from":"current","keeps_state":true,"release_from":"current",)"
          R"("state_from":"current"})");
    CHECK(daemon.asked().back().headers.at("idempotency-key") == "key");
    CHECK(body({"--config", R"({"a":1})", "--state", "-"}, {.input = "cursor 5\n"}) ==
          R"({"configs":{"a":1},"keeps_state":false,"release_from":"original",)"
          R"("state":"cursor 5"})");

    const Ran config = run_berth(daemon, {"run", "rerun", "5", "--config", "newest"});
    CHECK(config.exit == Exit::usage);
    CHECK_THAT(config.err, Contains("--config is not valid JSON"));
    const Ran file = run_berth(daemon, {"run", "rerun", "5", "--state", "@/nowhere/state"});
    CHECK_THAT(file.err, Contains("cannot use --state") && Contains("/nowhere/state"));
    const Ran release = run_berth(daemon, {"run", "rerun", "5", "--release", "newest"});
    CHECK(release.exit == Exit::usage);
}

TEST_CASE("a run is cancelled by id and by its tenant's name", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/runs/5", {200, R"({"id":5,"state":"running"})"});
    daemon.on("POST /v2/runs/5/cancel", {202, R"({"id":5,"state":"running"})"});
    const Ran ran = run_berth(daemon, {"run", "cancel", "5"});
    CHECK(ran.exit == Exit::ok);
    CHECK_THAT(ran.err, Contains("run 5 is being stopped"));
    CHECK(daemon.only("POST", "/v2/runs/5/cancel").body.empty());
}
