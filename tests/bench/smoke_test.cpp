// The scheduler's and the end-to-end bench in small: every part is measured, as often as
// asked for, and what they count is right. Nothing here looks at a time.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "base/file.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using nlohmann::json;

namespace {

// What the bench wrote; it must end well.
json run_bench(const std::string& name, const std::string& arguments) {
    const TempDir folder{"bench-smoke"};
    const auto path = (folder.path() / "figures.json").string();
    const auto log = (folder.path() / "log").string();
    const auto command = fmt::format("{}/bin/{} {} --json {} > {} 2>&1", BERTH_BINARY_DIR, name,
                                     arguments, path, log);
    const int status = std::system(command.c_str());
    INFO(command << "\n" << read_file(log, 1 << 20).value_or("no output"));
    REQUIRE(status == 0);
    return json::parse(std::ifstream{path});
}

double value(const json& written, const std::string& name) {
    INFO(name << " in " << written.dump(1));
    REQUIRE(written["figures"].contains(name));
    return written["figures"][name]["value"];
}

}  // namespace

TEST_CASE("the scheduler's bench fires, picks and counts what it was asked for", "[bench]") {
    const json written = run_bench("scheduler_bench",
                                   "--only schedules,picks,fairness --sizes 20,60 --firings 5"
                                   " --window 1 --burst 40 --rounds 3 --others 7 --many 50");
    for (const char* size : {"20", "60"}) {
        CHECK(value(written, fmt::format("{} schedules: due to durable, n", size)) == 5);
        CHECK(value(written, fmt::format("{} schedules: due to durable, p50", size)) > 0);
        CHECK(value(written, fmt::format("{} schedules: burst, last durable after", size)) > 0);
        CHECK(value(written, fmt::format("{} waiting: pick, durable, n", size)) == 3);
    }
    CHECK(value(written, "triggers of the one that were waiting") == 50);
    CHECK(value(written, "others that have begun") == 7);
    // This is no time: it is the promise.
    CHECK(value(written, "picks until then") <= 8);
}

TEST_CASE("the scheduler's bench asks the real berthd", "[bench]") {
    BERTH_NEEDS_SANDBOX();
    const json written = run_bench("scheduler_bench",
                                   "--only intake,start --sizes 20,30 --clients 3 --intake 30"
                                   " --intake-rounds 2");
    CHECK(value(written, "3 clients, request to answer, n") == 60);
    CHECK(value(written, "1 client, request to answer, n") == 2);
    CHECK(value(written, "30: first run has ended") > 0);
    CHECK(value(written, "30: berthd resident") > 0);
}

TEST_CASE("the end-to-end bench runs what it was asked to, and its states are in order",
          "[bench]") {
    BERTH_NEEDS_SANDBOX();
    const json written = run_bench("endtoend_bench",
                                   "--n 2 --rounds 1 --clients 1,2 --sustained 4 --waiting 3"
                                   " --max-runs 2");
    for (const char* name : {"berth", "one fsync, one posix_spawn"})
        CHECK(value(written, fmt::format("{}: first byte, n", name)) == 2);
    double before = 0;
    for (const char* state : {"queued", "preparing", "starting", "running", "succeeded"}) {
        const double at = value(written, fmt::format("berth: {}, p50", state));
        CHECK(at >= before);
        before = at;
    }
    CHECK(value(written, "berth, 2 at once: runs") > 0);
    CHECK(value(written, "berth, worked off, 2 at once: runs") > 0);
    CHECK(value(written, "bare loop with SQLite FULL, 2 at once: runs") > 0);
    CHECK(value(written, "berthd resident") > 0);
}

// As little as shows that each step counts what it says; how much berthd takes is not looked at.
TEST_CASE(
    "under load and overload nothing that was accepted is lost, and who is refused is told when",
    "[bench]") {
    BERTH_NEEDS_SANDBOX();
    const json written = run_bench("endtoend_bench", "--load --overload --seconds 1 --tenants 20");
    for (const char* step : {"at 50 %", "at 80 %", "at 100 %"}) {
        const double accepted = value(written, fmt::format("{}: accepted", step));
        CHECK(accepted > 0);
        CHECK(value(written, fmt::format("{}: first byte, n", step)) == accepted);
        CHECK(value(written, fmt::format("{}: accepted and lost", step)) == 0);
        CHECK(value(written, fmt::format("{}: not accepted", step)) == 0);
    }
    for (const char* step : {"2 times the capacity", "10 times the capacity", "64 clients",
                             "128 clients", "640 clients"}) {
        INFO(step);
        const auto of = [&](const char* what) {
            return value(written, fmt::format("{}: {}", step, what));
        };
        CHECK(of("accepted") > 0);
        CHECK(of("accepted and lost") == 0);
        CHECK(of("never answered") == 0);
        CHECK(of("refused, not told when to come again") == 0);
        CHECK(of("connections closed without an answer") == 0);
        CHECK(of("asked") == of("accepted") + of("refused"));
    }
    // As many connections as one user may have are served, whoever else asks.
    CHECK(value(written, "640 clients: refused") > 0);
    CHECK(value(written, "128 clients: refused") == 0);
}

TEST_CASE("the noise that starts are measured beside is there", "[bench]") {
    BERTH_NEEDS_SANDBOX();
    const json written = run_bench("endtoend_bench", "--noisy --n 2 --rounds 1");
    for (const char* name : {"quiet", "print", "multiply", "fill", "all"})
        CHECK(value(written, fmt::format("{}: first byte, n", name)) == 2);
    // Of who multiplies, the first process is counted, which does little.
    CHECK(value(written, "multiply: processor time that the noise had") >= 0);
    for (const char* name : {"print", "fill", "all"})
        CHECK(value(written, fmt::format("{}: processor time that the noise had", name)) > 0);
}
