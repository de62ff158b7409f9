// What an administrator configures of the sandbox, and what a run's record tells of it.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <set>
#include <thread>

#include "base/text.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using namespace berth::test;
using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;

namespace {

// A service of this host's loopback: reads a line, answers 'pong', closes.
class Service {
public:
    Service() {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* any = reinterpret_cast<sockaddr*>(&address);
        REQUIRE(::bind(fd_.get(), any, size) == 0);
        REQUIRE(::listen(fd_.get(), 16) == 0);
        REQUIRE(::getsockname(fd_.get(), any, &size) == 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread{[this] { serve(); }};
    }
    ~Service() {
        ::shutdown(fd_.get(), SHUT_RDWR);
        thread_.join();
    }
    std::string port() const { return std::to_string(port_); }
    int served() const { return served_; }

private:
    void serve() {
        for (;;) {
            const Fd one{::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
            if (!one) return;
            ++served_;
            char line[64];
            while (::recv(one.get(), line, sizeof line, 0) > 0) {
                ::send(one.get(), "pong\n", 5, MSG_NOSIGNAL);
                ::shutdown(one.get(), SHUT_WR);
            }
        }
    }
    Fd fd_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    int port_ = 0;
    std::atomic<int> served_{0};
    std::thread thread_;
};

std::string to_service(const std::string& port) {
    return "exec 3<>/dev/tcp/127.0.0.1/" + port +
           " && echo ping >&3 && read -r answer <&3 && echo \"$answer\"";
}

json connections(Daemon& daemon, const json& run, const std::string& query = "") {
    return daemon.must("GET",
                       fmt::format("/v2/runs/{}/connections{}", run["id"].get<int>(), query));
}

// The value of one series at /metrics; -1: it is not there.
double metric(Daemon& daemon, const std::string& series) {
    for (const std::string& line : split(daemon.request("GET", "/metrics").body, '\n'))
        if (line.starts_with(series + " ")) return std::stod(line.substr(series.size() + 1));
    return -1;
}

json check_named(Daemon& daemon, const std::string& name) {
    const json answer = daemon.must("GET", "/v2/doctor");
    for (const json& check : answer["checks"])
        if (check["name"] == name) return check;
    FAIL("there is no check '" << name << "'");
    return {};
}

}  // namespace

TEST_CASE("a run reaches what the configuration names, and its record lists it", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const Service service;
    Daemon daemon{fmt::format("egress_allow = 127.0.0.1:{}\negress_ports = 80, {}\n",
                              service.port(), service.port())};
    const auto made = daemon.install(
        "shop", {{"PANDIUM.yaml",
                  manifest("(exec 4<>/dev/tcp/169.254.169.254/80 && read -r x <&4 && echo leaked);"
                           " " +
                           to_service(service.port()))}});
    const json run = daemon.run(made.tenant);
    INFO(daemon.run_log(run["id"]));
    CHECK(run["state"] == "succeeded");
    CHECK(run["std_out"] == "pong");
    CHECK(run["grants"] == json::array());
    CHECK(service.served() == 1);

    const json list = connections(daemon, run);
    INFO(list.dump(2));
    REQUIRE(list.size() == 2);
    const json& refused = list[list[0]["allowed"] == false ? 0 : 1];
    const json& allowed = list[list[0]["allowed"] == false ? 1 : 0];
    CHECK(refused["address"] == "169.254.169.254");
    CHECK(refused["port"] == 80);
    CHECK_THAT(refused["refused"].get<std::string>(), Contains("link-local"));
    CHECK(allowed["address"] == "127.0.0.1");
    CHECK(std::to_string(allowed["port"].get<int>()) == service.port());
    CHECK(allowed["sent_bytes"] == 5);
    CHECK(allowed["received_bytes"] == 5);
    CHECK(allowed["refused"] == nullptr);
    const json used =
        daemon.must("GET", fmt::format("/v2/runs/{}", run["id"].get<std::int64_t>()))["usage"];
    CHECK(used["sent_bytes"] == 5);
    CHECK(used["received_bytes"] == 5);
    CHECK(connections(daemon, run, "?limit=1&sort_by=port__ASC")[0]["port"] == 80);
    CHECK(connections(daemon, run, "?skip=2").empty());
    CHECK(daemon.request("GET", "/v2/runs/4242/connections").status == 404);
    CHECK(metric(daemon, "berth_run_connections_total{verdict=\"allowed\"}") == 1);
    CHECK(metric(daemon, "berth_run_connections_total{verdict=\"refused\"}") == 1);
}

TEST_CASE("without the administrator's entry the same service is out of reach", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const Service service;
    Daemon daemon{fmt::format("egress_ports = 80, {}\n", service.port())};
    const auto made =
        daemon.install("shop", {{"PANDIUM.yaml", manifest(to_service(service.port()))}});
    const json run = daemon.run(made.tenant);
    CHECK(run["state"] == "failed_integration");
    CHECK(service.served() == 0);
    const json list = connections(daemon, run);
    REQUIRE(list.size() == 1);
    CHECK(list[0]["allowed"] == false);
    CHECK_THAT(list[0]["refused"].get<std::string>(), Contains("loopback"));
    // With the host's own network, which is a grant, nothing is in between.
    daemon.must("PATCH", fmt::format("/v2/integrations/{}", made.integration),
                {{"network", "host"}});
    const json wide = daemon.run(made.tenant);
    CHECK(wide["std_out"] == "pong");
    CHECK(wide["grants"] == json{"host_network"});
    CHECK(connections(daemon, wide).empty());
}

TEST_CASE("names to reach are kept in one form, and refused when they are none", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const json made = daemon.must("POST", "/v2/integrations", {{"name", "plain"}});
    CHECK(made["network"] == "egress");
    CHECK(made["egress_names"] == json::array());
    const auto path = fmt::format("/v2/integrations/{}", made["id"].get<int>());
    const json changed = daemon.must(
        "PATCH", path, {{"egress_names", {"API.Example.com.", "*.a.example", "api.example.com"}}});
    CHECK(changed["egress_names"] == json{"api.example.com", "*.a.example"});
    CHECK(daemon.must("PATCH", path, {{"paused", true}})["egress_names"].size() == 2);
    for (const json& wrong :
         {json{"10.0.0.1"}, json{"https://a.example"}, json{7}, json("a.example")}) {
        const auto answer = daemon.request("PATCH", path, {{"egress_names", wrong}});
        INFO(wrong.dump() << " " << answer.body);
        CHECK(answer.status == 422);
        CHECK(json::parse(answer.body)["detail"][0]["loc"] == json{"body", "egress_names"});
    }
    CHECK(daemon.must("PATCH", path, {{"egress_names", json::array()}})["egress_names"].empty());
}

TEST_CASE("system calls that the sandbox refused are named on the record", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install(
        "breaker",
        {{"PANDIUM.yaml", manifest("mount -t tmpfs none /tmp; unshare -m true; exit 3")}});
    const json run = daemon.run(made.tenant);
    INFO(run.dump(2));
    const json& calls = run["refused_syscalls"];
    CHECK(std::find(calls.begin(), calls.end(), "mount") != calls.end());
    CHECK(std::find(calls.begin(), calls.end(), "unshare") != calls.end());
    std::string told = "exited with code 3; the sandbox refused: ";
    for (std::size_t i = 0; i < calls.size(); ++i)
        told += (i == 0 ? "" : ", ") + calls[i].get<std::string>();
    CHECK(run["reason"] == told);
    const auto harmless = daemon.install("harmless", {{"PANDIUM.yaml", manifest("true")}});
    const json good = daemon.run(harmless.tenant);
    CHECK(good["refused_syscalls"] == json::array());
}

TEST_CASE("a run finds a sandbox ready, unless the pool is switched off", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    {
        Daemon daemon{"pool_size = 2\n"};
        const auto made = daemon.install("warm", {{"PANDIUM.yaml", manifest("true")}});
        REQUIRE(eventually([&] { return metric(daemon, "berth_pool_parked") >= 1; }));
        CHECK(daemon.run(made.tenant)["warm"] == true);
        CHECK(eventually([&] { return metric(daemon, "berth_pool_hits_total") >= 1; }));
        CHECK(metric(daemon, "berth_runs_started_total{sandbox=\"warm\"}") == 1);
        CHECK(metric(daemon, "berth_pool_size") == 2);
        CHECK(metric(daemon, "berth_pool_misses_total") == 0);
        CHECK(metric(daemon, "berth_pool_built_total") >= 1);
        CHECK(metric(daemon, "berth_pool_build_seconds_total") > 0);
        CHECK_THAT(check_named(daemon, "warm pool")["detail"].get<std::string>(),
                   StartsWith("2 wanted of each class, ") && Contains("; 1 runs found one (") &&
                       Contains(" complete), 0 did not; ") && EndsWith(" ms to build one"));
    }
    Daemon daemon{"pool_size = 0\n"};
    const auto made = daemon.install("cold", {{"PANDIUM.yaml", manifest("true")}});
    CHECK(daemon.run(made.tenant)["warm"] == false);
    CHECK(metric(daemon, "berth_runs_started_total{sandbox=\"cold\"}") == 1);
    CHECK(metric(daemon, "berth_pool_size") == 0);
    CHECK(metric(daemon, "berth_pool_hits_total") == 0);
    CHECK(eventually([&] {
        return check_named(daemon, "warm pool")["detail"] ==
               "off (pool_size = 0): each run's sandbox is built when it begins";
    }));
}

TEST_CASE("a run over its memory is told apart from one that killed itself", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    if (check_named(daemon, "cgroup memory limit")["ok"] == false) {
        WARN("no cgroup limits memory here: only the way to say so is looked at");
        CHECK(check_named(daemon, "cgroups")["cure"].is_string());
        return;
    }
    const auto made = daemon.install("eater", {{"PANDIUM.yaml", manifest("exec tail /dev/zero")}},
                                     {{"memory_mib", 64}});
    const json run = daemon.run(made.tenant);
    CHECK(run["state"] == "failed_integration");
    CHECK(run["reason"] == "killed: out of memory at 64 MiB");
    CHECK(run["usage"]["memory_peak_bytes"].get<std::int64_t>() > 32 << 20);
}

TEST_CASE("doctor names the layers of this host and what each missing one means", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    REQUIRE(eventually([&] { return check_named(daemon, "berth-egress")["ok"] == true; }));
    const json answer = daemon.must("GET", "/v2/doctor");
    for (const json& check : answer["checks"]) {
        INFO(check.dump());
        CHECK_FALSE(check["detail"].get<std::string>().empty());
        CHECK(check["ok"].get<bool>() == check["cure"].is_null());
        CHECK((check["ok"].get<bool>() || !check["needed"].get<bool>()));
    }
    CHECK(check_named(daemon, "sandbox profile")["detail"] == "default");
}

TEST_CASE("a strict sandbox says so and runs scripts", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon{"sandbox_profile = strict\n"};
    CHECK(check_named(daemon, "sandbox profile")["detail"] == "strict");
    const auto made = daemon.install("plain", {{"PANDIUM.yaml", manifest("echo fine")}});
    CHECK(daemon.run(made.tenant)["std_out"] == "fine");
}

TEST_CASE("every series at /metrics has its help and its type", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install("counted", {{"PANDIUM.yaml", manifest("echo 12345 >&2")}});
    daemon.run(made.tenant);
    const auto answer = daemon.request("GET", "/metrics");
    CHECK(answer.status == 200);
    CHECK(answer.header("content-type") == "text/plain; version=0.0.4; charset=utf-8");
    std::set<std::string> known;
    for (const std::string& line : split(answer.body, '\n')) {
        if (line.starts_with("# TYPE ")) known.insert(split(line, ' ')[2]);
        if (line.empty() || line.starts_with("#")) continue;
        INFO(line);
        CHECK(known.contains(line.substr(0, line.find_first_of("{ "))));
    }
    CHECK(metric(daemon, "berth_ready") == 1);
    CHECK(metric(daemon, "berth_runs_ended_total{state=\"succeeded\"}") == 1);
    CHECK(metric(daemon, "berth_runs_ended_total{state=\"failed_platform\"}") == 0);
    CHECK(metric(daemon, "berth_runs{state=\"running\"}") == 0);
    CHECK(metric(daemon, "berth_run_output_bytes_total") == 6);
    CHECK(metric(daemon, "berth_triggers_waiting") == 0);
    CHECK(metric(daemon, "berth_store_commits_total") > 1);
    CHECK(metric(daemon, "process_resident_memory_bytes") > 1e6);
    CHECK(daemon.request("GET", "/healthz").body == "ok\n");
    CHECK(daemon.request("GET", "/readyz").body == "ready\n");
    daemon.kill_daemon("berth-launcher");
    CHECK(daemon.request("GET", "/healthz").status == 200);
}
