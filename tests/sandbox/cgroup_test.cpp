// cgroup limits as files, how the back end is found, and the real life of a leaf where
// there is a v2 tree (sandbox.md T28, T34). v1 is in cgroup_v1_test.cpp.
#include "sandbox/launcher/cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "sandbox/launcher/cgroup_find.h"
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

Fd opened(const fs::path& folder) {
    return Fd{::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
}

}  // namespace

TEST_CASE("limits become the files of the controllers that are there", "[sandbox]") {
    const TempDir folder{"cgroup"};
    for (const char* name :
         {"memory.max", "memory.swap.max", "memory.oom.group", "pids.max", "cpu.max"})
        make_file(folder.path() / name);
    const Fd leaf = opened(folder.path());

    CHECK(launcher::write_limits(leaf.get(), ipc::protection_cgroup_pids, kLimits) == 0);
    CHECK(first_line(folder.path() / "pids.max") == "11");  // and the sandbox's own pid 1
    CHECK(first_line(folder.path() / "memory.max") == "");

    constexpr std::uint32_t kAll =
        ipc::protection_cgroup_memory | ipc::protection_cgroup_pids | ipc::protection_cgroup_cpu;
    CHECK(launcher::write_limits(leaf.get(), kAll, kLimits) == 0);
    CHECK(first_line(folder.path() / "memory.max") == "1000");
    CHECK(first_line(folder.path() / "memory.swap.max") == "0");
    CHECK(first_line(folder.path() / "memory.oom.group") == "1");
    CHECK(first_line(folder.path() / "cpu.max") == "50000 100000");
}

TEST_CASE("a limit of reading and writing names a whole disk", "[sandbox]") {
    const TempDir folder{"cgroup"};
    make_file(folder.path() / "io.max");
    const Fd leaf = opened(folder.path());
    CHECK(launcher::write_io_limit(leaf.get(), "254:0", 1 << 20) == 0);
    CHECK(first_line(folder.path() / "io.max") == "254:0 rbps=1048576 wbps=1048576");

    char disk[24] = {};
    CHECK(launcher::disk_of("/proc", disk) == ENODEV);  // on no disk
    CHECK(launcher::disk_of("/absent", disk) == ENOENT);
    if (const int err = launcher::disk_of(BERTH_BINARY_DIR, disk); err == 0)
        CHECK(std::filesystem::exists(std::string{"/sys/block"}) !=
              std::filesystem::exists(std::string{"/sys/dev/block/"} + disk + "/partition"));
    else
        WARN("the build folder is on no disk of its own: not looked up");
}

TEST_CASE("limits of v1 become its files", "[sandbox]") {
    const TempDir folder{"cgroup"};
    for (const char* name :
         {"memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.kmem.tcp.limit_in_bytes",
          "pids.max", "cpu.cfs_period_us", "cpu.cfs_quota_us"})
        make_file(folder.path() / name);
    const Fd leaf = opened(folder.path());
    constexpr std::uint32_t kAll =
        ipc::protection_cgroup_memory | ipc::protection_cgroup_pids | ipc::protection_cgroup_cpu;
    CHECK(launcher::write_limits_v1(leaf.get(), kAll, kLimits) == 0);
    CHECK(first_line(folder.path() / "memory.limit_in_bytes") == "1000");
    CHECK(first_line(folder.path() / "memory.memsw.limit_in_bytes") == "1000");
    CHECK(first_line(folder.path() / "memory.kmem.tcp.limit_in_bytes") == "1000");  // a sum apart
    CHECK(first_line(folder.path() / "pids.max") == "11");
    CHECK(first_line(folder.path() / "cpu.cfs_period_us") == "100000");
    CHECK(first_line(folder.path() / "cpu.cfs_quota_us") == "50000");
}

TEST_CASE("a limit that cannot be written fails, only swap may be absent", "[sandbox]") {
    const TempDir folder{"cgroup"};
    for (const char* name : {"memory.max", "memory.oom.group"})
        make_file(folder.path() / name);
    const Fd leaf = opened(folder.path());
    CHECK(launcher::write_limits(leaf.get(), ipc::protection_cgroup_memory, kLimits) == 0);
    fs::remove(folder.path() / "memory.max");
    CHECK(launcher::write_limits(leaf.get(), ipc::protection_cgroup_memory, kLimits) == ENOENT);
    CHECK(launcher::write_limits_v1(leaf.get(), ipc::protection_cgroup_memory, kLimits) == ENOENT);
}

TEST_CASE("a folder of cgroups turns on what it has", "[sandbox]") {
    const TempDir folder{"cgroup"};
    make_file(folder.path() / "cgroup.controllers", "cpuset pids hugetlb\n");
    make_file(folder.path() / "cgroup.subtree_control");
    Cgroups cgroups;
    CHECK(cgroups.open(folder.path().c_str(), "berth-1") == 0);
    CHECK(cgroups.kind() == launcher::CgroupKind::v2);
    CHECK(cgroups.protections() == (ipc::protection_cgroup_v2 | ipc::protection_cgroup_pids));
    CHECK(first_line(folder.path() / "cgroup.subtree_control") == "+pids");
}

TEST_CASE("a folder that is no cgroup is refused", "[sandbox]") {
    const TempDir folder{"cgroup"};
    CHECK(Cgroups{}.open(folder.path().c_str(), "berth-1") == ENOENT);
    CHECK(Cgroups{}.open("/dev/null", "berth-1") == ENOTDIR);
    CHECK(Cgroups{}.open("none", "berth-1") == 0);
}

TEST_CASE("one's own group is found however its hierarchy is mounted", "[sandbox]") {
    using launcher::own_group;
    const std::string groups =
        "9:pids:/\n4:memory:/a/b\n2:cpu,cpuacct:/a\n1:name=systemd:/x\n0::/unit.service\n";
    const std::string mounts =
        "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
        "35 31 0:32 / /sys/fs/cgroup/memory rw shared:1 - cgroup cgroup rw,memory\n"
        "33 31 0:30 /a /cpu\\040folder rw - cgroup cgroup rw,cpu,cpuacct\n"
        "39 31 0:36 /other /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n";
    CHECK(own_group(groups, mounts, "memory") == "/sys/fs/cgroup/memory/a/b");
    CHECK(own_group(groups, mounts, "cpu") == "/cpu folder");
    CHECK(own_group(groups, mounts, "cpuacct") == "/cpu folder");
    CHECK(own_group(groups, mounts, "") == "/sys/fs/cgroup/unified/unit.service");
    CHECK(own_group(groups, mounts, "pids") == "");  // mounted is another part of it
    CHECK(own_group(groups, mounts, "blkio") == "");
    CHECK(own_group("0::/../up\n", mounts, "") == "");
    CHECK(own_group("", "", "") == "");
}

TEST_CASE("groups of ended sandboxes stay for a while, unless their slot is used again",
          "[sandbox]") {
    const TempDir folder{"cgroup"};
    make_file(folder.path() / "cgroup.controllers", "\n");
    Cgroups cgroups;
    REQUIRE(cgroups.open(folder.path().c_str(), "berth-1") == 0);
    Fd first;
    Fd second;
    REQUIRE(cgroups.prepare(1, kLimits, first) == 0);
    REQUIRE(cgroups.prepare(2, kLimits, second) == 0);
    const auto there = [&](int slot) {
        return fs::exists(folder.path() / ("slot-" + std::to_string(slot)));
    };
    CHECK(cgroups.sweep(0) == -1);
    cgroups.ended(1, 1000);
    cgroups.ended(2, 4000);
    CHECK(cgroups.sweep(1000) == Cgroups::kKeepMs);
    CHECK((there(1) && there(2)));
    REQUIRE(cgroups.prepare(2, kLimits, second) == 0);  // in use again
    CHECK(cgroups.sweep(1000 + Cgroups::kKeepMs) == -1);
    CHECK_FALSE(there(1));
    CHECK(cgroups.sweep(100'000) == -1);
    CHECK(there(2));
}

TEST_CASE("a sandbox starts in its own leaf, which is there until its slot is used again",
          "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    const OwnCgroup own;
    if (own.path.empty()) {
        WARN("skipped: this machine has no cgroup v2 tree");
        return;
    }
    Launcher launcher{{.slots = 1, .cgroups = own.path}};
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

TEST_CASE("a launcher that must have a cgroup does not start without one", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    CHECK_THROWS(Launcher{{.cgroups = "none", .require_cgroup = true}});
    CHECK_THROWS(Launcher{{.cgroups = "none", .more = {"--cpu-percent", "50"}}});
    CHECK_THROWS(Launcher{{.cgroups = "none", .more = {"--io-mib-per-second", "50"}}});
}
