// S12: whatever crashes, there is no core of it: the daemons, by signals that write one and by a
// fault of their own, and a script. BERTH_CRASHES says how often each (100 in reliability.md).
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <set>

#include "tests/e2e/real_fault.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;

namespace {

namespace fs = std::filesystem;

int crashes_wanted() {
    const char* given = std::getenv("BERTH_CRASHES");
    return given != nullptr ? std::atoi(given) : 5;
}

// Where the kernel of this machine puts cores, if they are files, and where it would otherwise.
std::set<fs::path> cores_in(const std::set<fs::path>& folders) {
    std::set<fs::path> cores;
    for (const fs::path& folder : folders) {
        std::error_code unreadable;
        for (const auto& entry : fs::directory_iterator{folder, unreadable})
            if (entry.path().filename().string().starts_with("core")) cores.insert(entry.path());
    }
    return cores;
}

fs::path folder_of_pattern() {
    std::string pattern;
    std::getline(std::ifstream{"/proc/sys/kernel/core_pattern"}, pattern);
    return pattern.starts_with('/') ? fs::path{pattern}.parent_path() : fs::path{"/"};
}

// Of a process that forbids nothing: whether this machine would write a core at all.
bool writes_cores(const fs::path& folder) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        rlimit all{RLIM_INFINITY, RLIM_INFINITY};
        ::setrlimit(RLIMIT_CORE, &all);
        if (::chdir(folder.c_str()) < 0) ::_exit(1);
        ::signal(SIGQUIT, SIG_DFL);
        ::raise(SIGQUIT);  // no sanitizer listens to this one
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WCOREDUMP(status);
}

// How many daemons their supervisor says so of.
int ended_by(const std::string& log, int signo) {
    const auto said = "status=-" + std::to_string(signo);
    int count = 0;
    for (auto at = log.find(said); at != std::string::npos; at = log.find(said, at + 1))
        ++count;
    return count;
}

}  // namespace

TEST_CASE("whatever crashes leaves no core", "[e2e][cores]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install("crash", {{"PANDIUM.yaml", manifest("kill -s SEGV $$")}});
    const int times = crashes_wanted();
    std::set<fs::path> folders{folder_of_pattern(), daemon.root(), daemon.state_dir()};
    int crashed = 0, faults = 0;
    for (int i = 0; i < times; ++i) {
        for (const char* program : {"berth-egress", "berth-launcher", "berth-runner", "berthd"}) {
            const pid_t pid = daemon.pid_of(program);
            std::error_code unreadable;
            folders.insert(
                fs::read_symlink(fs::path{"/proc"} / std::to_string(pid) / "cwd", unreadable));
            INFO(program << ", time " << i);
            // The launcher blocks what can be blocked.
            if (i % 3 == 0 || program == std::string{"berth-launcher"}) {
                make_fault(pid);
                ++faults;
            } else {
                REQUIRE(::kill(pid, i % 3 == 1 ? SIGABRT : SIGTRAP) == 0);
            }
            REQUIRE(eventually([&] { return ::kill(pid, 0) != 0; }));
            ++crashed;
        }
        daemon.wait_ready();
        const json run = daemon.run(made.tenant);
        INFO(run.dump());
        CHECK(run["state"] == "failed_integration");
    }
    CHECK(ended_by(daemon.log(), SIGSEGV) == faults);
    folders.erase("");
    const auto found = cores_in(folders);
    INFO("the first: " << (found.empty() ? "" : found.begin()->string()));
    CHECK(found.empty());
    std::cout << crashed << " crashes of daemons, " << faults << " of them by SIGSEGV, and "
              << times << " of scripts: " << found.size() << " cores\n";
    const berth::TempDir control{"berth-core"};
    if (!writes_cores(control.path()))
        std::cout << "no control: this machine writes no core of anything\n";
}
