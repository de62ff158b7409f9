// What a script sees of files and what it can change (sandbox.md T1, T3, T19, T20,
// T21, T26, T29).
#include <sys/statvfs.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/isolation/outside.h"
#include "tests/sandbox/sandbox.h"

using namespace berth;
using namespace berth::sandbox_test;
using Catch::Matchers::Contains;

TEST_CASE("a script cannot write outside its scratch space", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    for (const char* path : {"/x", "/etc/passwd", "/usr/bin/x", "/app/x", "/app/probe",
                             "/work/../etc/x", "/lib/x", "/root/x"}) {
        INFO(path);
        const std::string said = launcher.said({"write", path});
        CHECK((said == "EROFS\n" || said == "EACCES\n" || said == "ENOENT\n"));
    }
    for (const char* path : {"/work/x", "/tmp/x", "/dev/shm/x"})
        CHECK(launcher.said({"write", path}) == "ok\n");
}

TEST_CASE("no file below /proc/sys can be written", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    CHECK(launcher.said({"writable", "/proc/sys"}) == "0 of some\n");
    CHECK(launcher.said({"overwrite", "/proc/sys/kernel/core_pattern"}) == "EACCES\n");
    CHECK(launcher.said({"writable", "/sys"}) == "0 of none\n");
}

TEST_CASE("files of /proc that tell of the host are not there or cannot be read", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    for (const char* name : {"kcore", "kallsyms", "keys", "config.gz", "cmdline", "kmsg",
                             "timer_list", "interrupts", "partitions", "diskstats", "sysrq-trigger",
                             "softirqs", "swaps", "modules", "1/environ", "1/exe", "1/maps"}) {
        INFO(name);
        const std::string said = launcher.said({"read", std::string{"/proc/"} + name});
        CHECK((said == "EACCES\n" || said == "ENOENT\n"));
    }
    CHECK(launcher.said({"overwrite", "/proc/sysrq-trigger"}) != "ok\n");
}

TEST_CASE("folders of /proc that tell of the host's devices and load are empty", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    for (const char* name : {"acpi", "asound", "bus", "fs", "irq", "pressure", "scsi"}) {
        INFO(name);
        CHECK(launcher.said({"list", std::string{"/proc/"} + name}) == "");
    }
    CHECK(launcher.said({"write", "/proc/pressure/cpu"}) != "ok\n");
    // Nothing of what /proc still has, its own process apart, can be opened for writing.
    CHECK(launcher.said({"writable", "/proc/net"}).rfind("0 of ", 0) == 0);
}

TEST_CASE("Landlock refuses what the file's owner could write", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    if (launcher.hello.landlock_abi == 0) {
        WARN("skipped: this kernel has no Landlock");
        return;
    }
    // Files of the script itself, on a mount that is writable.
    for (const char* path : {"/proc/self/comm", "/proc/self/oom_score_adj"}) {
        CHECK(launcher.said({"overwrite", path}) == "EACCES\n");
        // The control: without Landlock its owner may.
        CHECK(isolation::Outside({launcher.release_path("probe/probe"), "overwrite", path}, {},
                                 launcher.first_uid())
                  .read_all() == "ok\n");
    }
}

TEST_CASE("the runtime cannot be overwritten through /proc", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    CHECK(launcher.said({"overwrite", "/proc/1/exe"}) == "ENOENT\n");
    const std::string self = launcher.said({"overwrite", "/proc/self/exe"});
    CHECK((self == "EROFS\n" || self == "ETXTBSY\n" || self == "EACCES\n"));
}

TEST_CASE("every mount is nosuid, and only device nodes allow devices", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    std::istringstream mounts{launcher.said({"read", "/proc/self/mountinfo"})};
    int count = 0;
    for (std::string line; std::getline(mounts, line); ++count) {
        INFO(line);
        std::istringstream words{line};
        std::string skip, point, flags;
        words >> skip >> skip >> skip >> skip >> point >> flags;
        CHECK_THAT(flags, Contains("nosuid"));
        if (point.rfind("/dev/", 0) != 0 || point == "/dev/shm")
            CHECK_THAT(flags, Contains("nodev"));
        const bool writable = flags.rfind("rw", 0) == 0;
        const bool may_be =
            point == "/tmp" || point == "/work" || point == "/proc" || point.rfind("/dev/", 0) == 0;
        CHECK((!writable || may_be));
    }
    CHECK(count > 8);
}

TEST_CASE("a set-user-id program in a release gives nothing", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    const std::string program = launcher.release_path("probe/raise");
    std::filesystem::copy_file(launcher.release_path("probe/probe"), program);
    std::filesystem::permissions(program, std::filesystem::perms{06755});
    Run run;
    run.argv = {"/app/raise", "euid"};
    CHECK(launcher.run(run).out == "1000\n");
    // The control: for the same user outside it is root's, where such programs work at all.
    struct statvfs host {};
    REQUIRE(::statvfs(program.c_str(), &host) == 0);
    if ((host.f_flag & ST_NOSUID) != 0) return;
    CHECK(isolation::Outside({program, "euid"}, {}, launcher.first_uid()).read_all() == "0\n");
}

TEST_CASE("/dev holds exactly what is meant to be there", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    std::istringstream lines{launcher.said({"list", "/dev"})};
    std::vector<std::string> seen;
    for (std::string line; std::getline(lines, line);)
        seen.push_back(line);
    std::sort(seen.begin(), seen.end());
    CHECK(seen == std::vector<std::string>{"c full", "c null", "c random", "c urandom", "c zero",
                                           "d shm", "l fd", "l stderr", "l stdin", "l stdout"});
}

TEST_CASE("the host's name, machine id, keys and other releases are hidden", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    std::filesystem::create_directories(launcher.release_path("other"));
    CHECK(launcher.said({"host-name"}) == "berth\n");
    for (const char* path : {"/etc/machine-id", "/etc/shadow", "/etc/ssl/private", "/root", "/home",
                             "/var", "/run", "/app/../other", "/app/other", "/proc/mask"})
        CHECK(launcher.said({"read", path}) == "ENOENT\n");
    CHECK(launcher.said({"list", "/sys"}) == "");
}

TEST_CASE("the cgroup is shown as the root, and no cgroup file system is there", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    std::istringstream lines{launcher.said({"read", "/proc/self/cgroup"})};
    for (std::string line; std::getline(lines, line);)
        CHECK(line.substr(line.rfind(':')) == ":/");
    CHECK_THAT(launcher.said({"read", "/proc/self/mountinfo"}), !Contains("cgroup"));
}

TEST_CASE("a slot that is used again holds nothing of its last run", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.slots = 1}};
    for (const char* path : {"/work/left", "/tmp/left", "/dev/shm/left"})
        CHECK(launcher.said({"write", path}) == "ok\n");
    for (const char* folder : {"/work", "/tmp", "/dev/shm"})
        CHECK(launcher.said({"list", folder}) == "");
}

TEST_CASE("in the strict profile /proc has nothing but processes", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher strict{{.strict = true}};
    CHECK((strict.hello.protections & ipc::protection_strict) != 0);
    for (const char* name : {"meminfo", "cpuinfo", "uptime", "version", "stat", "sys", "net",
                             "filesystems", "loadavg", "kcore", "sysrq-trigger"})
        CHECK(strict.said({"read", std::string{"/proc/"} + name}) == "ENOENT\n");
    CHECK_THAT(strict.said({"read", "/proc/self/status"}), Contains("NoNewPrivs"));
    CHECK(strict.said({"processes"}).rfind("self ", 0) == 0);
    Launcher usual;
    CHECK((usual.hello.protections & ipc::protection_strict) == 0);
    CHECK_THAT(usual.said({"read", "/proc/meminfo"}), Contains("MemTotal"));
}
