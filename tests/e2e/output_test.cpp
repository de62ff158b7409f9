// What scripts print on purpose to break things: their secrets in disguise, closed
// and reopened streams, writers left behind; and logs that are followed in pieces.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "base/crypto.h"
#include "base/text.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;

namespace {

constexpr const char* kDisguises = R"(import base64, json, os, sys, time, urllib.parse
secret = os.environ["PAN_SEC_SHOP_API_KEY"]
raw = secret.encode()
def say(text, to=sys.stdout): print(text, file=to, flush=True)
for to in (sys.stdout, sys.stderr):
    say("plain " + secret, to)
    for shift in range(3):
        say("base64 " + base64.b64encode(b"x" * shift + raw + b"y").decode(), to)
        say("base64url " + base64.urlsafe_b64encode(b"x" * shift + raw).decode(), to)
    say("hex " + raw.hex() + " " + raw.hex().upper(), to)
    say("url " + urllib.parse.quote(secret) + " " + urllib.parse.quote_plus(secret), to)
    say("json " + json.dumps({"key": secret}), to)
    for byte in raw:                       # one write, one packet, for each byte
        os.write(to.fileno(), bytes([byte]))
        time.sleep(0.005)
    say("", to)
print(json.dumps({"state": secret}))
)";

// Follows a run's log from `after`: what was seen, up to `pieces` chunks.
struct Followed {
    std::string text;
    std::uint64_t first = 0, last = 0;
    json end;
};
Followed follow(Daemon& daemon, std::int64_t run, std::uint64_t after, int pieces) {
    Followed seen;
    berth::Client client{daemon.socket()};
    const auto answer =
        client.follow(fmt::format("/v2/runs/{}/log?follow=1&after={}", run, after),
                      [&](const berth::ServerEvent& event) {
                          const json data = json::parse(event.data);
                          if (event.event == "end") seen.end = data;
                          if (event.event != "chunk") return berth::Follow::on;
                          CHECK(event.id == std::to_string(data["seq"].get<std::uint64_t>()));
                          seen.last = data["seq"];
                          if (seen.first == 0) seen.first = seen.last;
                          seen.text += data["text"];
                          return --pieces == 0 ? berth::Follow::stop : berth::Follow::on;
                      });
    REQUIRE(answer);
    CHECK(answer->status == 200);
    return seen;
}

std::int64_t run_of(Daemon& daemon, const std::string& trigger) {
    const auto path = "/v2/runs/triggers/" + trigger + "/status";
    REQUIRE(eventually([&] { return daemon.request("GET", path).status == 200; }));
    return daemon.must("GET", path)["run_id"];
}

}  // namespace

TEST_CASE("a script cannot print its secrets in any disguise", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const std::string secret = "pa/ss+wd & \"quoted\" 77ab";
    Daemon daemon;
    daemon.must("POST", "/v2/connectors", {{"name", "shop"}});
    const auto made = daemon.install(
        "disguise", {{"PANDIUM.yaml", manifest("python3 main.py")}, {"main.py", kDisguises}},
        {{"connectors", {{{"name", "shop"}}}}});
    daemon.must("PUT", fmt::format("/v2/tenants/{}/connectors/shop/connection", made.tenant),
                {{"secrets", {{"api_key", secret}}}});
    const auto trigger = daemon.sync(made.tenant);
    const auto live = follow(daemon, run_of(daemon, trigger), 0, 1'000'000);
    const json run = daemon.wait_run(trigger);
    INFO(daemon.run_log(run["id"]));
    REQUIRE(run["state"] == "succeeded");
    const auto out = daemon.run_log(run["id"], "stdout"), err = daemon.run_log(run["id"], "stderr");
    const std::vector<std::string> forms{
        secret,
        berth::to_hex(secret),
        berth::to_base64(secret).substr(0, 20),
        berth::to_base64("x" + secret).substr(4, 20),
        berth::to_base64("xx" + secret).substr(4, 20),
        "pa/ss%2Bwd%20%26%20%22quoted",
        "pa%2Fss%2Bwd+%26+%22quoted",
        "pa/ss+wd & \\\"quoted",
    };
    for (const auto& [what, text] : {std::pair<const char*, std::string>{"stdout", out},
                                     {"stderr", err},
                                     {"live", live.text},
                                     {"state", run["std_out"].get<std::string>()},
                                     {"daemons' log", daemon.log()}}) {
        INFO(what);
        for (const auto& form : forms) {
            INFO(form);
            CHECK(text.find(form) == std::string::npos);
        }
    }
    // The rest of what it printed is there.
    for (const auto& text : {out, err})
        for (const char* word : {"plain ***", "base64 ", "hex *** ***", "url *** ***", "json {"}) {
            INFO(word << " in\n" << text);
            CHECK(text.find(word) != std::string::npos);
        }
    CHECK(run["std_out"].get<std::string>().find("***") != std::string::npos);
}

TEST_CASE("a script may close its outputs early and go on", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install(
        "closer", {{"PANDIUM.yaml", manifest("echo before; exec >&- 2>&-; sleep 1; exit 9")}});
    const json run = daemon.run(made.tenant);
    CHECK(run["reason"] == "exited with code 9");  // not taken for ended when it fell silent
    CHECK(run["std_out"] == "before");
}

TEST_CASE("a grandchild that keeps the outputs neither delays the end nor survives it", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install(
        "grandchild",
        {{"PANDIUM.yaml",
          manifest("(trap '' TERM HUP; while :; do echo alive >&2; sleep 0.05; done) & "
                   "python3 -c 'import os,time\nif os.fork() == 0:\n os.setsid()\n"
                   " if os.fork() == 0: time.sleep(600)\n os._exit(0)'; echo done")}},
        {{"wall_time_seconds", 300}});
    const auto begin = std::chrono::steady_clock::now();
    const json run = daemon.run(made.tenant);
    CHECK(run["state"] == "succeeded");
    CHECK(run["std_out"] == "done");
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds{250});
    CHECK(daemon.nothing_sandboxed());
}

TEST_CASE("bytes that are no text come back as they were", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install(
        "binary", {{"PANDIUM.yaml", manifest("python3 main.py")},
                   {"main.py", "import os, sys\nos.write(2, bytes(range(256)) * 64)\n"}});
    const json run = daemon.run(made.tenant);
    CHECK(run["state"] == "succeeded");
    std::string all;
    for (int i = 0; i < 64 * 256; ++i)
        all += static_cast<char>(i % 256);
    CHECK(daemon.run_log(run["id"], "stderr") == all);
}

TEST_CASE("a follower that lost its connection goes on where it was", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install(
        "resume",
        {{"PANDIUM.yaml",
          manifest("for i in $(seq 1 30); do echo line $i >&2; sleep 0.03; done; echo end")}});
    const auto id = run_of(daemon, daemon.sync(made.tenant));
    std::string text;
    std::uint64_t last = 0;
    Followed part;
    for (int times = 0; part.end.is_null() && times < 50; ++times) {
        part = follow(daemon, id, last, 5);
        text += part.text;
        if (part.first == 0) continue;
        CHECK(part.first == last + 1);
        last = part.last;
    }
    CHECK(part.end["state"] == "succeeded");
    CHECK(text == daemon.run_log(id));

    // After the end it is the same log, whole or from any place.
    CHECK(follow(daemon, id, 0, 1'000'000).text == text);
    const auto rest = follow(daemon, id, last, 1'000'000);
    CHECK(rest.text.empty());
    CHECK(rest.end["state"] == "succeeded");
    for (const char* bad : {"x", "-1", "99999999999999999999999"}) {
        const auto answer =
            daemon.request("GET", fmt::format("/v2/runs/{}/log?follow=1&after={}", id, bad));
        INFO(bad << " -> " << answer.body);
        CHECK(answer.status == 422);
    }
}
