// Interpreters of the host run inside, with what their libraries need.
#include <sched.h>
#include <sys/mount.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "base/file.h"
#include "tests/sandbox/sandbox.h"

using namespace berth;
using namespace berth::sandbox_test;

namespace {

std::string output_of(const std::string& program, const char* option, const std::string& code) {
    Launcher launcher;
    ipc::BuildRequest request = launcher.request();
    request.assignment.limits.scratch_bytes = 64 << 20;
    Run run;
    run.argv = {program, option, code};
    run.env = {"PATH=/usr/bin:/bin", "HOME=/work", "LANG=C.UTF-8"};
    run.folder = "/work";
    const Ended ended = launcher.run_with(request, run);
    CHECK(ended.err == "");
    REQUIRE(ended.report);
    CHECK(ended.report->wait_status == 0);
    return ended.out;
}

}  // namespace

#define BERTH_NEEDS_PROGRAM(path)                        \
    if (!std::filesystem::exists(path)) {                \
        WARN("skipped: this machine has no '" path "'"); \
        return;                                          \
    }

TEST_CASE("a shell runs pipelines and writes to its streams by name", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    CHECK(output_of("/bin/sh", "-c", "id -un; echo a b | tr a c > f; cat f > /dev/stdout; pwd") ==
          "script\nc b\n/work\n");
}

TEST_CASE("python runs threads, processes and shared memory", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    BERTH_NEEDS_PROGRAM("/usr/bin/python3");
    CHECK(output_of("/usr/bin/python3", "-c", R"(
import multiprocessing, os, subprocess, tempfile, threading
box = []
t = threading.Thread(target=lambda: box.append('thread')); t.start(); t.join()
q = multiprocessing.Queue()
p = multiprocessing.Process(target=lambda: q.put('process')); p.start(); box.append(q.get()); p.join()
box.append(subprocess.run(['/bin/echo', 'child'], capture_output=True, text=True).stdout.strip())
with tempfile.NamedTemporaryFile() as f: box.append('file')
print(' '.join(box), os.getuid())
)") == "thread process child file 1000\n");
}

TEST_CASE("node runs, and its fetch is refused without network", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    BERTH_NEEDS_PROGRAM("/usr/bin/node");
    CHECK(output_of("/usr/bin/node", "-e",
                    "fetch('http://127.0.0.1:8080/').catch(e => console.log(e.cause.code))") ==
          "ECONNREFUSED\n");
}

TEST_CASE("what changes in the host's runtime is there for sandboxes that were parked before",
          "[pool]") {
    BERTH_NEEDS_SANDBOX();
    // In a mount namespace of this test's own: nothing of the host is touched.
    REQUIRE(::unshare(CLONE_NEWNS) == 0);
    REQUIRE(::mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr) == 0);
    const std::string folder = "/usr/local/games";
    REQUIRE(::mount("none", folder.c_str(), "tmpfs", 0, "mode=0755") == 0);
    const auto write = [&](const std::string& text) {
        write_file_atomically(folder + "/program", "#!/bin/sh\necho " + text + "\n", 0755);
    };
    write("before");
    Launcher launcher{{.pool = 1}};
    Sandbox parked = launcher.await_parked();
    write("after");  // by another file, as packages are updated
    launcher.take(parked, launcher.request().assignment);
    Run run;
    run.argv = {folder + "/program"};
    CHECK_FALSE(parked.start(run));
    CHECK(launcher.await_attached().step == ipc::Step::none);
    parked.end_input();
    CHECK(parked.finish().out == "after\n");
    ::umount2(folder.c_str(), MNT_DETACH);
}
