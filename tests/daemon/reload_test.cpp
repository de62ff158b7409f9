// What a changed setting needs.
#include "daemon/reload.h"

#include <catch2/catch.hpp>

using namespace berth;

namespace {

Config read(const char* text) {
    auto config = parse_config(text, "c");
    REQUIRE(config);
    return *config;
}

}  // namespace

TEST_CASE("settings that are the same have not changed, however they are written", "[daemon]") {
    CHECK(changed_settings(read(""), read("# x\nmax_runs = 16\nlog_level = info\n")).empty());
    CHECK(restart_hint({}).empty());
}

TEST_CASE("what can be used at once is taken over, and nothing else", "[daemon]") {
    Config config = read("");
    const Config now = read(
        "stop_grace_seconds = 3\nlog_level = error\nretention_days = 7\nmax_runs = 2\n"
        "require_cgroup = yes\nconnector_kinds = /etc/kinds\n");
    take_live_settings(config, now);
    CHECK(config.stop_grace == std::chrono::seconds{3});
    CHECK(config.log_level == LogLevel::error);
    CHECK(config.retention.runs == std::chrono::days{7});
    CHECK(config.connector_kinds == "/etc/kinds");
    CHECK(config.max_runs == 16);
    CHECK_FALSE(config.require_cgroup);
    const auto left = changed_settings(config, now);
    CHECK(left == std::vector<ChangedSetting>{{"max_runs", "berthd"},
                                              {"require_cgroup", "berthd berth-launcher"}});
}

TEST_CASE("the hint names what waits and each unit once", "[daemon]") {
    const auto changed = changed_settings(
        read(""),
        read("max_runs = 2\ncpu_percent = 50\nrequire_cgroup = yes\nlog_level = error\n"));
    CHECK(restart_hint(changed) ==
          "max_runs, require_cgroup, cpu_percent will be used after 'systemctl restart berthd "
          "berth-launcher'; no live run ends by it");
    CHECK(restart_hint({{"log_level", ""}}).empty());
}
