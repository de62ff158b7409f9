// Secrets in the memory of the daemons: gone once they were handed on. As root the
// test may read what nobody else may.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/crypto.h"
#include "base/fd.h"
#include "base/text.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;

namespace {

struct Region {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t resident_kib = 0;
    std::string name;
};

std::vector<Region> regions_of(pid_t pid) {
    std::vector<Region> regions;
    std::ifstream file{fmt::format("/proc/{}/smaps", pid)};
    for (std::string line; std::getline(file, line);) {
        std::istringstream words{line};
        std::string first;
        words >> first;
        if (first == "Rss:") {
            words >> regions.back().resident_kib;
        } else if (first.find('-') != std::string::npos && !first.ends_with(":")) {
            Region region;
            const auto dash = first.find('-');
            region.begin = std::stoull(first.substr(0, dash), nullptr, 16);
            region.end = std::stoull(first.substr(dash + 1), nullptr, 16);
            region.name = line;
            regions.push_back(std::move(region));
        }
    }
    return regions;
}

struct Found {
    std::size_t copies = 0;
    std::uint64_t scanned = 0;
    std::string where;
};

// Every copy of `bytes` in the memory of the process, as it would be in a core.
Found copies_in(pid_t pid, const std::string& bytes) {
    constexpr std::uint64_t kShadow = std::uint64_t{64} << 30;  // AddressSanitizer's own
    constexpr std::size_t kPart = 1 << 20;
    const berth::Fd memory{::open(fmt::format("/proc/{}/mem", pid).c_str(), O_RDONLY | O_CLOEXEC)};
    REQUIRE(memory);
    Found found;
    std::string part;
    for (const Region& region : regions_of(pid)) {
        if (region.resident_kib == 0 || region.end - region.begin > kShadow) continue;
        std::string carried;  // the end of the part before: a copy may lie across
        for (std::uint64_t at = region.begin; at < region.end; at += kPart) {
            part.resize(std::min<std::uint64_t>(kPart, region.end - at));
            const ssize_t n =
                ::pread(memory.get(), part.data(), part.size(), static_cast<off_t>(at));
            if (n <= 0) break;
            part.resize(static_cast<std::size_t>(n));
            found.scanned += part.size();
            const std::string text = carried + part;
            for (auto hit = text.find(bytes); hit != std::string::npos;
                 hit = text.find(bytes, hit + 1)) {
                ++found.copies;
                found.where += fmt::format("{} at {:x}\n", region.name, at + hit - carried.size());
            }
            carried = text.substr(text.size() - std::min(text.size(), bytes.size() - 1));
        }
    }
    return found;
}

std::string name_of(pid_t pid) {
    std::string name;
    std::ifstream{fmt::format("/proc/{}/comm", pid)} >> name;
    return name;
}

constexpr std::size_t kRuns = 20;

}  // namespace

TEST_CASE("neither berthd nor the runner holds a secret once it was handed on", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    // Unlike any other string of the machine, and made here: no file holds it.
    const std::string canary = "canary-" + berth::to_hex(berth::random_bytes(24));
    daemon.must("POST", "/v2/connectors", {{"name", "shop"}});
    const auto made = daemon.install(
        "memory",
        {{"PANDIUM.yaml", manifest("test -n \"$PAN_SEC_SHOP_TOKEN\" && echo $PAN_SEC_SHOP_TOKEN")}},
        {{"connectors", {{{"name", "shop"}}}}});
    daemon.must("PUT", fmt::format("/v2/tenants/{}/connectors/shop/connection", made.tenant),
                {{"secrets", {{"token", canary}}}});
    for (std::size_t i = 0; i < kRuns; ++i)
        REQUIRE(daemon.run(made.tenant)["state"] == "succeeded");

    for (const char* program : {"berthd", "berth-runner", "berth-launcher"}) {
        const pid_t pid = daemon.pid_of(program);
        const Found found = copies_in(pid, canary);
        INFO(program << " has " << found.copies << " copies:\n" << found.where);
        CHECK(found.scanned > 1'000'000);
        CHECK(found.copies == 0);
        // The scan finds what is there: the program's own name.
        CHECK(copies_in(pid, program).copies > 0);
    }
}

// S11: the plaintext is handed to the script; what is left is what the masker was made of.
TEST_CASE("while a run lives the runner has one copy of its secret at most, and none after it",
          "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const std::string canary = "canary-" + berth::to_hex(berth::random_bytes(24));
    daemon.must("POST", "/v2/connectors", {{"name", "shop"}});
    const auto made = daemon.install(
        "holder", {{"PANDIUM.yaml", manifest("echo $PAN_SEC_SHOP_TOKEN >&2; exec sleep 300")}},
        {{"connectors", {{{"name", "shop"}}}}});
    daemon.must("PUT", fmt::format("/v2/tenants/{}/connectors/shop/connection", made.tenant),
                {{"secrets", {{"token", canary}}}});
    const auto trigger = daemon.sync(made.tenant);
    pid_t sleeping = -1;
    REQUIRE(eventually([&] {
        for (const pid_t pid : daemon.sandboxed_processes())
            if (name_of(pid) == "sleep") sleeping = pid;
        return sleeping > 0;
    }));
    const json status = daemon.must("GET", "/v2/runs/triggers/" + trigger + "/status");
    const auto run = status["run_id"].get<std::int64_t>();
    // What it printed was masked: the runner is done with it.
    REQUIRE(eventually([&] { return daemon.run_log(run).find("***") != std::string::npos; }));

    const Found live = copies_in(daemon.pid_of("berth-runner"), canary);
    INFO("while the run lives:\n" << live.where);
    CHECK(live.copies <= 1);
    for (const char* program : {"berthd", "berth-launcher", "berth-egress"}) {
        const Found none = copies_in(daemon.pid_of(program), canary);
        INFO(program << "\n" << none.where);
        CHECK(none.copies == 0);
    }
    CHECK(copies_in(sleeping, canary).copies > 0);  // the control: its environment

    daemon.must("POST", fmt::format("/v2/runs/{}/cancel", run));
    CHECK(daemon.wait_run(trigger)["state"] == "cancelled");
    Found after;
    const bool gone = eventually([&] {
        after = copies_in(daemon.pid_of("berth-runner"), canary);
        return after.copies == 0;
    });
    INFO("after it:\n" << after.where);
    CHECK(gone);
    std::cout << "copies of a secret in the runner: " << live.copies << " while its run lives, "
              << after.copies << " after it\n";
}

TEST_CASE("a run finds nothing of the secrets of another run that is live", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const std::string canary = "canary-" + berth::to_hex(berth::random_bytes(24));
    daemon.must("POST", "/v2/connectors", {{"name", "shop"}});
    const auto holder = daemon.install(
        "holder",
        {{"PANDIUM.yaml", manifest("echo $PAN_SEC_SHOP_TOKEN > /tmp/t; cp /tmp/t /dev/shm/t; "
                                   "cp /tmp/t /work/t; sleep 300")}},
        {{"connectors", {{{"name", "shop"}}}}});
    daemon.must("PUT", fmt::format("/v2/tenants/{}/connectors/shop/connection", holder.tenant),
                {{"secrets", {{"token", canary}}}});
    daemon.sync(holder.tenant);
    // Its sleep is in the sandbox once the secret is in all three folders.
    REQUIRE(eventually([&] {
        const auto all = daemon.sandboxed_processes();
        return std::ranges::any_of(all, [](pid_t pid) { return name_of(pid) == "sleep"; });
    }));

    // Brackets, so that the search does not find itself.
    const auto seeker = daemon.install(
        "seeker", {{"PANDIUM.yaml",
                    manifest("grep -rlas '[c]anary-' /tmp /work /dev/shm /app/.. --exclude-dir=usr "
                             "--exclude-dir=proc; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | "
                             "grep -ac '[c]anary-'; ls -d /proc/[0-9]* | wc -l")}});
    const json run = daemon.run(seeker.tenant);
    const auto out = daemon.run_log(run["id"], "stdout");
    INFO(out << daemon.run_log(run["id"]));
    CHECK(run["state"] == "succeeded");
    CHECK(out.starts_with("0\n"));  // no file, and no line of any process
    CHECK(berth::to_number<int>(berth::trim(out.substr(2))).value_or(99) < 8);
}
