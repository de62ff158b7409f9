// Daemons killed, stores taken, disks full: nothing accepted is lost, and nothing
// is said to run that has no process.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <set>
#include <thread>

#include "base/loop/stream.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;
using namespace std::chrono_literals;

namespace {

// Starts a run and waits until its script is running.
std::string start_sleeper(Daemon& daemon, std::int64_t tenant) {
    const auto trigger = daemon.sync(tenant);
    REQUIRE(eventually([&] {
        const auto answer = daemon.request("GET", "/v2/runs/triggers/" + trigger + "/status");
        return answer.status == 200 && json::parse(answer.body)["state"] == "running";
    }));
    return trigger;
}

const std::set<std::string> kFinal{"succeeded",      "failed_integration", "failed_refresh",
                                   "failed_timeout", "failed_metadata",    "failed_platform",
                                   "cancelled"};

}  // namespace

TEST_CASE("after kill -9 of a daemon every trigger has its run and no run is a ghost", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const std::string victim = GENERATE("berthd", "berth-runner", "berth-launcher");
    INFO("killed: " << victim);
    Daemon daemon{"max_runs = 2\nslots = 4\npool_size = 0\n"};
    const auto sleeper = daemon.install(
        "sleeper", {{"PANDIUM.yaml", manifest("until [ -e go ]; do sleep 0.05; done; "
                                              "echo ok")}});
    const auto quick = daemon.install("quick", {{"PANDIUM.yaml", manifest("echo ok")}});
    std::vector<std::string> accepted{start_sleeper(daemon, sleeper.tenant)};
    for (int i = 0; i < 3; ++i) {
        accepted.push_back(daemon.sync(sleeper.tenant));
        accepted.push_back(daemon.sync(quick.tenant));
    }

    daemon.kill_daemon(victim);
    daemon.wait_ready();
    // Not before: what begins while a daemon is away may fail for that.
    for (const auto& release : std::filesystem::directory_iterator{daemon.state_dir() / "releases"})
        std::ofstream{release.path() / "go"};

    std::map<std::int64_t, std::string> runs;
    for (const auto& trigger : accepted) {
        const json run = daemon.wait_run(trigger);
        CHECK(kFinal.count(run["state"]) == 1);
        runs[run["id"]] = run["state"];
    }
    // A running sandbox needs none of them; what waited ran.
    CHECK(daemon.wait_run(accepted.front())["state"] == "succeeded");
    CHECK(runs.rbegin()->second == "succeeded");
    CHECK(daemon.must("GET", "/v2/runs?state=running").empty());
    CHECK(daemon.nothing_sandboxed());
    CHECK(daemon.run(quick.tenant)["state"] == "succeeded");
}

TEST_CASE("after kill -9 of all of them a start puts everything right", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto lost = daemon.install("lost", {{"PANDIUM.yaml", manifest("sleep 600")}});
    const auto again =
        daemon.install("again",
                       {{"PANDIUM.yaml", manifest("echo attempt $PAN_CTX_RUN_ATTEMPT >&2; "
                                                  "test $PAN_CTX_RUN_ATTEMPT = 2 || sleep 600")}},
                       {{"on_lost", "retry"}});
    const auto first = start_sleeper(daemon, lost.tenant);
    const auto second = start_sleeper(daemon, again.tenant);
    const auto waiting = daemon.sync(lost.tenant);
    daemon.stop(SIGKILL);
    CHECK(daemon.nothing_sandboxed());

    daemon.start();
    const json dead = daemon.wait_run(first);
    CHECK(dead["state"] == "failed_platform");
    CHECK(dead["reason"] == "lost: berth-runner no longer has it");
    const json retried = daemon.wait_run(second);
    CHECK(retried["state"] == "succeeded");
    CHECK(retried["attempt"] == 2);
    CHECK(daemon.run_log(retried["id"]).ends_with("attempt 2\n"));
    REQUIRE(eventually([&] {
        return daemon.request("GET", "/v2/runs/triggers/" + waiting + "/status").status == 200;
    }));
    daemon.must(
        "POST",
        "/v2/runs/" +
            std::to_string(daemon.must("GET", "/v2/runs/triggers/" + waiting + "/status")["run_id"]
                               .get<int>()) +
            "/cancel");
    CHECK(daemon.wait_run(waiting)["state"] == "cancelled");
}

TEST_CASE("SIGTERM lets live runs end within the grace time", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon{"stop_grace_seconds = 60\n"};
    const auto made = daemon.install("drain", {{"PANDIUM.yaml", manifest("sleep 2; echo done")}});
    const auto trigger = start_sleeper(daemon, made.tenant);
    const int status = daemon.stop(SIGTERM);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    daemon.start();
    CHECK(daemon.wait_run(trigger)["state"] == "succeeded");
}

TEST_CASE("SIGTERM stops what outlasts the grace time and says so on its record", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;  // no grace
    const auto made = daemon.install("outlast", {{"PANDIUM.yaml", manifest("sleep 600")}});
    const auto trigger = start_sleeper(daemon, made.tenant);
    const int status = daemon.stop(SIGTERM);
    CHECK(WIFEXITED(status));
    CHECK(daemon.nothing_sandboxed());
    daemon.start();
    const json run = daemon.wait_run(trigger);
    CHECK(run["state"] == "failed_platform");
    CHECK(run["reason"] == "lost: the daemon was stopped while it ran");
}

TEST_CASE("who was killed and still has a socket in his hands is waited for", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    daemon.stop(SIGKILL);
    // Plays a child of the killed launcher: it goes when the next supervisor has looked.
    berth::Fd held;
    REQUIRE(eventually([&] {
        auto bound =
            berth::Listener::bind(daemon.root() / "run" / "launcher.sock", 0600, SOCK_SEQPACKET);
        if (bound) held = std::move(*bound);
        return static_cast<bool>(held);
    }));
    std::thread dying{[&] {
        pollfd asked{held.get(), POLLIN, 0};
        ::poll(&asked, 1, -1);
        held.reset();
    }};
    daemon.start();
    dying.join();
    CHECK(daemon.request("GET", "/v2/health").status == 200);
}

TEST_CASE("a second daemon on the same store or socket is refused", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto try_second = [&](const std::string& run_dir) {
        const auto config = daemon.root() / "second.conf";
        std::ofstream{config} << "state_dir = " << daemon.state_dir().string()
                              << "\nrun_dir = " << run_dir << "\n";
        const auto log = daemon.root() / "second.log";
        const pid_t pid = ::fork();
        if (pid == 0) {
            const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
            ::dup2(out, 2);
            ::execl(BERTH_BINARY_DIR "/bin/berthd", "berthd", "--config", config.c_str(), nullptr);
            ::_exit(127);
        }
        int status = 0;
        ::waitpid(pid, &status, 0);
        std::ifstream file{log};
        return std::pair{WEXITSTATUS(status),
                         std::string{std::istreambuf_iterator<char>{file}, {}}};
    };
    const auto [taken, taken_log] = try_second((daemon.root() / "run").string());
    CHECK(taken == 1);
    CHECK(taken_log.find("another process answers there") != std::string::npos);
    std::filesystem::create_directory(daemon.root() / "run2");
    const auto [same, same_log] = try_second((daemon.root() / "run2").string());
    INFO(same_log);
    CHECK(same == 1);
    CHECK(same_log.find("is in use by process") != std::string::npos);
    CHECK(daemon.request("GET", "/v2/health").status == 200);
}

TEST_CASE("a full disk refuses what cannot be promised and heals by itself", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    // A small file system of our own, seen by this process and its children only.
    REQUIRE(::unshare(CLONE_NEWNS) == 0);
    REQUIRE(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
    const berth::TempDir root{"berth-full"};
    REQUIRE(::mount("berth-full", root.path().c_str(), "tmpfs", 0, "size=24m,mode=755") == 0);
    {
        Daemon daemon{root.path(), ""};
        daemon.start();
        const auto made = daemon.install("full", {{"PANDIUM.yaml", manifest("echo ok")}});
        const auto before = daemon.run(made.tenant);
        CHECK(before["state"] == "succeeded");

        const auto ballast = root.path() / "ballast";
        {
            std::ofstream file{ballast, std::ios::binary};
            const std::string block(64 * 1024, 'x');
            while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
            }
        }
        const auto path = "/v2/tenants/" + std::to_string(made.tenant) + "/sync?mode=normal";
        std::vector<std::string> promised;
        bool refused = false;
        // The store has a little room left in files it holds already: until it is used up.
        for (int i = 0; i < 200 && !refused; ++i) {
            const auto answer =
                daemon.request("POST", path, {{"filler", std::string(30'000, 'y')}});
            refused = answer.status == 503 || answer.status == 507;
            if (answer.status == 202) promised.push_back(json::parse(answer.body)["trigger_id"]);
        }
        CHECK(refused);
        CHECK(daemon.request("GET", "/v2/health").status == 200);

        std::filesystem::remove(ballast);
        CHECK(eventually([&] { return daemon.request("POST", path).status == 202; }));
        for (const auto& trigger : promised)
            CHECK(daemon.wait_run(trigger)["state"] == "succeeded");
    }
    ::umount2(root.path().c_str(), MNT_DETACH);
}
