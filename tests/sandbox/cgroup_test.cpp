// cgroup limits as files, and the real life of a leaf where there is a v2 tree.
#include "sandbox/launcher/cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "tests/sandbox/sandbox.h"

using namespace berth;
using namespace berth::sandbox_test;
using launcher::Cgroups;
namespace fs = std::filesystem;

namespace {

void make_file(const fs::path& path, const std::string& content = "") {
    std::ofstream{path} << content;
}

std::string first_line(const fs::path& path) {
    std::ifstream file{path};
    std::string line;
    std::getline(file, line);
    return line;
}

constexpr ipc::SandboxLimits kLimits{.memory_bytes = 1000,
                                     .scratch_bytes = 0,
                                     .scratch_inodes = 0,
                                     .processes = 10,
                                     .open_files = 0,
                                     .file_bytes = 0,
                                     .cpu_percent = 50};

// A cgroup of the unified tree, if this machine has one that may have children.
struct OwnCgroup {
    fs::path path;
    OwnCgroup() {
        for (const char* root : {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"}) {
            if (!fs::exists(fs::path{root} / "cgroup.controllers")) continue;
            const auto wanted = fs::path{root} / ("berth-test-" + std::to_string(::getpid()));
            if (::mkdir(wanted.c_str(), 0755) == 0) path = wanted;
            return;
        }
    }
    ~OwnCgroup() {
        if (path.empty()) return;
        std::error_code ignored;
        for (const auto& entry : fs::directory_iterator{path, ignored})
            if (entry.is_directory()) ::rmdir(entry.path().c_str());
        ::rmdir(path.c_str());
    }
};

}  // namespace

TEST_CASE("limits become the files of the controllers that are there", "[sandbox]") {
    const TempDir folder{"cgroup"};
    for (const char* name :
         {"memory.max", "memory.swap.max", "memory.oom.group", "pids.max", "cpu.max"})
        make_file(folder.path() / name);
    const Fd leaf{::open(folder.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};

    CHECK(launcher::write_limits(leaf.get(), ipc::protection_cgroup_pids, kLimits) == 0);
    CHECK(first_line(folder.path() / "pids.max") == "12");  // and the sandbox's own two
    CHECK(first_line(folder.path() / "memory.max") == "");

    constexpr std::uint32_t kAll =
        ipc::protection_cgroup_memory | ipc::protection_cgroup_pids | ipc::protection_cgroup_cpu;
    CHECK(launcher::write_limits(leaf.get(), kAll, kLimits) == 0);
    CHECK(first_line(folder.path() / "memory.max") == "1000");
    CHECK(first_line(folder.path() / "memory.swap.max") == "0");
    CHECK(first_line(folder.path() / "memory.oom.group") == "1");
    CHECK(first_line(folder.path() / "cpu.max") == "50000 100000");
}

TEST_CASE("a limit that cannot be written fails, only swap may be absent", "[sandbox]") {
    const TempDir folder{"cgroup"};
    for (const char* name : {"memory.max", "memory.oom.group"})
        make_file(folder.path() / name);
    const Fd leaf{::open(folder.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    CHECK(launcher::write_limits(leaf.get(), ipc::protection_cgroup_memory, kLimits) == 0);
    fs::remove(folder.path() / "memory.max");
    CHECK(launcher::write_limits(leaf.get(), ipc::protection_cgroup_memory, kLimits) == ENOENT);
}

TEST_CASE("a folder of cgroups turns on what it has", "[sandbox]") {
    const TempDir folder{"cgroup"};
    make_file(folder.path() / "cgroup.controllers", "cpuset io pids hugetlb\n");
    make_file(folder.path() / "cgroup.subtree_control");
    Cgroups cgroups;
    CHECK(cgroups.open(folder.path().c_str()) == 0);
    CHECK(cgroups.protections() == (ipc::protection_cgroup_v2 | ipc::protection_cgroup_pids));
    CHECK(first_line(folder.path() / "cgroup.subtree_control") == "+pids");
}

TEST_CASE("a folder that is no cgroup is refused", "[sandbox]") {
    const TempDir folder{"cgroup"};
    Cgroups cgroups;
    CHECK(cgroups.open(folder.path().c_str()) == ENOENT);
    CHECK(cgroups.open("/dev/null") == ENOTDIR);
}

TEST_CASE("a sandbox starts in its own leaf, which is there until its slot is used again",
          "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    const OwnCgroup own;
    if (own.path.empty()) {
        WARN("skipped: this machine has no cgroup v2 tree");
        return;
    }
    Launcher launcher{{.slots = 1, .cgroup_root = own.path}};
    CHECK((launcher.hello.protections & ipc::protection_cgroup_v2) != 0);
    Sandbox sandbox = launcher.build();
    REQUIRE(sandbox.reply.step == ipc::Step::none);
    REQUIRE(sandbox.cgroup);
    CHECK(first_line(own.path / "slot-0/cgroup.events") == "populated 1");
    REQUIRE_FALSE(sandbox.start(probe({"wait"})));
    sandbox.end_input();
    sandbox.finish();
    CHECK(first_line(own.path / "slot-0/cgroup.events") == "populated 0");
    CHECK(launcher.said({"read", "/proc/self/cgroup"}).find("slot-0") == std::string::npos);
}
