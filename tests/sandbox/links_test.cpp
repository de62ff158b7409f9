// Symbolic links in the way of what is mounted (sandbox.md T4): as a release, in one, and
// changing places with one while a sandbox is built.
#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/error.h"
#include "tests/sandbox/sandbox.h"

using namespace berth;
using namespace berth::sandbox_test;
using ipc::Step;
namespace fs = std::filesystem;

namespace {

ipc::BuildRequest for_release(const Launcher& launcher, const char* name) {
    ipc::BuildRequest request = launcher.request();
    std::memset(request.assignment.release, 0, sizeof request.assignment.release);
    std::strcpy(request.assignment.release, name);
    return request;
}

std::string first_line(const fs::path& path) {
    std::ifstream file{path};
    std::string line;
    std::getline(file, line);
    return line;
}

// Has two names change places, again and again.
class Exchange {
public:
    Exchange(std::string one, std::string other)
        : one_{std::move(one)}, other_{std::move(other)}, thread_{[this] { go_on(); }} {}
    ~Exchange() {
        ended_ = true;
        thread_.join();
    }

private:
    void go_on() {
        while (!ended_)
            if (::renameat2(AT_FDCWD, one_.c_str(), AT_FDCWD, other_.c_str(), RENAME_EXCHANGE) < 0)
                return;
    }
    const std::string one_, other_;
    std::atomic<bool> ended_ = false;
    std::thread thread_;
};

}  // namespace

TEST_CASE("a release that is a symbolic link is not followed", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    fs::create_symlink(launcher.release_path("probe"), launcher.release_path("link"));
    const Sandbox sandbox = launcher.build(for_release(launcher, "link"));
    CHECK(sandbox.reply.step == Step::release);
    CHECK(sandbox.reply.err == ELOOP);
    // The control: what it leads to is a release.
    CHECK(launcher.build(for_release(launcher, "probe")).reply.step == Step::none);
}

TEST_CASE("a release that changes places with a link is itself or is refused", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    const fs::path outside = fs::path{launcher.folder()} / "outside";
    const fs::path own = launcher.release_path("own");
    for (const fs::path& folder : {outside, own}) {
        fs::copy(launcher.release_path("probe"), folder);
        std::ofstream{folder / "name"} << folder.filename().string() << '\n';
    }
    fs::create_directory_symlink(outside, launcher.release_path("link"));
    const Exchange exchange{own, launcher.release_path("link")};
    constexpr int kEach = 5;
    constexpr int kMost = 3000;
    int itself = 0, refused = 0, followed = 0, builds = 0;
    for (; builds < kMost && (itself < kEach || refused < kEach || followed == 0); ++builds) {
        // The control: who asks by path alone is led outside, too.
        followed += first_line(own / "name") == "outside" ? 1 : 0;
        Sandbox sandbox = launcher.build(for_release(launcher, "own"));
        if (sandbox.reply.step == Step::none) {
            REQUIRE_FALSE(sandbox.start(probe({"read", "/app/name"})));
            REQUIRE(sandbox.finish().out == "own\n");
            ++itself;
        } else {
            REQUIRE(sandbox.reply.step == Step::release);
            REQUIRE(sandbox.reply.err == ELOOP);
            ++refused;
        }
    }
    INFO(builds << " builds");
    CHECK(itself >= kEach);
    CHECK(refused >= kEach);
    CHECK(followed > 0);
}

TEST_CASE("links in a release that are named like mount points redirect nothing", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    for (const char* link : {"proc", "dev", "tmp", "work", "app"})
        fs::create_directory_symlink(launcher.folder(), launcher.release_path("probe/") + link);
    CHECK(launcher.said({"overwrite", "/proc/sys/kernel/core_pattern"}) == "EACCES\n");
    CHECK(launcher.said({"write", "/work/x"}) == "ok\n");
    CHECK(launcher.said({"write", "/app/work/x"}) == "ENOENT\n");
    CHECK_FALSE(fs::exists(launcher.folder() + "/x"));
    std::ofstream{launcher.release_path("probe/work/x")} << "x";  // the control
    CHECK(fs::exists(launcher.folder() + "/x"));
}
