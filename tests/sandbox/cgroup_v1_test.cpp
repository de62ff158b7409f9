// The real life of groups of cgroup v1: what they limit, and that nothing of them is left
// (sandbox.md T27, T28).
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <sstream>

#include "tests/sandbox/v1_groups.h"

using namespace berth;
using namespace berth::sandbox_test;
namespace fs = std::filesystem;

TEST_CASE("v1 limits the memory of all processes together", "[sandbox]") {
    BERTH_NEEDS_V1();
    Launcher launcher{{.slots = 2, .cgroups = "auto"}};
    const V1Groups groups{launcher};
    CHECK((launcher.hello.protections & ipc::protection_cgroup_v1) != 0);
    ipc::BuildRequest request = launcher.request();
    request.assignment.limits.memory_bytes = 32 << 20;
    Sandbox sandbox = launcher.build(request);
    REQUIRE(sandbox.reply.step == ipc::Step::none);
    REQUIRE(sandbox.cgroup);
    REQUIRE_FALSE(sandbox.start(probe({"allocate", "64"})));
    const Ended ended = sandbox.finish();
    CHECK(ended.out == "");
    REQUIRE(ended.report);
    CHECK(WTERMSIG(ended.report->wait_status) == SIGKILL);
    const Fd control{::openat(sandbox.cgroup.get(), "memory.oom_control", O_RDONLY | O_CLOEXEC)};
    std::string text(200, '\0');
    text.resize(static_cast<std::size_t>(
        std::max<ssize_t>(::read(control.get(), text.data(), text.size()), 0)));
    CHECK_THAT(text, Catch::Matchers::Contains("oom_kill 1"));
    // What lies in scratch space counts too; the negative control is the next line.
    CHECK(launcher.run_with(request, probe({"fill", "/tmp/x"})).out == "ENOSPC 16777216\n");
    request.assignment.limits.scratch_bytes = 64 << 20;
    const Ended filled = launcher.run_with(request, probe({"fill", "/tmp/x"}));
    REQUIRE(filled.report);
    CHECK(WIFSIGNALED(filled.report->wait_status));
    request.assignment.limits.memory_bytes = 128 << 20;
    request.assignment.limits.file_bytes = 128 << 20;
    CHECK(launcher.run_with(request, probe({"fill", "/tmp/x"})).out == "ENOSPC 67108864\n");
    end(launcher);
}

TEST_CASE("v1 limits the number of processes and shows the group as the root", "[sandbox]") {
    BERTH_NEEDS_V1();
    Launcher launcher{{.slots = 2, .cgroups = "auto"}};
    const V1Groups groups{launcher};
    ipc::BuildRequest request = launcher.request();
    request.assignment.limits.processes = 20;
    CHECK(launcher.run_with(request, probe({"fork"})).out == "19 EAGAIN\n");
    std::istringstream lines{launcher.said({"read", "/proc/self/cgroup"})};
    for (std::string line; std::getline(lines, line);)
        CHECK(line.substr(line.rfind(':')) == ":/");
    end(launcher);
}

TEST_CASE("nothing of v1 is left when the launcher has ended, also of a dead one", "[sandbox]") {
    BERTH_NEEDS_V1();
    Launcher first{{.slots = 2, .cgroups = "auto"}};
    const V1Groups groups{first};
    for (int i = 0; i < 5; ++i)
        CHECK(first.said({"call", "fionread"}) == "ok\n");
    const int made = groups.slots();
    CHECK(made >= 2);
    first.kill();
    CHECK(groups.slots() == made);  // nobody was there to remove them

    Launcher second{{.slots = 2, .cgroups = "auto"}};
    REQUIRE(second.first_uid() == first.first_uid());
    CHECK(groups.slots() == 0);
    CHECK(second.said({"call", "fionread"}) == "ok\n");
    CHECK(groups.slots() > 0);
    Launcher other{{.slots = 2, .first_uid = second.first_uid() + 16, .cgroups = "auto"}};
    const V1Groups of_other{other};
    end(second);
    CHECK(groups.slots() == 0);
    // Its empty folders are for root with all its rights; nobody living is harmed.
    CHECK(std::system(BERTH_BINARY_DIR "/bin/berth-launcher --remove-groups") == 0);
    for (const auto& folder : groups.folders)
        CHECK_FALSE(fs::exists(folder));
    for (const auto& folder : of_other.folders)
        CHECK(fs::exists(folder));
    end(other);
}

TEST_CASE("a launcher removes the folders of dead ones, and no living one's", "[sandbox]") {
    BERTH_NEEDS_V1();
    const fs::path dead = fs::path{v1_parent("memory")} / "berth-1";
    REQUIRE((::mkdir(dead.c_str(), 0755) == 0 || errno == EEXIST));
    fs::create_directory(dead / "slot-3");
    Launcher first{{.slots = 2, .cgroups = "auto"}};
    const V1Groups groups{first};
    CHECK_FALSE(fs::exists(dead));
    Launcher second{{.slots = 2, .cgroups = "auto"}};
    CHECK(fs::exists(groups.folders.front()));
    CHECK(first.said({"call", "fionread"}) == "ok\n");
}

// Whoever gets the lock takes the group for a dead launcher's, and removes it.
TEST_CASE("a launcher's v1 groups are locked, also those of one that follows a killed one",
          "[sandbox]") {
    BERTH_NEEDS_V1();
    const auto is_locked = [](const fs::path& folder) {
        const Fd held{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        REQUIRE(held);
        return ::flock(held.get(), LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    };
    std::optional<Launcher> first{std::in_place, Launcher::Options{.pool = 2, .cgroups = "auto"}};
    const V1Groups groups{*first};
    for (const auto& folder : groups.folders)
        CHECK(is_locked(folder));
    first->kill();
    Launcher second{{.cgroups = "auto"}};
    REQUIRE(second.first_uid() == first->first_uid());
    for (const auto& folder : groups.folders)
        CHECK(is_locked(folder));
    end(second);
    // The control: nobody holds what is left.
    for (const auto& folder : groups.folders)
        if (fs::exists(folder)) CHECK_FALSE(is_locked(folder));
}
