// The threats of the plan that need more than one call inside (sandbox.md T2, T14,
// T19, T20, T29), each with its control.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "tests/isolation/enter.h"
#include "tests/isolation/outside.h"
#include "tests/sandbox/sandbox.h"

using namespace berth;
using namespace berth::sandbox_test;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

std::string first_line(const char* path) {
    std::ifstream file{path};
    std::string line;
    std::getline(file, line);
    return line;
}

Run shell(const std::string& code) {
    Run run;
    run.argv = {"/bin/sh", "-c", code};
    run.env = {"PATH=/usr/bin:/bin"};
    return run;
}

}  // namespace

TEST_CASE("with every capability and without a filter the walls still stand", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    fs::copy_file(BERTH_BINARY_DIR "/bin/sandbox_acts", launcher.release_path("probe/acts"));
    std::ofstream{launcher.release_path("probe/data")} << "unchanged";
    Sandbox sandbox = launcher.build();
    REQUIRE(sandbox.reply.step == ipc::Step::none);
    REQUIRE_FALSE(sandbox.start(probe({"wait"})));
    REQUIRE(sandbox.read_output(6) == "ready\n");
    const auto pids = processes_of(sandbox.reply.uid);
    REQUIRE(pids.size() == 1);

    const std::string before = first_line("/proc/sys/kernel/core_pattern");
    // The control: root of the user namespace may do what that namespace owns.
    const auto own = isolation::run_inside_as_root(
        pids[0], {"/app/acts", "0", "none", "/root", "/app", "/work", "make a user namespace"});
    CHECK(isolation::table(own) ==
          std::vector<std::vector<std::string>>{{"walls", "make a user namespace", "possible"}});

    const std::vector<std::pair<std::string, std::string>> expected{
        {"read the host's password hashes", "ENOENT"},
        {"look into Berth's own folders", "ENOENT"},
        {"overwrite a program of the runtime", "EACCES"},
        {"overwrite a file of the release", "EACCES"},
        {"add a file to the release", "EROFS"},
        {"set the host's core pattern", "EACCES"},
        {"empty the host's caches", "EACCES"},
        {"announce devices through /sys", "ENOENT"},
        {"mount a file system", "EPERM"},
        {"unmount /proc", "EPERM"},
        {"make a mount by descriptor", "EPERM"},
        {"open a packet socket", "EPERM"},
        {"open a raw socket", "EPERM"},
        {"speak to the kernel's firewall", "possible"},  // opens, and may change nothing
        {"reach an abstract socket of the host", "ECONNREFUSED"},
        {"make a device node", "EPERM"},
        {"set the clock", "EPERM"},
        {"run in real time", "EPERM"},
        {"rename the host", "EPERM"},
        {"load a kernel module", "EPERM"},
        {"read the kernel's log", "EPERM"},
    };
    for (const auto& [name, result] : expected) {
        INFO(name);
        const auto lines = isolation::table(isolation::run_inside_as_root(
            pids[0], {"/app/acts", "0", "none", "/root", "/app", "/work", name}));
        REQUIRE(lines.size() == 1);
        REQUIRE(lines[0].size() == 3);
        if (result == "EPERM" && lines[0][2] == "ENOSYS") continue;  // not in this kernel
        CHECK(lines[0][2] == result);
    }
    // Its root is an ordinary user of the host.
    CHECK_THAT(
        isolation::run_inside_as_root(pids[0],
                                      {"/bin/sh", "-c",
                                       "echo x >/proc/sys/kernel/core_pattern && echo wrote;"
                                       "mount -o remount,rw / && echo remounted;"
                                       "ip link set lo down && echo down; echo end"}),
        Contains("end") && !Contains("wrote") && !Contains("remounted") && !Contains("down"));
    CHECK(first_line("/proc/sys/kernel/core_pattern") == before);
}

TEST_CASE("no cgroup's release agent can be set, not even with every capability", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    Sandbox sandbox = launcher.build();
    REQUIRE(sandbox.reply.step == ipc::Step::none);
    REQUIRE_FALSE(sandbox.start(probe({"wait"})));
    REQUIRE(sandbox.read_output(6) == "ready\n");
    const auto pids = processes_of(sandbox.reply.uid);
    REQUIRE(pids.size() == 1);
    // Mounts what there is of cgroups, and looks for the files that govern them.
    const std::string act =
        "mount -t cgroup2 none /tmp 2>/dev/null && ls /tmp/cgroup.procs;"
        "mount -t cgroup -o memory none /tmp 2>/dev/null && ls /tmp/release_agent;";
    const std::string search =
        "find / -xdev '(' -name release_agent -o -name cgroup.procs ')' 2>/dev/null; echo end";
    CHECK(isolation::run_inside_as_root(pids[0], {"/bin/sh", "-c", act + search}) == "end\n");
    // The control: in a mount namespace of its own root may, and finds them.
    CHECK_THAT(isolation::Outside({"/usr/bin/unshare", "--mount", "--propagation", "private",
                                   "/bin/sh", "-c", act},
                                  {"PATH=/usr/bin:/bin"})
                   .read_all(),
               Contains("/tmp/cgroup.procs"));
}

TEST_CASE("no folder leads out of the sandbox", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    const std::string root = launcher.run(shell("ls -d /*")).out;
    CHECK_THAT(root, Catch::Matchers::StartsWith("/app\n/bin\n") && Contains("\n/work\n"));
    for (const char* unwanted : {"/home", "/root", "/var", "/run", "/sys", "/srv", "/opt", "/mnt"})
        CHECK_THAT(root, !Contains(std::string{unwanted} + "\n"));
    for (const char* way : {"/proc/self/cwd/../../../..", "/work/../..", "/app/../.."}) {
        INFO(way);
        CHECK(launcher.run(shell(std::string{"cd -P "} + way + " && pwd -P && ls -d $PWD*")).out ==
              "/\n" + root);
    }
    CHECK(launcher.run(shell("cd -P /proc/self/root/.. && pwd -P")).out == "/\n");
}

TEST_CASE("a device node in a release opens nothing", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    const std::string node = launcher.release_path("probe/null");
    REQUIRE(::mknod(node.c_str(), S_IFCHR | 0666, ::makedev(1, 3)) == 0);
    REQUIRE(::chmod(node.c_str(), 0666) == 0);
    const int outside = ::open(node.c_str(), O_RDONLY | O_CLOEXEC);  // the control
    CHECK(outside >= 0);
    ::close(outside);
    CHECK(launcher.said({"read", "/app/null"}) == "EACCES\n");
}

TEST_CASE("set-user-id programs of the runtime give nothing", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    // Every one there is; the control is that there are some.
    const Ended ended = launcher.run(
        shell("find /usr -xdev -perm -4000 -type f 2>/dev/null | wc -l;"
              "for p in $(find /usr -xdev -perm -4000 -type f 2>/dev/null); do"
              "  case $p in */su|*/mount) $p --version >/dev/null 2>&1;; esac; done;"
              "grep -c NoNewPrivs:.1 /proc/self/status; cat /proc/self/status | grep ^Uid"));
    std::istringstream words{ended.out};
    int programs = 0;
    int confined = 0;
    std::string name, real, effective, saved, fsuid;
    words >> programs >> confined >> name >> real >> effective >> saved >> fsuid;
    CHECK(programs > 0);
    CHECK(confined == 1);
    CHECK(effective == "1000");
    CHECK(saved == "1000");
}

TEST_CASE("the mounts name the release's folder and nothing else of the host", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    std::istringstream mounts{launcher.said({"read", "/proc/self/mountinfo"})};
    const std::string folder = fs::path{launcher.folder()}.filename();
    int named = 0;
    for (std::string line; std::getline(mounts, line);) {
        INFO(line);
        std::istringstream words{line};
        std::string skip, root, point;
        words >> skip >> skip >> skip >> root >> point;
        if (line.find(folder) != std::string::npos) {
            ++named;
            CHECK(point == "/app");
        }
    }
    CHECK(named == 1);  // known: a bind mount says where it comes from
}

TEST_CASE("a script that crashes leaves no core, not even with a handler on the host",
          "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    const Ended ended =
        launcher.run(shell("cd /work; sh -c 'kill -SEGV $$'; ls /work /tmp /app | grep core;"
                           "sed -n 's/^Max core file size *//p' /proc/self/limits"));
    REQUIRE(ended.report);
    // Kernels ignore a limit of 0 when cores go to a program; 1 keeps them from it too.
    CHECK_THAT(ended.out, Catch::Matchers::StartsWith("1 "));
    // The control: outside, without that limit, there is one, where cores go to the folder.
    const std::string pattern = first_line("/proc/sys/kernel/core_pattern");
    if (pattern.empty() || pattern[0] == '|' || pattern[0] == '/') return;
    const TempDir folder{"core"};
    const auto outside =
        isolation::Outside({"/bin/sh", "-c",
                            "cd " + folder.path().string() +
                                " && ulimit -c unlimited || { echo not allowed; exit; };"
                                "sh -c 'kill -SEGV $$'; ls"},
                           {"PATH=/usr/bin:/bin"})
            .read_all();
    if (outside != "not allowed\n") CHECK_THAT(outside, Contains(pattern.substr(0, 4)));
}

TEST_CASE("arguments and environment that are too large are refused, large ones work",
          "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    Run run = shell("echo ${#BIG}");
    run.env.push_back("BIG=" + std::string(100'000, 'x'));
    CHECK(launcher.run(run).out == "100000\n");
    run.env.back() = "BIG=" + std::string(200'000, 'x');  // a string has 128 KiB at most
    const Ended large = launcher.run(run);
    REQUIRE(large.failed);
    CHECK(large.failed->step == ipc::Step::exec);
    CHECK(large.failed->err == E2BIG);
    run.env.back() = "BIG=1";
    for (int i = 0; i < 300; ++i)
        run.argv.emplace_back(10'000, 'x');
    const Ended many = launcher.run(run);
    REQUIRE(many.failed);
    CHECK(many.failed->err == E2BIG);
    CHECK(launcher.run(shell("echo fine")).out == "fine\n");
}
