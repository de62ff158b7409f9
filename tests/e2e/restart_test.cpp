// Live runs and the restarts of the daemons that look after them: every line a script
// printed is in its log once and in order, and its end is on its record.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <iostream>
#include <thread>

#include "base/text.h"
#include "tests/e2e/counting.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;

namespace {

// A service of this host's loopback that says every line again, as long as the client
// likes. One connection at a time.
class Echo {
public:
    Echo() {
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
    ~Echo() {
        ::shutdown(fd_.get(), SHUT_RDWR);
        thread_.join();
    }
    int port() const { return port_; }

private:
    void serve() {
        for (;;) {
            const Fd one{::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
            if (!one) return;
            char bytes[64];
            ssize_t n = 0;
            while ((n = ::recv(one.get(), bytes, sizeof bytes, 0)) > 0)
                ::send(one.get(), bytes, static_cast<std::size_t>(n), MSG_NOSIGNAL);
        }
    }
    Fd fd_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    int port_ = 0;
    std::thread thread_;
};

const std::vector<std::string> kBoth{"berthd", "berth-runner"};

}  // namespace

TEST_CASE("live runs survive a berthd that is killed or told to end, with every line", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const int signo = GENERATE(SIGKILL, SIGTERM);
    INFO("signal " << signo);
    Daemon daemon;
    const auto first = daemon.install("first", {{"PANDIUM.yaml", manifest(counting_script())}});
    const auto second = daemon.install("second", {{"PANDIUM.yaml", manifest(counting_script())}});
    const std::vector<Script> scripts{start_script(daemon, first.tenant),
                                      start_script(daemon, second.tenant)};
    for (int times = 0; times < 3; ++times) {
        end_daemons(daemon, {"berthd"}, signo);
        daemon.wait_ready();
        for (const Script& script : scripts)
            wait_for_more(daemon, script.run);
    }
    let_go(daemon);
    for (const Script& script : scripts)
        check_whole(daemon, script);
}

TEST_CASE("live runs survive a berth-runner that is told to end, with every line", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const auto programs = GENERATE(std::vector<std::string>{"berth-runner"}, kBoth);
    INFO(programs.size() << " programs");
    Daemon daemon;
    const auto first = daemon.install("first", {{"PANDIUM.yaml", manifest(counting_script())}});
    const auto second = daemon.install("second", {{"PANDIUM.yaml", manifest(counting_script())}});
    const std::vector<Script> scripts{start_script(daemon, first.tenant),
                                      start_script(daemon, second.tenant)};
    for (int times = 0; times < 3; ++times) {
        end_daemons(daemon, programs, SIGTERM);
        daemon.wait_ready();
        for (const Script& script : scripts)
            wait_for_more(daemon, script.run);
    }
    let_go(daemon);
    for (const Script& script : scripts)
        check_whole(daemon, script);
}

// What lay between its reading and its saving may be gone: one read of each stream for
// each time, which here is a line or two, also where the runner comes to read late.
TEST_CASE("live runs survive a berth-runner that is killed, with at most one read lost", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const auto programs = GENERATE(std::vector<std::string>{"berth-runner"}, kBoth);
    INFO(programs.size() << " programs");
    Daemon daemon;
    const auto made =
        daemon.install("counts", {{"PANDIUM.yaml", manifest(counting_script(1, "0.2"))}});
    const Script script = start_script(daemon, made.tenant);
    constexpr int kTimes = 4;
    for (int times = 0; times < kTimes; ++times) {
        end_daemons(daemon, programs, SIGKILL);
        daemon.wait_ready();
        wait_for_more(daemon, script.run);
    }
    let_go(daemon);
    const int lost = check_all_but_lost(daemon, script);
    std::cout << lost << " lines lost by " << kTimes << " times kill -9\n";
    CHECK(lost <= 2 * kTimes);
}

TEST_CASE("what ends or runs out of time while daemons are away is on record when they are back",
          "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const auto programs = GENERATE(std::vector<std::string>{"berthd"},
                                   std::vector<std::string>{"berth-runner"}, kBoth);
    INFO(programs.size() << " programs, the first is " << programs[0]);
    Daemon daemon{"pool_size = 0\n"};
    const auto ends = daemon.install("ends", {{"PANDIUM.yaml", manifest(counting_script())}});
    const auto late = daemon.install("late", {{"PANDIUM.yaml", manifest("sleep 600")}},
                                     {{"wall_time_seconds", 8}});
    const Script script = start_script(daemon, ends.tenant);
    const Script too_long = start_script(daemon, late.tenant);
    // Away for as long as the supervisor is stopped.
    REQUIRE(::kill(daemon.supervisor(), SIGSTOP) == 0);
    for (const auto& program : programs)
        REQUIRE(::kill(daemon.pid_of(program), SIGKILL) == 0);
    let_go(daemon);
    // With a runner the limit holds meanwhile; without one, when the next one has come.
    const bool runner = programs == std::vector<std::string>{"berthd"};
    CHECK(eventually([&] { return daemon.sandboxed_processes().size() <= (runner ? 0U : 2U); }));
    REQUIRE(::kill(daemon.supervisor(), SIGCONT) == 0);
    daemon.wait_ready();
    check_whole(daemon, script);
    const json run = daemon.wait_run(too_long.trigger);
    INFO(run.dump());
    CHECK(run["state"] == "failed_timeout");
}

TEST_CASE("a run that came through a restart can be cancelled", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon{"pool_size = 0\n"};
    const auto made = daemon.install("cancelled", {{"PANDIUM.yaml", manifest("sleep 600")}});
    const Script script = start_script(daemon, made.tenant);
    end_daemons(daemon, kBoth, SIGKILL);
    daemon.wait_ready();
    daemon.must("POST", fmt::format("/v2/runs/{}/cancel", script.run));
    CHECK(daemon.wait_run(script.trigger)["state"] == "cancelled");
    CHECK(daemon.sandboxed_processes().empty());
}

TEST_CASE("a secret that a restart of both daemons cuts in two is masked", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const int signo = GENERATE(SIGTERM, SIGKILL);
    INFO("signal " << signo);
    const std::string secret = "s3cr3t-canary-77ab";
    Daemon daemon;
    daemon.must("POST", "/v2/connectors", {{"name", "crm"}});
    const auto made = daemon.install(
        "secrets",
        {{"PANDIUM.yaml",
          manifest("echo begun >&2; printf 'a %.9s' \"$PAN_SEC_CRM_TOKEN\" >&2; "
                   "until [ -e go ]; do sleep 0.05; done; "
                   "echo \"${PAN_SEC_CRM_TOKEN#?????????} b\" >&2; echo \"$PAN_SEC_CRM_TOKEN\"")}},
        {{"connectors", {{{"name", "crm"}, {"isGlobal", false}}}}});
    daemon.must("PUT", fmt::format("/v2/tenants/{}/connectors/crm/connection", made.tenant),
                {{"secrets", {{"token", secret}}}});
    const Script script = start_script(daemon, made.tenant);
    REQUIRE(eventually([&] { return daemon.run_log(script.run) == "begun\na "; }));
    end_daemons(daemon, kBoth, signo);
    daemon.wait_ready();
    let_go(daemon);
    const json run = daemon.wait_run(script.trigger);
    INFO(run.dump() << "\n" << daemon.log());
    CHECK(run["state"] == "succeeded");
    CHECK(run["std_out"] == "***");
    CHECK(daemon.run_log(script.run, "stderr") == "begun\na *** b\n");
    CHECK(daemon.log().find(secret) == std::string::npos);
}

TEST_CASE("a connection through berth-egress lives on while berth-runner is started again",
          "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const int signo = GENERATE(SIGTERM, SIGKILL);
    INFO("signal " << signo);
    const Echo echo;
    Daemon daemon{
        fmt::format("egress_allow = 127.0.0.1:{}\negress_ports = {}\n", echo.port(), echo.port())};
    const auto made = daemon.install(
        "talks", {{"PANDIUM.yaml",
                   manifest(fmt::format(
                       "exec 3<>/dev/tcp/127.0.0.1/{0}; say() {{ echo $1 >&3; read -r x <&3; "
                       "echo $x >&2; }}; say before; until [ -e go ]; do sleep 0.05; done; "
                       "say after; exec 3>&-; exec 3<>/dev/tcp/127.0.0.1/{0}; say anew",
                       echo.port()))}});
    const Script script = start_script(daemon, made.tenant);
    REQUIRE(eventually([&] { return daemon.run_log(script.run) == "before\n"; }));
    end_daemons(daemon, {"berth-runner"}, signo);
    daemon.wait_ready();
    let_go(daemon);
    const json run = daemon.wait_run(script.trigger);
    INFO(run.dump() << "\n" << daemon.log());
    CHECK(run["state"] == "succeeded");
    CHECK(daemon.run_log(script.run) == "before\nafter\nanew\n");
    const json list = daemon.must("GET", fmt::format("/v2/runs/{}/connections", script.run));
    INFO(list.dump(2));
    REQUIRE(list.size() == 2);
    CHECK(list[0]["sent_bytes"] == 13);  // "before\nafter\n"
    CHECK(list[1]["sent_bytes"] == 5);
}

TEST_CASE("when the supervisor is killed nothing of a live run is left", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon{"pool_size = 0\n"};
    const auto made = daemon.install("sleeps", {{"PANDIUM.yaml", manifest("sleep 600")}});
    (void)start_script(daemon, made.tenant);
    end_daemons(daemon, {"berth-runner"}, SIGKILL);
    daemon.wait_ready();
    daemon.stop(SIGKILL);
    CHECK(daemon.nothing_sandboxed());
    daemon.start();
}
