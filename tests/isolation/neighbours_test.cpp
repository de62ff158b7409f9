// Two runs at the same time, one of which attacks the other with all it could know.
// The control is the same two programs outside, as one user without namespaces.
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <sstream>

#include "tests/isolation/outside.h"
#include "tests/isolation/victim.h"
#include "tests/sandbox/sandbox.h"

using namespace berth;
using namespace berth::sandbox_test;
using isolation::Outside;
using neighbours::Victim;
namespace fs = std::filesystem;

namespace {

struct Expected {
    const char* attack;
    const char* result;
};

constexpr Expected kExpected[] = {
    {"find its secret in any environment", "ENOENT"},
    {"read its environment", "ENOENT"},
    {"read its memory as a file", "ENOENT"},
    {"read the map of its memory", "ENOENT"},
    {"read its command line", "ENOENT"},
    {"list its descriptors", "ENOENT"},
    {"write into its output", "ENOENT"},
    {"enter its working folder", "ENOENT"},
    {"enter its root", "ENOENT"},
    {"open its program", "ENOENT"},
    {"have it killed when memory is short", "ENOENT"},
    {"trace it", "EPERM"},
    {"read its memory", "EPERM"},
    {"write its memory", "EPERM"},
    {"hold it (pidfd)", "ESRCH"},
    {"take its descriptor", "EPERM"},
    {"signal it (pidfd)", "EBADF"},
    {"signal it", "ESRCH"},
    {"become its user", "EINVAL"},
    {"signal its thread", "ESRCH"},
    {"compare with it (kcmp)", "EPERM"},
    {"change its limits", "ESRCH"},
    {"put it last (nice)", "ESRCH"},
    {"ask for its session", "ESRCH"},
    {"attach its shared memory", "EINVAL"},
    {"write into its queue", "EINVAL"},
    {"count its semaphore up", "EINVAL"},
    {"open its POSIX shared memory", "ENOENT"},
    {"open its POSIX queue", "ENOENT"},
    {"see its temporary files", "ENOENT"},
    {"read its temporary file", "ENOENT"},
    {"overwrite its temporary file", "ENOENT"},
    {"reach its socket by path", "ENOENT"},
    {"reach its abstract socket", "ECONNREFUSED"},
    {"find its socket in a list", "ENOENT"},
    {"reach its port", "ECONNREFUSED"},
    {"reach its datagram port", "ECONNREFUSED"},
    {"notice that its port is taken", "ENOENT"},
    {"find its key in a keyring", "EPERM"},
    {"find its lock in a list", "ENOENT"},
};

constexpr std::size_t kAttacks = std::size(kExpected);
const std::string kSecretVariable = std::string{"SECRET="} + neighbours::kSecret;

std::string line(const Victim& victim) {
    std::ostringstream text;
    text << victim;
    return text.str();
}

// The programs and a file that both runs see.
void furnish(const fs::path& release) {
    for (const char* name : {"victim", "attacker"})
        fs::copy_file(std::string{BERTH_BINARY_DIR "/bin/sandbox_"} + name, release / name);
    std::ofstream{release / "shared"} << "shared";
}

// A run that waits, and what it says of itself.
struct LiveVictim {
    Sandbox sandbox;
    Victim facts;
};

LiveVictim start_victim(Launcher& launcher) {
    LiveVictim live;
    live.sandbox = launcher.build();
    REQUIRE(live.sandbox.reply.step == ipc::Step::none);
    Run run;
    run.argv = {"/app/victim", "neighbour", "/tmp", "/app"};
    run.env = {kSecretVariable};
    REQUIRE_FALSE(live.sandbox.start(run));
    std::string text;
    while (text.empty() || text.back() != '\n') {
        const std::string byte = live.sandbox.read_output(1);
        REQUIRE(byte.size() == 1);
        text += byte;
    }
    REQUIRE((std::istringstream{text} >> live.facts));
    CHECK(live.facts.pid == 2);
    CHECK(live.facts.uid == 1000);
    // The attacker is told how the host sees it.
    live.facts.uid = live.sandbox.reply.uid;
    const auto pids = processes_of(live.facts.uid);
    REQUIRE(pids.size() == 1);
    live.facts.pid = pids[0];
    return live;
}

}  // namespace

TEST_CASE("a run can do nothing to another that runs beside it", "[sandbox][acts]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    const fs::path release = launcher.release_path("probe");
    furnish(release);

    // The control: same programs, same user, no sandbox.
    const uid_t uid = launcher.first_uid() - 1;
    const fs::path scratch = fs::path{launcher.folder()} / "scratch";
    fs::create_directory(scratch);
    REQUIRE(::chown(scratch.c_str(), uid, uid) == 0);
    std::vector<std::vector<std::string>> free;
    {
        const std::string name = "berth-control-" + std::to_string(::getpid());
        Outside victim{{release / "victim", name, scratch, release}, {kSecretVariable}, uid};
        const std::string told = victim.read_line();
        free = isolation::table(Outside{{release / "attacker", told}, {}, uid}.read_all());
    }

    LiveVictim live = start_victim(launcher);
    Run attack;
    attack.argv = {"/app/attacker", line(live.facts)};
    const Ended ended = launcher.run(attack);
    REQUIRE(ended.report);
    CHECK(ended.report->wait_status == 0);
    CHECK(ended.err == "");
    const auto caught = isolation::table(ended.out);

    REQUIRE(free.size() == kAttacks);
    REQUIRE(caught.size() == kAttacks);
    std::cout << std::left << std::setw(40) << "attack" << std::setw(14) << "same user"
              << "run\n";
    static_assert(kAttacks == 40);
    std::size_t possible = 0;
    for (std::size_t i = 0; i < kAttacks; ++i) {
        std::cout << std::setw(40) << free[i].at(0) << std::setw(14) << free[i].at(1)
                  << caught[i].at(1) << '\n';
        INFO(kExpected[i].attack);
        CHECK(free[i].at(0) == kExpected[i].attack);
        CHECK(free[i].at(1) == "possible");
        CHECK(caught[i].at(0) == kExpected[i].attack);
        CHECK(caught[i].at(1) == kExpected[i].result);
        if (caught[i].at(1) == "possible") ++possible;
    }
    std::cout << possible << " of " << kAttacks << " possible from run to run\n";
    CHECK(possible == 0);

    // The attacked run did not notice anything.
    live.sandbox.end_input();
    const Ended after = live.sandbox.finish();
    REQUIRE(after.report);
    CHECK(after.report->wait_status == 0);
}

TEST_CASE("a lock on a file that two runs share is noticed, but not where it is strict",
          "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    furnish(launcher.release_path("probe"));
    Run lock;
    lock.argv = {"/usr/bin/flock", "--nonblock", "/app/shared", "/usr/bin/true"};
    {
        const LiveVictim live = start_victim(launcher);
        const Ended ended = launcher.run(lock);
        REQUIRE(ended.report);
        CHECK(WEXITSTATUS(ended.report->wait_status) == 1);
        CHECK(ended.err == "");
    }
    const Ended alone = launcher.run(lock);
    REQUIRE(alone.report);
    CHECK(alone.report->wait_status == 0);

    Launcher strict{{.strict = true}};
    furnish(strict.release_path("probe"));
    const Ended refused = strict.run(lock);  // though nobody holds it
    REQUIRE(refused.report);
    CHECK(WEXITSTATUS(refused.report->wait_status) != 0);
    CHECK_THAT(refused.err, Catch::Matchers::Contains("Operation not permitted"));
}
