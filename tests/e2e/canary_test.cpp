// A thousand secrets through everything that takes, uses or could show one. Meanwhile each file
// is searched for them as it is written, and the arguments of each program as it begins; then
// every file, every answer and the memory of berthd. All in the forms that masking knows. None
// may be found, and one that is planted must be.
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <iostream>
#include <optional>

#include "base/text.h"
#include "tests/calls/partner.h"
#include "tests/e2e/exec_watch.h"
#include "tests/e2e/file_watch.h"
#include "tests/e2e/finder.h"
#include "tests/e2e/scan.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"
#include "tests/support/seed.h"

using namespace berth;
using namespace berth::test;

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kTenants = 16;
constexpr std::size_t kFields = 50;  // of a connection without a kind
constexpr std::size_t kSecrets = 1'000;

class World {
public:
    explicit World(const std::vector<std::string>& secrets) : secrets_{secrets} {
        daemon.launch();
        programs.emplace(daemon.supervisor());
        daemon.wait_ready();
        must("POST", "/v2/connectors", {{"name", "plain"}});
        must("POST", "/v2/connectors", {{"name", "echo"}, {"kind", "api-key"}});
        must("POST", "/v2/connectors", {{"name", "basic"}, {"kind", "basic"}});
        must("POST", "/v2/connectors", {{"name", "shared"}});
        must("POST", "/v2/connectors", {{"name", "oauth"}, {"kind", "generic-client-credentials"}});
        made_ = daemon.install(
            "canary",
            {{"PANDIUM.yaml",
              manifest("env | grep '^PAN_SEC'; env >&2; env | grep ^PAN_SEC | base64; env | "
                       "grep ^PAN_SEC | od -An -tx1 | tr -d ' \\n'; "
                       "echo \"state $PAN_SEC_ECHO_API_KEY\"")}},
            {{"connectors",
              {{{"name", "plain"}},
               {{"name", "echo"}},
               {{"name", "basic"}},
               {{"name", "oauth"}},
               {{"name", "shared"}, {"isGlobal", true}}}}});
    }

    std::string next() { return secrets_.at(used_++); }
    std::size_t used() const { return used_; }

    // Every answer is kept.
    ClientResponse ask(const std::string& method, const std::string& target,
                       const json& body = nullptr) {
        auto response = daemon.request(method, target, body);
        answers.push_back(response.body);
        for (const auto& [name, value] : response.headers)
            answers.push_back(name + ": " + value);
        return response;
    }
    json must(const std::string& method, const std::string& target, const json& body = nullptr) {
        const auto response = ask(method, target, body);
        INFO(method << " " << target << ": " << response.status << " " << response.body);
        REQUIRE(response.status / 100 == 2);
        return json::parse(response.body);
    }

    void connect() {
        json shared = json::object();
        for (int i = 0; i < 40; ++i)
            shared["field" + std::to_string(i)] = next();
        must("PUT",
             fmt::format("/v2/integrations/{}/connectors/shared/connection", made_.integration),
             {{"secrets", shared}});
        for (std::size_t i = 0; i < kTenants; ++i) {
            const json tenant = must(
                "POST", "/v2/tenants",
                {{"name", "tenant" + std::to_string(i)}, {"integration_id", made_.integration}});
            const auto id = tenant["id"].get<std::int64_t>();
            must("PATCH", fmt::format("/v2/tenants/{}", id), {{"paused", false}});
            tenants.push_back(id);
            json fields = json::object();
            for (std::size_t f = 0; f < kFields; ++f)
                fields["field" + std::to_string(f)] = next();
            must("PUT", of(id, "plain") + "connection", {{"secrets", fields}});
            must("PUT", of(id, "echo") + "connection", {{"secrets", {{"api_key", next()}}}});
            must("PUT", of(id, "basic") + "connection",
                 {{"secrets", {{"user", "alice"}, {"password", next()}}}});
            // Again: the one before is replaced.
            must("PUT", of(id, "echo") + "connection", {{"secrets", {{"api_key", next()}}}});
        }
    }
    // A provider that says what it was sent, and gives no token.
    void refuse_tokens() {
        must("PUT",
             fmt::format("/v2/integrations/{}/connectors/oauth/provisioning", made_.integration),
             {{"fields", {{"token_url", partner.at("127.0.0.1") + "/token"}}}});
        for (std::size_t i = 0; i < kTenants / 2; ++i) {
            // Both ask at once: what is stored is tried.
            for (const auto& answer :
                 {ask("PUT", of(tenants[i], "oauth") + "connection",
                      {{"fields", {{"client_id", "a client"}, {"client_secret", next()}}}}),
                  ask("POST", of(tenants[i], "oauth") + "authorize", json::object())}) {
                INFO(answer.body);
                CHECK(answer.status == 503);
                CHECK_THAT(answer.body, Catch::Contains("cannot connect"));
            }
        }
    }
    void run_all() {
        for (const auto tenant : tenants) {
            const json run = daemon.run(tenant);
            answers.push_back(run.dump());
            CHECK(run["state"] == "succeeded");
            answers.push_back(daemon.run_log(run["id"]));
            CHECK(answers.back().find("***") != std::string::npos);  // it did print them
        }
    }
    void call_all() {
        const std::string at = partner.at("127.0.0.1");
        for (const auto tenant : tenants) {
            for (const char* connector : {"echo", "basic"}) {
                const auto answer =
                    ask("POST", of(tenant, connector) + "call", {{"target_url", at + "/echo"}});
                INFO(answer.body);
                CHECK(answer.status == 200);
                CHECK(answer.body.find("***") != std::string::npos);  // it did echo it
            }
            ask("POST", of(tenant, "echo") + "call", {{"target_url", at + "/status?status=500"}});
            ask("POST", of(tenant, "echo") + "soap",
                {{"target_url", at + "/go?status=302&to=https://example.com/"}, {"data", "<a/>"}});
        }
    }
    // Whatever is left of the thousand comes in requests that are wrong.
    void ask_wrongly() {
        while (used_ < secrets_.size()) {
            const std::string secret = next();
            const auto tenant = tenants[used_ % tenants.size()];
            const auto path = of(tenant, "plain") + "connection";
            ClientResponse answer;
            switch (used_ % 6) {
                case 0: answer = ask("PUT", path, {{"secrets", secret}}); break;
                case 1: answer = ask("PUT", path, {{"secrets", {{"Wrong Name", secret}}}}); break;
                case 2: answer = ask("PUT", path, {{"secrets", {{"a", {secret}}}}}); break;
                case 3:
                    answer = ask("PUT", path, {{"secrets", {{"a", secret}}}, {"more", 1}});
                    break;
                case 4:
                    answer = ask("PUT", of(424242, "plain") + "connection",
                                 {{"secrets", {{"a", secret}}}});
                    break;
                default:
                    answer = ask("PUT", of(tenant, "absent") + "connection",
                                 {{"secrets", {{"a", secret}}}});
            }
            INFO(answer.body);
            CHECK(answer.status / 100 == 4);
        }
    }
    void read_all() {
        for (const char* target :
             {"/v2/integrations", "/v2/connectors", "/v2/tenants", "/v2/runs", "/v2/jobs",
              "/v2/audit?limit=500", "/v2/doctor", "/v2/schedules", "/metrics", "/v2/ready"})
            ask("GET", target);
        for (const auto tenant : tenants) {
            ask("GET", fmt::format("/v2/tenants/{}", tenant));
            ask("GET", fmt::format("/v2/tenants/{}/connectors", tenant));
            ask("GET", fmt::format("/v2/tenants/{}/runs", tenant));
            ask("GET", fmt::format("/v2/tenants/{}/metadata", tenant));
        }
        const json jobs = must("GET", "/v2/jobs?limit=500");
        for (const json& job : jobs)
            ask("GET", fmt::format("/v2/jobs/{}", job["id"].get<int>()));
        CHECK(jobs.size() >= 4 * tenants.size());
    }

    std::vector<std::int64_t> tenants;
    std::vector<std::string> answers;
    Partner partner;
    TempDir root{"berth-e2e"};
    Daemon daemon{
        root.path(),
        fmt::format("egress_allow = 127.0.0.1:{0}\negress_ports = 80, 443, {0}\n", partner.port())};
    std::optional<ExecWatch> programs;

private:
    static std::string of(std::int64_t tenant, const std::string& connector) {
        return fmt::format("/v2/tenants/{}/connectors/{}/", tenant, connector);
    }

    const std::vector<std::string>& secrets_;
    std::size_t used_ = 0;
    Daemon::Installed made_;
};

}  // namespace

TEST_CASE("a thousand secrets leave no trace in files, answers and the memory of berthd",
          "[e2e][canary]") {
    BERTH_NEEDS_SANDBOX();
    const auto secrets = make_canaries(kSecrets);
    Finder finder{secrets}, of_files{secrets};
    FileWatch written{[&](std::string_view content) { return of_files.in(content); }};
    World world{secrets};
    world.connect();
    world.run_all();
    world.call_all();
    world.refuse_tokens();
    world.ask_wrongly();
    world.read_all();
    REQUIRE(world.used() == kSecrets);

    Scan answers;
    for (const std::string& answer : world.answers) {
        ++answers.things;
        answers.bytes += answer.size();
        if (const auto hits = finder.in(answer)) {
            answers.hits += hits;
            answers.where += answer.substr(0, 300) + "\n";
        }
    }
    const Scan files = scan_files(finder, world.daemon.root());
    const Scan memory = scan_memory(finder, world.daemon.pid_of("berthd"));
    const auto programs = world.programs->seen();
    const auto in_arguments = finder.in(programs.arguments);
    const FileWatch::Seen& changed = written.finish();
    std::cout << fmt::format(
        "{} secrets in {} forms; hits: {} in {} answers ({} KiB), {} in {} files ({} KiB), {} in "
        "{} regions of berthd's memory ({} MiB)\n"
        "meanwhile: {} in {} files at {} changes ({} MiB), {} in the arguments of {} programs\n",
        secrets.size(), finder.forms(), answers.hits, answers.things, answers.bytes >> 10,
        files.hits, files.things, files.bytes >> 10, memory.hits, memory.things, memory.bytes >> 20,
        changed.hits, changed.files.size(), changed.changes, changed.bytes >> 20, in_arguments,
        programs.programs);
    std::cout.flush();
    INFO("while it was written:\n" << changed.where);
    INFO("answers:\n" << answers.where << "files:\n" << files.where << "memory:\n" << memory.where);
    CHECK(answers.hits == 0);
    CHECK(files.hits == 0);
    CHECK(memory.hits == 0);
    CHECK(changed.hits == 0);
    CHECK(in_arguments == 0);
    // A run each, calls, tokens; the store's log was seen as it was written.
    CHECK(programs.programs > 5 * kTenants);
    CHECK(programs.arguments.find("berth-runner") != std::string::npos);
    CHECK(std::ranges::any_of(changed.files,
                              [](const auto& name) { return name.ends_with("berth.db-wal"); }));
    CHECK(files.things > 10);
    CHECK(memory.bytes > 1'000'000);

    // One that is planted is found, in a form of its own for each place.
    CHECK(finder.in("x " + berth::to_base64(secrets[500]) + " y") > 0);
    const auto planted = world.daemon.state_dir() / "planted";
    berth::write_file_atomically(planted, "x " + berth::to_hex(secrets[999]) + " y", 0600);
    const Scan with_one = scan_files(finder, world.daemon.root());
    CHECK(with_one.hits > 0);
    CHECK_THAT(with_one.where, Catch::Contains("planted"));
    fs::remove(planted);
    // This process has them all.
    CHECK(scan_memory(finder, ::getpid(), Until::first_hit).hits > 0);
}
