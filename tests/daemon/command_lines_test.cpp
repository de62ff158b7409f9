// What the launcher and berth-egress are told at their start: the walls that berthd
// cannot move later.
#include "daemon/command_lines.h"

#include <catch2/catch.hpp>

using namespace berth;

namespace {

Config read(const char* text) {
    auto config = parse_config(text, "c");
    REQUIRE(config);
    return *config;
}

}  // namespace

TEST_CASE("without settings nothing is granted to anybody", "[daemon]") {
    CHECK(launcher_policy(Config{}) == std::vector<std::string>{"--cgroups", "auto"});
    CHECK(egress_policy(Config{}).empty());
}

TEST_CASE("each setting of the sandbox is on the launcher's command line", "[daemon]") {
    const auto config = read(
        "cgroups = none\nrequire_cgroup = yes\nsandbox_profile = strict\npool_size = 7\n"
        "egress_ports = 443,5432\ncpu_percent = 150\nio_mib_per_second = 20\n");
    CHECK(launcher_policy(config) ==
          std::vector<std::string>{"--cgroups", "none", "--require-cgroup", "--cpu-percent", "150",
                                   "--io-mib-per-second", "20", "--strict", "--pool", "7",
                                   "--egress-ports", "443,5432"});
}

TEST_CASE("what several integrations are granted is there once, under its own name", "[daemon]") {
    const auto config = read(
        "grant.a = host_network, writable_path:/srv/x\n"
        "grant.b = host_network, writable_path:/srv/x, extra_syscalls:bpf+acct\n"
        "grant.c = writable_path:/srv/y, extra_syscalls:acct+bpf\n");
    const auto words = launcher_policy(config);
    REQUIRE(words.size() == 9);
    CHECK(words[2] == "--allow-host-network");
    CHECK(words[3] == "--allow-writable");
    CHECK(words[5] == "--allow-writable");
    std::vector<std::string> folders{words[4], words[6]};
    std::sort(folders.begin(), folders.end());
    std::vector<std::string> wanted{folder_name("/srv/x") + "=/srv/x",
                                    folder_name("/srv/y") + "=/srv/y"};
    std::sort(wanted.begin(), wanted.end());
    CHECK(folders == wanted);
    CHECK(words[7] == "--allow-syscalls");
    CHECK(words[8] == syscalls_name({"acct", "bpf"}) + "=acct,bpf");
}

TEST_CASE("a name on the command line fits its record, and says nothing else", "[daemon]") {
    // 32 bytes with their zero, in the launcher's protocol.
    CHECK(folder_name("/srv/x").size() < 32);
    CHECK(syscalls_name({"bpf"}).size() < 32);
    CHECK(folder_name("/srv/x") != folder_name("/srv/y"));
    CHECK(syscalls_name({"a", "b"}) != syscalls_name({"ab"}));
}

TEST_CASE("what the configuration allows beyond public addresses goes to berth-egress",
          "[daemon]") {
    const auto config = read("egress_allow = 127.0.0.1:8080, *.internal\n");
    CHECK(egress_policy(config) ==
          std::vector<std::string>{"--allow", "127.0.0.1:8080", "--allow", "*.internal"});
}
