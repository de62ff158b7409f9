// System calls that the filter refuses are told with the script's end, by number; what
// looks absent, and what is allowed, is not (sandbox.md T15, T16, T17).
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <set>

#include "tests/sandbox/sandbox.h"

using namespace berth;
using namespace berth::sandbox_test;

namespace {

std::set<int> refused(const Ended& ended) {
    REQUIRE(ended.report);
    REQUIRE(ended.report->refused_count <= std::size(ended.report->refused));
    const auto* first = ended.report->refused;
    return {first, first + ended.report->refused_count};
}

}  // namespace

TEST_CASE("refused calls are reported, each once", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    const Ended ended =
        launcher.run(probe({"calls", "mount", "ptrace", "mount", "tiocsti", "socket-vsock"}));
    CHECK(ended.out == "EPERM\nEPERM\nEPERM\nEPERM\nEPERM\n");
    CHECK(refused(ended) == std::set<int>{SYS_mount, SYS_ptrace, SYS_ioctl, SYS_socket});
}

TEST_CASE("calls that look absent, that are allowed or that the kernel refuses are not reported",
          "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    const Ended ended = launcher.run(
        probe({"calls", "clone3", "unknown-future", "socket-inet", "fionread", "setuid-0"}));
    CHECK(ended.out == "ENOSYS\nENOSYS\nok\nok\nEPERM\n");
    CHECK(refused(ended).empty());
}

TEST_CASE("of many different refused calls the first ones are reported", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    const Ended ended = launcher.run(
        probe({"calls", "mount", "umount", "setns", "pivot_root", "fsopen", "open_tree", "bpf",
               "keyctl", "add_key", "request_key", "perf_event_open", "userfaultfd",
               "process_vm_readv", "kcmp", "acct", "swapon", "reboot"}));
    const std::set<int> seen = refused(ended);
    CHECK(seen.size() == 14);
    CHECK(seen.count(SYS_mount) == 1);
    CHECK(seen.count(SYS_reboot) == 0);
}

TEST_CASE("a script that does nothing but make refused calls is still stopped by a signal",
          "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    Sandbox sandbox = launcher.build();
    REQUIRE(sandbox.reply.step == ipc::Step::none);
    REQUIRE_FALSE(sandbox.start(probe({"call-forever", "mount"})));
    REQUIRE(sandbox.read_output(6) == "ready\n");
    // Another sandbox is not held up by it.
    CHECK(launcher.said({"call", "ptrace"}) == "EPERM\n");
    sandbox.signal(SIGTERM);
    const Ended ended = sandbox.finish();
    REQUIRE(ended.report);
    CHECK(WTERMSIG(ended.report->wait_status) == SIGTERM);
    CHECK(refused(ended) == std::set<int>{SYS_mount});
}

TEST_CASE("refused calls of threads and children are answered too", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    const Ended ended = launcher.run(probe({"calls-everywhere", "mount"}));
    CHECK(ended.out == "EPERM\nEPERM\nEPERM\n");
    CHECK(refused(ended) == std::set<int>{SYS_mount});
}

TEST_CASE("usual interpreters make no call that is refused", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    struct Program {
        const char* path;
        const char* option;
        const char* code;
    };
    const Program all[] = {
        {"/bin/sh", "-c", "echo a | cat > /work/f; test -s /work/f"},
        {"/usr/bin/perl", "-e", "print 1"},
        {"/usr/bin/python3", "-c",
         "import ssl, subprocess, threading, tempfile, socket, multiprocessing as m\n"
         "p = m.Process(target=print); p.start(); p.join()\n"
         "t = threading.Thread(target=print); t.start(); t.join()"},
        {"/usr/bin/node", "-e",
         "fetch('http://127.0.0.1:1/').catch(() => {}); new (require('worker_threads').Worker)("
         "'1', {eval: true}); require('fs').writeFileSync('/work/f', 'x'); require('os').cpus()"},
    };
    Launcher launcher;
    ipc::BuildRequest request = launcher.request();
    request.assignment.limits.scratch_bytes = 64 << 20;
    for (const Program& program : all) {
        if (::access(program.path, X_OK) != 0) continue;
        INFO(program.path);
        Run run;
        run.argv = {program.path, program.option, program.code};
        run.env = {"PATH=/usr/bin:/bin", "HOME=/work"};
        run.folder = "/work";
        const Ended ended = launcher.run_with(request, run);
        CHECK(ended.err == "");
        CHECK(refused(ended) == std::set<int>{});
    }
}
