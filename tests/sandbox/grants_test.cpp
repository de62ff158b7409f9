// Weakenings: each only by name, each only from the launcher's command line, and each no
// wider than it says (sandbox.md T24).
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "tests/sandbox/sandbox.h"

using namespace berth;
using namespace berth::sandbox_test;
namespace fs = std::filesystem;

namespace {

constexpr uid_t kOwner = 4711;
constexpr gid_t kGroup = 4712;

// A folder outside of all sandboxes, of a user of its own.
struct Folder {
    Folder() {
        fs::permissions(dir.path(), fs::perms{0755});
        std::ofstream{dir.path() / "old"} << "as before\n";
        fs::permissions(dir.path() / "old", fs::perms{0600});
        for (const fs::path& path : {dir.path(), dir.path() / "old"})
            REQUIRE(::chown(path.c_str(), kOwner, kGroup) == 0);
    }
    std::string option(const std::string& name) const { return name + "=" + dir.path().string(); }
    TempDir dir{"writable"};
};

ipc::BuildRequest with_folder(const Launcher& launcher, const char* name) {
    ipc::BuildRequest request = launcher.request();
    request.kind.grants |= ipc::grant_writable_path;
    std::strcpy(request.assignment.writable, name);
    return request;
}

ipc::BuildRequest with_calls(const Launcher& launcher, const char* name) {
    ipc::BuildRequest request = launcher.request();
    request.kind.grants |= ipc::grant_extra_syscalls;
    std::strcpy(request.kind.syscalls, name);
    return request;
}

}  // namespace

TEST_CASE("a granted folder can be written to, and what is made there is its owner's",
          "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    const Folder folder;
    Launcher launcher{{.more = {"--allow-writable", folder.option("exchange")}}};
    const ipc::BuildRequest request = with_folder(launcher, "exchange");
    CHECK(launcher.run_with(request, probe({"read", "/data/old"})).out == "as before\n");
    CHECK(launcher.run_with(request, probe({"write", "/data/new"})).out == "ok\n");
    struct stat made {};
    REQUIRE(::stat((folder.dir.path() / "new").c_str(), &made) == 0);
    CHECK(made.st_uid == kOwner);
    CHECK(made.st_gid == kGroup);
    // A later run has another user, and the same files.
    CHECK(launcher.run_with(request, probe({"overwrite", "/data/new"})).out == "ok\n");
}

TEST_CASE("without the grant there is nothing in its place", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    const Folder folder;
    Launcher launcher{{.more = {"--allow-writable", folder.option("exchange")}}};
    CHECK(launcher.said({"list", "/data"}) == "");
    CHECK(launcher.said({"write", "/data/x"}) == "EROFS\n");
    CHECK(launcher.said({"read", "/data/exchange/old"}) == "ENOENT\n");
    CHECK(launcher.said({"read", "/proc/self/mountinfo"}).find("/data") == std::string::npos);
}

TEST_CASE("a granted folder is all that is granted", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    const Folder folder;
    const Folder other;
    Launcher launcher{{.more = {"--allow-writable", folder.option("one"), "--allow-writable",
                                other.option("other")}}};
    const ipc::BuildRequest request = with_folder(launcher, "one");
    const auto out = [&](std::vector<std::string> act) {
        return launcher.run_with(request, probe(std::move(act))).out;
    };
    CHECK(out({"list", "/data"}) == "f old\n");
    const std::string above = out({"read", "/data/../" + folder.dir.path().string() + "/old"});
    CHECK(above == "ENOENT\n");
    CHECK(out({"write", "/etc/x"}) != "ok\n");
    CHECK(out({"write", "/app/x"}) != "ok\n");
    const std::string device = out({"call", "mknod-char"});
    CHECK((device == "EACCES\n" || device == "EPERM\n"));
    // The descriptor by which the folder came is not the script's.
    CHECK(out({"fds"}).find(folder.dir.path().filename().string()) == std::string::npos);
}

TEST_CASE("no process of a sandbox keeps a way to the granted folder's place on the host",
          "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    const Folder folder;
    Launcher launcher{{.more = {"--allow-writable", folder.option("one")}}};
    Sandbox sandbox = launcher.build(with_folder(launcher, "one"));
    REQUIRE(sandbox.reply.step == ipc::Step::none);
    REQUIRE_FALSE(sandbox.start(probe({"wait"})));
    REQUIRE(sandbox.read_output(6) == "ready\n");
    std::size_t looked_at = 0;
    for (const uid_t uid : {sandbox.reply.uid - 1, sandbox.reply.uid}) {
        for (const pid_t pid : processes_of(uid)) {
            for (const auto& fd : fs::directory_iterator{"/proc/" + std::to_string(pid) + "/fd"}) {
                ++looked_at;
                INFO(pid << " " << fs::read_symlink(fd).string());
                CHECK_FALSE(fs::is_directory(fs::status(fd)));
            }
        }
    }
    CHECK(looked_at > 6);  // the three streams of each
}

TEST_CASE("a folder of root's cannot be granted", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    const TempDir folder{"writable"};
    CHECK_THROWS(Launcher{{.more = {"--allow-writable", "a=" + folder.path().string()}}});
    CHECK_THROWS(Launcher{{.more = {"--allow-writable", "a=/there/is/none"}}});
    CHECK_THROWS(Launcher{{.more = {"--allow-writable", "A/b=/tmp"}}});
    CHECK_THROWS(Launcher{{.more = {"--allow-writable", "=/tmp"}}});
}

TEST_CASE("granted calls can be made, others are as before", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.more = {"--allow-syscalls", "debug=ptrace,kcmp"}}};
    const ipc::BuildRequest request = with_calls(launcher, "debug");
    CHECK(launcher.run_with(request, probe({"calls", "ptrace-me", "mount"})).out == "ok\nEPERM\n");
    CHECK(launcher.said({"call", "ptrace-me"}) == "EPERM\n");
    // Seeing one's own processes, but not pid 1.
    CHECK(launcher.run_with(request, probe({"call", "ptrace"})).out == "EPERM\n");
}

TEST_CASE("calls that would undo a wall cannot be granted", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    for (const char* set : {"a=mount", "a=ptrace,unshare", "a=io_uring_setup", "a=clone3",
                            "a=", "a=ptrace,", "a=no_such_call", "mount"})
        CHECK_THROWS(Launcher{{.more = {"--allow-syscalls", set}}});
}

TEST_CASE("a name that is not on the command line is refused", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    const Folder folder;
    Launcher launcher{
        {.more = {"--allow-writable", folder.option("one"), "--allow-syscalls", "debug=ptrace"}}};
    const auto refused = [&](const ipc::BuildRequest& request) {
        const Sandbox sandbox = launcher.build(request);
        CHECK(sandbox.reply.step == ipc::Step::request);
        return sandbox.reply.err;
    };
    CHECK(refused(with_folder(launcher, "two")) == ENOENT);
    CHECK(refused(with_folder(launcher, "../one")) == ENOENT);
    CHECK(refused(with_folder(launcher, "")) == EPERM);
    CHECK(refused(with_calls(launcher, "one")) == ENOENT);
    CHECK(refused(with_calls(launcher, "")) == EPERM);
    ipc::BuildRequest request = launcher.request();
    std::strcpy(request.assignment.writable, "one");  // a name without its grant
    CHECK(refused(request) == EPERM);
    request = launcher.request();
    std::strcpy(request.kind.syscalls, "debug");
    CHECK(refused(request) == EPERM);
    request = with_folder(launcher, "one");
    std::memset(request.assignment.writable, 'a', sizeof request.assignment.writable);
    CHECK(refused(request) == EINVAL);
    CHECK(launcher.said({"call", "fionread"}) == "ok\n");
}
