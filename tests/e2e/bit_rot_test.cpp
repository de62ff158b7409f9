// One bit changes on the disk while Berth is down: whoever needs that page is told so
// by name, nobody is given what is wrong, and other runs go on.
#include <fmt/format.h>
#include <signal.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "base/text.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;

namespace {

namespace fs = std::filesystem;

std::string slurp(const fs::path& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

void flip_bit(const fs::path& path, std::size_t at) {
    std::fstream file{path, std::ios::binary | std::ios::in | std::ios::out};
    file.seekg(static_cast<std::streamoff>(at));
    const char byte = static_cast<char>(file.get() ^ 4);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(byte);
    REQUIRE(file.flush());
}

fs::path only_log_file(const Daemon& daemon) {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator{daemon.state_dir() / "store" / "logs"})
        if (entry.path().extension() == ".db") found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    REQUIRE_FALSE(found.empty());
    return found.back();
}

std::string metric(Daemon& daemon, const std::string& name) {
    const auto answer = daemon.request("GET", "/metrics");
    for (const std::string& line : berth::split(answer.body, '\n'))
        if (line.starts_with(name + " ")) return line.substr(name.size() + 1);
    return "";
}

berth::ClientResponse log_of(Daemon& daemon, std::int64_t run) {
    const auto link = daemon.request("GET", fmt::format("/v2/runs/{}/log", run));
    REQUIRE(link.status == 302);
    berth::Client client{daemon.socket()};
    auto text = client.get(std::string{link.header("location")});
    REQUIRE(text);
    return *text;
}

}  // namespace

TEST_CASE("a flipped bit in a log costs that log only", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    // Not compressible, so that it has pages of its own.
    const auto made = daemon.install(
        "chatty", {{"PANDIUM.yaml", manifest("head -c 30000 /dev/urandom | base64 >&2; echo ok")}});
    const json good = daemon.run(made.tenant);
    const json bad = daemon.run(made.tenant);
    REQUIRE(bad["state"] == "succeeded");
    const std::string whole = daemon.run_log(good["id"]);
    daemon.stop(SIGINT);

    const fs::path file = only_log_file(daemon);
    flip_bit(file, fs::file_size(file) - 2'000);  // the last page, which is the last run's
    daemon.start();
    const auto refused = log_of(daemon, bad["id"]);
    INFO(refused.status << " " << refused.body << daemon.log());
    CHECK(refused.status != 200);
    CHECK(daemon.run_log(good["id"]) == whole);
    CHECK(daemon.log().find("is not what Berth wrote there") != std::string::npos);
    CHECK(metric(daemon, "berth_store_damaged_pages") == "1");
    const json next = daemon.run(made.tenant);
    CHECK(next["state"] == "succeeded");
    CHECK(daemon.run_log(next["id"]).size() > 30'000);
}

TEST_CASE("a flipped bit in a payload costs that run only", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install("payload", {{"PANDIUM.yaml", manifest("echo ok")}});
    const std::string marker(20'000, 'q');
    const json bad = daemon.wait_run(daemon.sync(made.tenant, "normal", {{"marker", marker}}));
    const json good = daemon.run(made.tenant);
    daemon.stop(SIGINT);

    const fs::path store = daemon.state_dir() / "store" / "berth.db";
    const auto at = slurp(store).find(std::string(4'000, 'q'));
    REQUIRE(at != std::string::npos);
    flip_bit(store, at + 2'000);  // in a page that only this payload has
    daemon.start();
    const auto refused = daemon.request("GET", fmt::format("/v2/runs/{}", bad["id"].get<int>()));
    INFO(refused.body.substr(0, 1'000));
    CHECK(refused.status == 409);
    CHECK(refused.body.find("the store is damaged: page ") != std::string::npos);
    CHECK(refused.body.find("restore a backup") != std::string::npos);
    CHECK(daemon.must("GET", fmt::format("/v2/runs/{}", good["id"].get<int>()))["state"] ==
          "succeeded");
    CHECK(daemon.run(made.tenant)["state"] == "succeeded");
    const std::string doctor = daemon.must("GET", "/v2/doctor").dump();
    CHECK(doctor.find("1 found damaged: page ") != std::string::npos);
}
