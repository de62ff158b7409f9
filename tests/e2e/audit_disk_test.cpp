// S18: a use of a secret is on record before the script that has it starts, or it does not
// start: also on a full disk. Who started is said by the scripts themselves, past the disk.
// BERTH_FULL_DISK_RUNS says how many runs wait for a full disk (1,000 in reliability.md).
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>
#include <set>

#include "base/fd.h"
#include "base/text.h"
#include "tests/store/small_disk.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using namespace berth::test;

namespace {

constexpr std::size_t kTenants = 25;  // whose runs wait in each round

std::size_t runs_wanted() {
    const char* given = std::getenv("BERTH_FULL_DISK_RUNS");
    return given != nullptr ? std::strtoul(given, nullptr, 10) : 2 * kTenants;
}

// Hears the id of each run from its script, by a datagram on loopback.
class Witness {
public:
    Witness() : socket_{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)} {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        REQUIRE(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
        REQUIRE(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
        port_ = ntohs(address.sin_port);
    }
    int port() const { return port_; }

    const std::set<std::string>& started() {
        std::array<char, 100> text{};
        for (ssize_t n = 0; (n = ::recv(socket_.get(), text.data(), text.size(), 0)) > 0;)
            started_.emplace(trim({text.data(), static_cast<std::size_t>(n)}));
        return started_;
    }

private:
    Fd socket_;
    int port_ = 0;
    std::set<std::string> started_;
};

// Runs that a use of secrets is on record of.
std::set<std::string> audited(Daemon& daemon) {
    std::set<std::string> runs;
    std::string before;
    for (;;) {
        const json rows = daemon.must("GET", "/v2/audit?limit=500" + before);
        for (const json& row : rows)
            if (row["action"] == "secret.use")  // "run 7 tenant 3"
                runs.insert(split(row["object"].get<std::string>(), ' ').at(1));
        if (rows.size() < 500) return runs;
        before = "&before=" + std::to_string(rows.back()["seq"].get<std::int64_t>());
    }
}

std::size_t not_in(const std::set<std::string>& some, const std::set<std::string>& all) {
    return static_cast<std::size_t>(
        std::ranges::count_if(some, [&](const auto& one) { return !all.contains(one); }));
}

class World {
public:
    explicit World(std::size_t rounds) : size_{fmt::format("size={}m,mode=755", 64 + 8 * rounds)} {
        REQUIRE(disk.mounted());
        daemon.start();
        const auto script = fmt::format(
            "bash -c 'echo $PAN_CTX_RUN_ID > /dev/udp/127.0.0.1/{}'; test -n \"$PAN_SEC_CRM_KEY\"",
            witness.port());
        daemon.must("POST", "/v2/connectors", {{"name", "crm"}});
        const auto made = daemon.install(
            "user", {{"PANDIUM.yaml", manifest(script)}},
            {{"connectors", {{{"name", "crm"}, {"isGlobal", false}}}}, {"network", "host"}});
        for (std::size_t i = 0; i < kTenants; ++i) {
            const std::int64_t id = daemon.must(
                "POST", "/v2/tenants",
                {{"name", fmt::format("user-{}", i)}, {"integration_id", made.integration}})["id"];
            daemon.must("PUT", fmt::format("/v2/tenants/{}/connectors/crm/connection", id),
                        {{"secrets", {{"key", "a secret of " + std::to_string(id)}}}});
            tenants.push_back(id);
        }
        // Takes the one place there is until it is let go.
        blocker = daemon
                      .install("blocker",
                               {{"PANDIUM.yaml", manifest("until [ -e go ]; do sleep 0.05; done")}})
                      .tenant;
        filler = daemon.install("filler", {{"PANDIUM.yaml", manifest("true")}}).tenant;
    }

    std::string block() {
        for (const auto& release : releases())
            std::filesystem::remove(release.path() / "go");
        auto trigger = daemon.sync(blocker);
        REQUIRE(eventually([&] {
            const auto answer = daemon.request("GET", "/v2/runs/triggers/" + trigger + "/status");
            return answer.status == 200 && json::parse(answer.body)["state"] == "running";
        }));
        return trigger;
    }
    void let_go() {
        for (const auto& release : releases())
            write_file_atomically(release.path() / "go", "", 0644);
    }
    int ask_for_more() {
        return daemon
            .request("POST", fmt::format("/v2/tenants/{}/sync?mode=normal", filler),
                     {{"filler", std::string(30'000, 'y')}})
            .status;
    }
    // Until the room in the files that the store has already is used up, too.
    void fill() {
        disk.fill();
        bool full = false;
        for (int i = 0; i < 1000 && !full; ++i)
            full = ask_for_more() == 503;
        REQUIRE(full);
    }

private:
    std::string size_;  // what fills it stays in the store

public:
    TempDir root{"berth-full"};
    SmallDisk disk{root.path(), size_.c_str()};
    Witness witness;
    Daemon daemon{root.path(), "max_runs = 1\nslots = 4\n"};
    std::vector<std::int64_t> tenants;
    std::int64_t blocker = 0, filler = 0;

private:
    std::filesystem::directory_iterator releases() const {
        return std::filesystem::directory_iterator{daemon.state_dir() / "releases"};
    }
};

}  // namespace

TEST_CASE("on a full disk no run starts whose use of secrets is not on record",
          "[e2e][audit_disk]") {
    BERTH_NEEDS_SANDBOX();
    const auto rounds = std::max<std::size_t>(1, runs_wanted() / kTenants);
    World world{rounds};
    Daemon& daemon = world.daemon;
    std::size_t waited = 0, while_full = 0;
    for (std::size_t round = 0; round < rounds; ++round) {
        INFO("round " << round);
        const auto blocking = world.block();
        std::vector<std::string> triggers;
        for (const auto tenant : world.tenants)
            triggers.push_back(daemon.sync(tenant));
        const auto before = world.witness.started().size();
        world.fill();
        world.let_go();
        REQUIRE(daemon.wait_run(blocking)["state"] == "succeeded");
        // Now each of them may start; what is asked after that is answered after it was tried.
        for (int i = 0; i < 20; ++i)
            CHECK(world.ask_for_more() == 503);
        const auto started = world.witness.started();
        while_full += started.size() - before;
        CHECK(not_in(started, audited(daemon)) == 0);
        waited += triggers.size();

        world.disk.make_room();
        for (const auto& trigger : triggers)
            CHECK(daemon.wait_run(trigger)["state"] == "succeeded");
        REQUIRE(eventually([&] { return world.ask_for_more() == 202; }));
    }
    const auto started = world.witness.started();
    const auto on_record = audited(daemon);
    const auto missing = not_in(started, on_record);
    std::cout << fmt::format(
        "{} runs waited on a full disk: {} started there; {} started in all, {} of them without an "
        "audit row\n",
        waited, while_full, started.size(), missing);
    CHECK(missing == 0);
    CHECK(started.size() == waited);
    CHECK(not_in({"4242424242"}, on_record) == 1);  // the control
    daemon.stop(SIGTERM);
}
