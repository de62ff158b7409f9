// What each daemon may do, and what its files tell whom: seen from outside, on the
// real processes.
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <map>

#include "base/text.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;
namespace fs = std::filesystem;

namespace {

std::string content(const fs::path& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

fs::path proc(pid_t pid) { return fs::path{"/proc"} / std::to_string(pid); }

std::map<std::string, std::string> status_of(pid_t pid) {
    std::map<std::string, std::string> fields;
    std::ifstream file{proc(pid) / "status"};
    for (std::string line; std::getline(file, line);) {
        const auto colon = line.find(':');
        fields[line.substr(0, colon)] = berth::trim(line.substr(colon + 1));
    }
    return fields;
}

struct stat stat_of(const fs::path& path) {
    struct stat status {};
    INFO(path);
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status;
}

unsigned mode_of(const fs::path& path) { return stat_of(path).st_mode & 07777; }

// The errno of opening `path` as this user without any right; 0: it was opened.
int open_as(uid_t uid, const fs::path& path, int flags) {
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        if (::setgroups(0, nullptr) < 0 || ::setresgid(uid, uid, uid) < 0 ||
            ::setresuid(uid, uid, uid) < 0)
            ::_exit(255);
        ::_exit(::open(path.c_str(), flags | O_CLOEXEC) < 0 ? errno : 0);
    }
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    REQUIRE(WIFEXITED(status));
    return WEXITSTATUS(status);
}

constexpr const char* kNoCapability = "0000000000000000";
constexpr uid_t kStranger = 64'123;  // no user of ours
// KILL 5, SETGID 6, SETUID 7, SETPCAP 8, NET_BIND_SERVICE 10, NET_ADMIN 12, SYS_CHROOT 18,
// SYS_ADMIN 21
constexpr const char* kLauncherCapabilities = "00000000002415e0";

}  // namespace

TEST_CASE("berthd, the runner and egress have a user of their own and no right at all", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    std::map<std::string, std::string> users;
    for (const std::string program : {"berthd", "berth-runner", "berth-egress"}) {
        const pid_t pid = daemon.pid_of(program);
        auto status = status_of(pid);
        INFO(program);
        for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
            INFO(set);
            CHECK(status[set] == kNoCapability);
        }
        CHECK(status["NoNewPrivs"] == "1");
        const auto ids = berth::split(status["Uid"], '\t');
        CHECK(ids[0] != "0");
        CHECK(std::vector(4, ids[0]) == std::vector(ids.begin(), ids.end()));
        CHECK(berth::split(status["Gid"], '\t')[0] != "0");
        CHECK(status["Groups"].empty());
        users[program] = ids[0];

        // Undumpable: the kernel gives the files of such a process to root.
        CHECK(stat_of(proc(pid) / "mem").st_uid == 0);
        const uid_t uid = static_cast<uid_t>(std::stoul(ids[0]));
        CHECK(open_as(uid, proc(pid) / "mem", O_RDONLY) == EACCES);
        CHECK(open_as(uid, proc(pid) / "environ", O_RDONLY) == EACCES);
    }
    CHECK(users["berthd"] != users["berth-runner"]);
    CHECK(users["berthd"] != users["berth-egress"]);
    CHECK(users["berth-runner"] != users["berth-egress"]);
}

TEST_CASE("the launcher has its eight capabilities and cannot get others", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const pid_t pid = daemon.pid_of("berth-launcher");
    auto status = status_of(pid);
    CHECK(status["CapEff"] == kLauncherCapabilities);
    CHECK(status["CapPrm"] == kLauncherCapabilities);
    CHECK(status["CapBnd"] == kLauncherCapabilities);
    CHECK(status["CapInh"] == kNoCapability);
    CHECK(status["CapAmb"] == kNoCapability);
    CHECK(status["NoNewPrivs"] == "1");
    CHECK(status["Threads"] == "1");
    // Its root is the sandboxes' template: the host's files are out of its reach.
    CHECK_FALSE(fs::exists(proc(pid) / "root" / "root"));
    CHECK_FALSE(fs::exists(proc(pid) / "root" / "etc" / "shadow"));
}

TEST_CASE("no daemon leaves a core, and none has a secret in its arguments", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    for (const char* program : {"berthd", "berth-runner", "berth-egress", "berth-launcher"}) {
        const pid_t pid = daemon.pid_of(program);
        INFO(program);
        CHECK(content(proc(pid) / "coredump_filter") == "00000000\n");
        const auto limits = content(proc(pid) / "limits");
        // 1 is none as well, also for a core that would be piped to a program of the host.
        const std::string core = program == std::string{"berth-launcher"} ? "1" : "0";
        const std::string blanks(20, ' ');
        CHECK(limits.find("Max core file size        " + core + blanks + core + " ") !=
              std::string::npos);
        const std::string expected{"PATH=/usr/bin:/bin\0LANG=C.UTF-8\0", 32};
        const auto environment = content(proc(pid) / "environ");
        if (program == std::string{"berth-launcher"}) {
            // Wiped: its sandboxes are copies of it.
            CHECK(environment.find_first_not_of('\0') == std::string::npos);
        } else {
            REQUIRE(environment.starts_with(expected));
            // And where the runner's descriptors wait for its next life.
            for (const auto& entry : berth::split(environment.substr(expected.size()), '\0'))
                CHECK((entry.empty() || entry.starts_with("NOTIFY_SOCKET=") ||
                       entry.starts_with("LISTEN_")));
        }
        const auto arguments = content(proc(pid) / "cmdline");
        CHECK(arguments.find(content(daemon.state_dir() / "keys" / "root.key")) ==
              std::string::npos);
    }
}

TEST_CASE("each user reaches its own files only", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install("files", {{"PANDIUM.yaml", manifest("true")}});
    REQUIRE(daemon.run(made.tenant)["state"] == "succeeded");
    const auto state = daemon.state_dir();
    const auto key = state / "keys" / "root.key";
    const uid_t berthd = stat_of(proc(daemon.pid_of("berthd"))).st_uid == 0
                             ? stat_of(state / "store").st_uid
                             : stat_of(proc(daemon.pid_of("berthd"))).st_uid;
    const uid_t runner = stat_of(key).st_uid;
    REQUIRE(berthd != runner);

    CHECK(mode_of(state) == 0711);
    CHECK(mode_of(state / "store") == 0700);
    CHECK(mode_of(state / "keys") == 0700);
    CHECK(mode_of(key) == 0400);
    CHECK(stat_of(state).st_uid == 0);

    SECTION("the root key is the runner's alone") {
        CHECK(open_as(runner, key, O_RDONLY) == 0);
        CHECK(open_as(runner, key, O_WRONLY) == EACCES);
        CHECK(open_as(berthd, key, O_RDONLY) == EACCES);
        CHECK(open_as(kStranger, key, O_RDONLY) == EACCES);
        CHECK(open_as(berthd, state / "keys", O_RDONLY | O_DIRECTORY) == EACCES);
    }
    SECTION("store and logs are berthd's alone") {
        std::size_t files = 0;
        for (const auto& entry : fs::recursive_directory_iterator{state / "store"}) {
            INFO(entry.path());
            CHECK(open_as(runner, entry.path(), O_RDONLY) == EACCES);
            CHECK(open_as(kStranger, entry.path(), O_RDONLY) == EACCES);
            ++files;
        }
        CHECK(files >= 2);
    }
    SECTION("releases cannot be listed nor changed by others") {
        CHECK(open_as(kStranger, state / "releases", O_RDONLY | O_DIRECTORY) == EACCES);
        CHECK(open_as(runner, state / "releases", O_RDONLY | O_DIRECTORY) == EACCES);
        for (const auto& entry : fs::recursive_directory_iterator{state / "releases"}) {
            INFO(entry.path());
            CHECK((mode_of(entry.path()) & 07222) == 0);
        }
    }
    SECTION("only who must speak there reaches the daemons' sockets") {
        const auto run = daemon.root() / "run";
        CHECK(stat_of(run).st_uid == 0);
        CHECK(mode_of(run) == 0755);
        CHECK(mode_of(run / "control.sock") == 0666);  // credentials decide
        CHECK(mode_of(run / "runner.sock") == 0600);
        CHECK(stat_of(run / "runner.sock").st_uid == berthd);
        CHECK(mode_of(run / "launcher.sock") == 0600);
        CHECK(stat_of(run / "launcher.sock").st_uid == runner);
    }
}
