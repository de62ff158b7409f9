// kill -9 at random moments while clients go on asking: what was acknowledged is
// done once, and nothing is left behind. BERTH_SEED plays a series again, BERTH_CYCLES says
// how long it is.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "base/text.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"
#include "tests/support/seed.h"

using namespace berth::test;
using namespace std::chrono_literals;

namespace {

constexpr int kCycles = 30;
constexpr int kClients = 32;
constexpr int kRuns = 3;  // at once
const std::vector<std::string> kPrograms{"berthd", "berth-runner", "berth-launcher"};

int cycles() {
    const char* given = std::getenv("BERTH_CYCLES");
    return given == nullptr ? kCycles : berth::to_number<int>(given).value();
}

// Moments are what is random here, so these sleeps are the test itself.
void random_pause(std::mt19937_64& random, std::size_t up_to_ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds{below(random, up_to_ms)});
}

// What was acknowledged, from all clients.
struct Acknowledged {
    std::mutex lock;
    std::map<std::string, std::int64_t> tenant_of;  // by trigger
};

// Asks until it is told to stop. A request without an answer is repeated with its
// key, as the CLI does it: it must not become a second trigger.
void ask(const Daemon& daemon, const std::vector<std::int64_t>& tenants, std::uint64_t seed,
         const std::atomic<bool>& stop, Acknowledged& acknowledged) {
    std::mt19937_64 random{seed};
    for (int number = 0; !stop; ++number) {
        const auto tenant = tenants[below(random, tenants.size())];
        const berth::ClientHeaders key{{"Idempotency-Key", fmt::format("{}-{}", seed, number)}};
        for (bool answered = false; !answered && !stop;) {
            berth::Client client{daemon.socket(), {2s, 20s, 1 << 20}};
            const auto answer = client.request(
                "POST", fmt::format("/v2/tenants/{}/sync?mode=normal", tenant), "{}", key);
            answered = answer && answer->status == 202;
            if (!answered) random_pause(random, 50);
            if (!answered) continue;
            const std::lock_guard held{acknowledged.lock};
            acknowledged.tenant_of[json::parse(answer->body)["trigger_id"]] = tenant;
        }
        random_pause(random, 1500);
    }
}

// All daemons at once, as when the host's power goes.
void kill_all(Daemon& daemon) {
    std::vector<pid_t> pids;
    for (const auto& program : kPrograms)
        pids.push_back(daemon.pid_of(program));
    daemon.stop(SIGKILL);
    for (const pid_t pid : pids)
        if (pid > 0) REQUIRE(eventually([&] { return ::kill(pid, 0) != 0; }));
    daemon.launch();
}

// Others' groups come and go meanwhile: what cannot be read is passed over.
void find_groups(const std::filesystem::path& folder, std::uint32_t first_uid, int depth,
                 std::vector<std::filesystem::path>& found) {
    std::error_code gone;
    std::filesystem::directory_iterator it{folder, gone}, end;
    for (; !gone && it != end; it.increment(gone)) {
        std::error_code none;
        if (!it->is_directory(none) || it->is_symlink(none)) continue;
        const auto name = it->path().filename().string();
        const auto uid = berth::to_number<std::uint32_t>(
            name.starts_with("berth-") ? std::string_view{name}.substr(6) : "");
        if (uid && *uid >= first_uid && *uid < first_uid + 512) found.push_back(it->path());
        if (depth > 0) find_groups(it->path(), first_uid, depth - 1, found);
    }
}

// Cgroups of this daemon's sandboxes: the launcher calls their parent after its first uid.
std::vector<std::filesystem::path> groups_of(const Daemon& daemon) {
    const auto config = berth::read_file(daemon.root() / "berth.conf", 1 << 16).value();
    const auto at = config.find("first_uid = ") + 12;
    const auto uid = berth::to_number<std::uint32_t>(config.substr(at, config.find('\n', at) - at));
    std::vector<std::filesystem::path> found;
    find_groups("/sys/fs/cgroup", uid.value(), /*depth=*/5, found);
    return found;
}

// From a kill until runs start again.
class Recoveries {
public:
    void killed() { since_ = std::chrono::steady_clock::now(); }
    void ready() {
        if (since_) took_.push_back(std::chrono::steady_clock::now() - *since_);
        since_.reset();
    }
    void print() {
        std::ranges::sort(took_);
        const auto ms = [&](double part) {
            const auto last = static_cast<double>(took_.size() - 1);
            return took_.at(static_cast<std::size_t>(part * last)).count() / 1'000'000;
        };
        if (!took_.empty())
            std::cout << fmt::format("ready again after {} ms (median), {} ms (99 %), {} ms\n",
                                     ms(0.5), ms(0.99), ms(1));
    }

private:
    std::optional<std::chrono::steady_clock::time_point> since_;
    std::vector<std::chrono::nanoseconds> took_;
};

json all_runs(Daemon& daemon) {
    json runs = json::array();
    for (;;) {
        const json page = daemon.must(
            "GET", fmt::format("/v2/runs?sort_by=id__ASC&limit=500&skip={}", runs.size()));
        runs.insert(runs.end(), page.begin(), page.end());
        if (page.size() < 500) return runs;
    }
}

}  // namespace

TEST_CASE("whatever is killed whenever, what was acknowledged is done once", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    auto random = seeded_random("kill -9");
    const int count = cycles();
    Daemon daemon{fmt::format("max_runs = {}\nslots = 8\npool_size = 0\n", kRuns)};
    const std::string script = "echo ran $PAN_CTX_RUN_ATTEMPT >&2; sleep 0.1; echo ok";
    const auto lost = daemon.install("gives-up", {{"PANDIUM.yaml", manifest(script)}});
    const auto again =
        daemon.install("tries-again", {{"PANDIUM.yaml", manifest(script)}}, {{"on_lost", "retry"}});
    std::vector<std::int64_t> tenants{lost.tenant, again.tenant};
    for (const auto& of : {lost, again})
        tenants.push_back(daemon.must("POST", "/v2/tenants",
                                      {{"name", fmt::format("second-of-{}", of.integration)},
                                       {"integration_id", of.integration}})["id"]);

    Acknowledged acknowledged;
    std::atomic<bool> stop{false};
    std::vector<std::thread> clients;
    for (int i = 0; i < kClients; ++i)
        clients.emplace_back(
            [&, seed = random()] { ask(daemon, tenants, seed, stop, acknowledged); });
    std::map<std::string, int> killed;
    Recoveries recoveries;
    bool had_groups = false;
    {
        // The threads end before anything here does, also when the test fails.
        struct Joined {
            std::atomic<bool>& stop;
            std::vector<std::thread>& threads;
            ~Joined() {
                stop = true;
                for (auto& thread : threads)
                    thread.join();
            }
        } const joined{stop, clients};
        for (int cycle = 0; cycle < count; ++cycle) {
            if (below(random, 4) != 0) {  // else into the middle of a start
                daemon.wait_ready();
                recoveries.ready();
            }
            random_pause(random, 200);
            if (cycle % 50 == 0) had_groups = had_groups || !groups_of(daemon).empty();
            recoveries.killed();
            const auto choice = below(random, 4);
            if (choice == kPrograms.size()) {
                kill_all(daemon);
                ++killed["all"];
                continue;
            }
            const pid_t victim = daemon.pid_of(kPrograms[choice]);
            if (victim > 0 && ::kill(victim, SIGKILL) == 0) ++killed[kPrograms[choice]];
        }
        daemon.wait_ready();
        // On a slow machine few were answered between the kills.
        REQUIRE(eventually([&] {
            const std::lock_guard held{acknowledged.lock};
            return acknowledged.tenant_of.size() > static_cast<std::size_t>(count);
        }));
    }
    for (const auto& [name, times] : killed)
        std::cout << "killed " << name << " " << times << " times\n";
    recoveries.print();
    std::cout << acknowledged.tenant_of.size() << " triggers acknowledged\n";

    REQUIRE(eventually([&] {
        for (const std::int64_t tenant : tenants) {
            const json status = daemon.must("GET", fmt::format("/v2/tenants/{}", tenant))["status"];
            if (status["waiting_triggers"] != 0 || !status["current_run"].is_null()) return false;
        }
        return true;
    }));
    for (const char* state : {"queued", "preparing", "starting", "running"})
        CHECK(daemon.must("GET", fmt::format("/v2/runs?state={}", state)).empty());

    std::map<std::string, int> runs_of_trigger;
    std::map<std::int64_t, std::string> last_end;
    int retried = 0, failed = 0, unprinted = 0;
    for (const json& run : all_runs(daemon)) {
        INFO(run.dump());
        const std::int64_t id = run["id"], tenant = run["tenant_id"];
        const int attempts = run["attempt"];
        retried += attempts > 1 ? 1 : 0;
        if (run["state"] != "succeeded") {
            CHECK(run["state"] == "failed_platform");
            // While it ran; or while its sandbox was being built.
            const std::string reason = run["reason"];
            const bool told = reason.starts_with("lost: ") ||
                              reason.starts_with("could not be set up: the launcher is not there");
            CHECK(told);
            ++failed;
        }
        if (run["started_date"].is_string()) {
            CHECK(run["started_date"].get<std::string>() >= last_end[tenant]);
        }
        last_end[tenant] = run["completed_date"];
        for (const json& trigger : run["triggers"]) {
            const std::string trigger_id = trigger["id"];
            ++runs_of_trigger[trigger_id];
            if (acknowledged.tenant_of.count(trigger_id) == 1)
                CHECK(acknowledged.tenant_of[trigger_id] == tenant);
        }
        // By the record and by what the script itself wrote: one start per attempt.
        std::map<int, int> starts;
        for (const json& event : daemon.must("GET", fmt::format("/v2/runs/{}/events", id)))
            if (event["state"] == "running") ++starts[event["attempt"]];
        for (const auto& [attempt, times] : starts)
            CHECK(times == 1);
        // A later attempt only if none before has run, unless the integration asks for it.
        if (run["integration_id"] == lost.integration) CHECK(starts.size() <= 1);
        const auto log = daemon.run_log(id, "stderr");
        std::set<std::string> lines;
        for (const auto& line : berth::split(log, '\n')) {
            if (line.empty()) continue;
            INFO(log);
            CHECK(lines.insert(line).second);
        }
        if (run["state"] == "succeeded" && lines.count(fmt::format("ran {}", attempts)) == 0)
            ++unprinted;
    }
    // What a runner had read and not yet saved when it was killed.
    CHECK(unprinted <= kRuns * (killed["berth-runner"] + killed["all"]));
    std::cout << runs_of_trigger.size() << " triggers ran, " << failed << " runs lost, " << retried
              << " tried again, of " << unprinted << " a line is missing\n";
    for (const auto& [trigger, tenant] : acknowledged.tenant_of) {
        INFO(trigger);
        CHECK(runs_of_trigger[trigger] == 1);
    }

    CHECK(daemon.nothing_sandboxed());
    CHECK(daemon.run(lost.tenant)["state"] == "succeeded");
    CHECK(WIFEXITED(daemon.stop(SIGTERM)));
    CHECK(daemon.nothing_sandboxed());
    std::cout << (had_groups ? "with" : "without") << " cgroups\n";
    for (const auto& left : groups_of(daemon))
        FAIL_CHECK("a cgroup is left: " << left);
    for (const auto& entry : std::filesystem::directory_iterator{daemon.root() / "run"})
        CHECK_FALSE(entry.is_socket());
    const auto mounts = berth::read_file("/proc/self/mountinfo", 16 << 20).value();
    CHECK(mounts.find(daemon.root().string()) == std::string::npos);
}
