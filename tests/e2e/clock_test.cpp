// The wall clock of the real daemons is set forward and back, by seconds, hours, years and
// beyond 2038 (libfaketime): nothing fires twice, no run loses its lease or its time, and what
// was missed is in the ledger. BERTH_SEED plays a series again, BERTH_STEPS says how long it is.
#include "base/clock.h"

#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <iostream>
#include <map>
#include <set>

#include "base/text.h"
#include "store/db_sqlite.h"
#include "tests/e2e/counting.h"
#include "tests/support/needs_sandbox.h"
#include "tests/support/seed.h"

using namespace berth::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

constexpr auto kYear = 365 * 24h;

int steps() {
    const char* given = std::getenv("BERTH_STEPS");
    return given == nullptr ? 20 : berth::to_number<int>(given).value();
}

// Debian's package `faketime`; empty when it is not there.
fs::path library() {
    for (const auto& folder : fs::directory_iterator{"/usr/lib"})
        if (const auto file = folder.path() / "faketime/libfaketimeMT.so.1";
            folder.is_directory() && fs::exists(file))
            return file;
    return {};
}

// The clock of a Daemon's berthd and berth-runner; everybody else has the machine's.
class SetClock {
public:
    SetClock(const fs::path& root, Daemon& daemon) : file_{root / "clock"} {
        const auto folder = root / "programs";
        // Of copies: their users need not be able to walk to the build.
        fs::create_directories(folder / "real");
        std::ofstream{folder / "environment"}
            << (folder / "real").string() << "\nLD_PRELOAD=" << library().string()
            << "\nFAKETIME_TIMESTAMP_FILE=" << file_.string()
            << "\nFAKETIME_NO_CACHE=1\nFAKETIME_DONT_FAKE_MONOTONIC=1\nDONT_FAKE_MONOTONIC=1"
               "\nNO_FAKE_STAT=1\nASAN_OPTIONS=verify_asan_link_order=0\n";
        for (const char* program : {"berthd", "berth-runner"}) {
            fs::copy_file(programs() / program, folder / "real" / program);
            fs::copy_file(BERTH_BINARY_DIR "/bin/with_clock", folder / program);
        }
        for (const char* program : {"berth-launcher", "berth-egress"})
            fs::create_symlink(programs() / program, folder / program);
        // It starts what lies beside it.
        fs::create_hard_link(folder / "real" / "berthd", folder / "supervisor");
        daemon.use_program(folder / "supervisor");
        set(0s);
    }
    void set(std::chrono::seconds ahead) {
        ahead_ = ahead;
        berth::write_file_atomically(file_, fmt::format("{:+}\n", ahead.count()), 0644);
    }
    void step(std::chrono::seconds by) { set(ahead_ + by); }
    void to(berth::Time time) {
        set(std::chrono::floor<std::chrono::seconds>(time - berth::SystemClock{}.now()));
    }
    berth::Time now() const { return berth::SystemClock{}.now() + ahead_; }

private:
    const fs::path file_;
    std::chrono::seconds ahead_{};
};

// One of the steps of D9; its name.
std::string step_at_random(SetClock& clock, std::mt19937_64& random) {
    constexpr std::pair<const char*, std::chrono::seconds> kSteps[] = {
        {"+1 s", 1s},  {"-1 s", -1s},   {"+1 h", 1h},
        {"-1 h", -1h}, {"+1 y", kYear}, {"-1 y", -kYear}};
    const auto choice = below(random, std::size(kSteps) + 1);
    if (choice == std::size(kSteps)) {
        clock.to(*berth::parse_rfc3339("2038-01-20T00:00:00Z"));
        return "to 2038";
    }
    clock.step(kSteps[choice].second);
    return kSteps[choice].first;
}

// The whole ledger of a tenant, newest first.
json ledger(Daemon& daemon, std::int64_t tenant) {
    json all = json::array();
    std::string before;
    for (;;) {
        const json page = daemon.must(
            "GET", fmt::format("/v2/tenants/{}/schedule/history?limit=500{}", tenant, before));
        all.insert(all.end(), page.begin(), page.end());
        if (page.size() < 500) return all;
        before = "&before=" + page.back()["date"].get<std::string>();
    }
}

// How many slots of the ledger have each outcome: `fired`, or why they were skipped.
std::map<std::string, int> outcomes(Daemon& daemon, std::int64_t tenant) {
    std::map<std::string, int> count;
    for (const json& slot : ledger(daemon, tenant))
        ++count[(slot["outcome"] == "fired" ? slot["outcome"] : slot["reason"]).get<std::string>()];
    return count;
}

// What has fired, by trigger: its key names the schedule and the instant. Looked at between the
// steps, since both the ledger and the keys are forgotten by the clock in the end.
class Firings {
public:
    void look(const Daemon& daemon) {
        auto db = berth::SqliteDb::open(daemon.state_dir() / "store" / "berth.db",
                                        berth::SqliteDb::Access::read_only);
        REQUIRE(db);
        for (const auto& row :
             (*db)->query("select id, idempotency_key from triggers"
                          " where source = 'cron' and idempotency_key is not null"))
            instants_[row.text(0)] = row.text(1);
        waiting_ = (*db)->must("select count(*) from triggers where run_id is null").integer(0);
    }
    std::int64_t waiting() const { return waiting_; }
    std::size_t count() const { return instants_.size(); }
    std::size_t different() const {
        std::set<std::string> all;
        for (const auto& [trigger, instant] : instants_)
            all.insert(instant);
        return all.size();
    }

private:
    std::map<std::string, std::string> instants_;
    std::int64_t waiting_ = 0;
};

}  // namespace

TEST_CASE("however the clock of the daemons is set, nothing fires twice and no run is lost",
          "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    if (library().empty()) {
        if (std::getenv("BERTH_REQUIRE_SANDBOX") != nullptr)
            FAIL("Debian's package 'faketime' is missing");
        std::cout << "skipped: Debian's package 'faketime' is not installed\n";
        return;
    }
    auto random = seeded_random("clock steps");
    const berth::TempDir root{"berth-clock"};
    Daemon daemon{root.path(),
                  "pool_size = 0\nretention_days = 36500\nschedule_history_days = 36500\n"};
    SetClock clock{root.path(), daemon};
    daemon.start();

    const auto live =
        daemon.install("live", {{"PANDIUM.yaml", manifest(counting_script(1, "0.2"))}},
                       {{"wall_time_seconds", 86'400}});
    const Script script = start_script(daemon, live.tenant);
    const auto quick = daemon.install("quick", {{"PANDIUM.yaml", manifest("echo ok")}});
    std::map<std::string, std::int64_t> timed;
    for (const std::string policy : {"skip", "one", "all"}) {
        const std::int64_t id = daemon.must(
            "POST", "/v2/tenants", {{"name", policy}, {"integration_id", quick.integration}})["id"];
        const auto tenant = fmt::format("/v2/tenants/{}", id);
        daemon.must("PATCH", tenant, {{"paused", false}});
        daemon.must("PUT", tenant + "/schedule",
                    {{"text", "@every 10m"}, {"missed", policy}, {"window_seconds", 7'200}});
        timed[policy] = id;
    }

    // Of an hour that was missed none fires, one, or all.
    clock.step(1h);
    REQUIRE(eventually([&] { return outcomes(daemon, timed["all"])["fired"] >= 5; }));
    REQUIRE(eventually([&] { return outcomes(daemon, timed["one"])["fired"] >= 1; }));
    REQUIRE(eventually([&] { return outcomes(daemon, timed["skip"])["downtime"] >= 5; }));
    CHECK(outcomes(daemon, timed["one"])["downtime"] >= 4);
    CHECK(outcomes(daemon, timed["all"])["downtime"] == 0);
    Firings firings;
    firings.look(daemon);
    std::map<std::string, int> made{{"+1 h", 1}};
    const int count = steps();
    for (int i = 1; i < count; ++i) {
        const std::string step = step_at_random(clock, random);
        ++made[step];
        INFO("step " << i << ": " << step);
        // Runs start and end in the new time, and berthd knows it.
        const json run = daemon.run(quick.tenant);
        INFO(run.dump());
        CHECK(run["state"] == "succeeded");
        const auto started = berth::parse_rfc3339(run["started_date"].get<std::string>());
        REQUIRE(started);
        CHECK(std::chrono::abs(*started - clock.now()) < 20min);
        CHECK(daemon.must("GET", fmt::format("/v2/runs/{}", script.run))["state"] == "running");
        firings.look(daemon);
    }
    for (const auto& [policy, id] : timed)
        daemon.must("PUT", fmt::format("/v2/tenants/{}/schedule", id), {{"text", ""}});
    REQUIRE(eventually([&] {
        firings.look(daemon);
        return firings.waiting() == 0 && daemon.must("GET", "/v2/runs?state=running").size() == 1;
    }));

    for (const json& slot : ledger(daemon, timed["skip"])) {
        INFO(slot.dump());
        if (slot["outcome"] == "fired") CHECK(slot["late_ms"] <= 30'000);
    }
    CHECK(firings.count() >= 6);
    CHECK(firings.different() == firings.count());
    for (const auto& [what, times] : made)
        std::cout << what << ": " << times << " times; ";
    std::cout << fmt::format("\n{} instants fired, each once\n", firings.count());
    for (const auto& [policy, id] : timed)
        for (const auto& [what, times] : outcomes(daemon, id))
            std::cout << fmt::format("missed: {}: {} {}\n", policy, times, what);

    for (const char* state : {"failed_platform", "failed_timeout", "cancelled", "queued"})
        CHECK(daemon.must("GET", fmt::format("/v2/runs?state={}", state)).empty());
    CHECK(daemon.log().find("another host") == std::string::npos);
    let_go(daemon);
    check_whole(daemon, script);
}
