// Whole backups, made by the socket while clients ask and runs print, each put back and looked
// at: all that was acknowledged before is in it, and its rows fit together. BERTH_BACKUPS: how
// many.
#include <fmt/format.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <mutex>
#include <set>
#include <thread>

#include "base/file.h"
#include "base/text.h"
#include "store/db_sqlite.h"
#include "tests/e2e/counting.h"
#include "tests/faults/model.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

constexpr int kClients = 4;

int backups() {
    const char* given = std::getenv("BERTH_BACKUPS");
    return given == nullptr ? 5 : to_number<int>(given).value();
}

// What it says; the test fails when it fails.
std::string must_run(const std::string& command) {
    FILE* pipe = ::popen((command + " 2>&1").c_str(), "re");
    REQUIRE(pipe != nullptr);
    std::string said;
    std::array<char, 4096> buffer{};
    while (const auto n = std::fread(buffer.data(), 1, buffer.size(), pipe))
        said.append(buffer.data(), n);
    const int status = ::pclose(pipe);
    INFO(command << "\n" << said);
    REQUIRE(status == 0);
    return said;
}

// Clients that ask until this is destroyed.
class Load {
public:
    Load(const fs::path& socket, const std::vector<std::int64_t>& tenants) {
        for (int i = 0; i < kClients; ++i)
            threads_.emplace_back([this, socket, tenants, i] {
                Client client{socket};
                for (std::size_t n = static_cast<std::size_t>(i); !stop_; ++n) {
                    const auto answer = client.request(
                        "POST",
                        fmt::format("/v2/tenants/{}/sync?mode=normal", tenants[n % tenants.size()]),
                        json{{"number", n}}.dump());
                    if (!answer || answer->status != 202) continue;
                    {
                        const std::lock_guard held{lock_};
                        acknowledged_.insert(json::parse(answer->body)["trigger_id"]);
                    }
                    std::this_thread::sleep_for(20ms);  // a client has something else to do
                }
            });
    }
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;
    ~Load() {
        stop_ = true;
        for (auto& thread : threads_)
            thread.join();
    }
    std::set<std::string> acknowledged() const {
        const std::lock_guard held{lock_};
        return acknowledged_;
    }

private:
    mutable std::mutex lock_;
    std::set<std::string> acknowledged_;
    std::atomic<bool> stop_{false};
    std::vector<std::thread> threads_;
};

void must_be_whole(const fs::path& database) {
    INFO(database);
    auto db = SqliteDb::open(database, SqliteDb::Access::read_write);
    REQUIRE(db);
    for (const std::string& wrong : damage(**db))
        FAIL_CHECK(wrong);
}

// Folders without a store: of a host that has just got the package, or that is only looked at.
void make_empty(Daemon& daemon, bool starts) {
    if (starts) {  // the folders are its users', then
        daemon.start();
        daemon.stop(SIGTERM);
        for (const auto& entry : fs::directory_iterator{daemon.state_dir() / "store"})
            fs::remove_all(entry.path());
        return;
    }
    for (const char* each : {"state/store", "state/releases", "run"})
        fs::create_directories(daemon.root() / each);
}

std::set<std::string> triggers_of(Db& db) {
    std::set<std::string> all;
    for (const Row& row : db.query("select id from triggers"))
        all.insert(row.text(0));
    return all;
}

}  // namespace

TEST_CASE("backups under load, each put back, have all that was acknowledged before", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon{"pool_size = 0\n"};
    const auto counting =
        daemon.install("counting", {{"PANDIUM.yaml", manifest(counting_script())}});
    const Script live = start_script(daemon, counting.tenant);
    const auto quick =
        daemon.install("quick", {{"PANDIUM.yaml", manifest("echo a word >&2; echo ok")}});
    std::vector<std::int64_t> tenants{quick.tenant};
    for (const char* name : {"second", "third"})
        tenants.push_back(daemon.must(
            "POST", "/v2/tenants", {{"name", name}, {"integration_id", quick.integration}})["id"]);
    std::size_t triggers = 0, lines = 0, bytes = 0;
    const int count = backups();
    {
        const Load load{daemon.socket(), tenants};
        for (int i = 0; i < count; ++i) {
            INFO("backup " << i);
            // Of each something has come since the last one.
            REQUIRE(eventually([&] { return load.acknowledged().size() > triggers + kClients; }));
            wait_for_more(daemon, live.run);
            const auto promised = load.acknowledged();
            const auto printed = daemon.run_log(live.run, "stderr");

            const TempDir folder{"berth-backup"};
            const auto file = folder.path() / "backup.tar";
            must_run(fmt::format("BERTH_SOCKET='{}' '{}/berth' backup '{}'",
                                 daemon.socket().string(), programs().string(), file.string()));
            bytes = fs::file_size(file);
            const TempDir other_root{"berth-e2e"};
            Daemon other{other_root.path(), ""};
            const bool starts = i + 1 == count;  // or it is only looked at
            make_empty(other, starts);
            must_run(fmt::format("'{}/berth' restore '{}' --config '{}/berth.conf'",
                                 programs().string(), file.string(), other_root.path().string()));

            const auto store = other.state_dir() / "store";
            must_be_whole(store / "berth.db");
            for (const auto& day : fs::directory_iterator{store / "logs"})
                if (day.path().extension() == ".db") must_be_whole(day.path());
            {
                auto db = SqliteDb::open(store / "berth.db", SqliteDb::Access::read_write);
                REQUIRE(db);
                for (const std::string& rule : broken_rules(**db))
                    FAIL_CHECK(rule);
                const auto there = triggers_of(**db);
                CHECK(std::ranges::includes(there, promised));
                // The control: one more would be missed.
                auto more = promised;
                more.insert("a-trigger-that-was-never-accepted");
                CHECK_FALSE(std::ranges::includes(there, more));
                triggers = promised.size();
            }
            if (!starts) continue;
            // The log has what was seen, and runs go on.
            const auto key = read_file(daemon.state_dir() / "keys/root.key", 1 << 10).value();
            fs::remove(other.state_dir() / "keys/root.key");
            write_file_atomically(other.state_dir() / "keys/root.key", key, 0400);
            other.start();
            const auto kept = other.run_log(live.run, "stderr");
            CHECK(kept.starts_with(printed));
            lines = split(kept, '\n').size();
            REQUIRE(eventually([&] {
                return other.must("GET", fmt::format("/v2/runs/{}", live.run))["state"] ==
                       "failed_platform";
            }));
            CHECK(other.run(tenants[0])["state"] == "succeeded");
        }
    }
    std::cout << fmt::format(
        "{} backups under {} clients, each put back: {} triggers and {} lines of a live run in the "
        "last one ({:.1f} MB)\n",
        count, kClients, triggers, lines, static_cast<double>(bytes) / 1e6);
    let_go(daemon);
    check_whole(daemon, live);
}

// The end that the client sees is the end of the making: whoever asks then is not told that one
// is being made.
TEST_CASE("a backup can be made as soon as the one before it has come", "[e2e]") {
    Daemon daemon{"pool_size = 0\n"};
    Client client{daemon.socket()};
    for (int i = 0; i < 50; ++i) {
        const auto answer = client.request("POST", "/v2/backup", {});
        REQUIRE(answer);
        INFO("backup " << i << ": " << answer->body.substr(0, 200));
        REQUIRE(answer->status == 200);
    }
}
