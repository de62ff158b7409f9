// System calls that a script may not make, each tried from inside (sandbox.md T13,
// T15 to T20, T25, T33), and as the control by root outside, who is answered otherwise.
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <map>

#include "tests/isolation/outside.h"
#include "tests/sandbox/sandbox.h"

using namespace berth;
using namespace berth::sandbox_test;

namespace {

constexpr const char* kProbe = BERTH_BINARY_DIR "/bin/sandbox_probe";

// What happens outside is looked at too, unless it would harm or is the same.
enum class Control { differs, none };

struct Call {
    const char* name;
    const char* expected;
    Control control = Control::differs;
};

// The answers to root, in namespaces of his own.
std::map<std::string, std::string> outside(const std::vector<Call>& calls) {
    std::string script = "exec 2>/dev/null; for call in";
    for (const Call& call : calls)
        if (call.control == Control::differs) script += std::string{" "} + call.name;
    script += std::string{"; do set -- $(unshare --mount "} + kProbe +
              " call $call); printf '%s\\t%s\\n' $call \"$1\"; done";
    std::map<std::string, std::string> answers;
    isolation::Outside shell{
        {"/usr/bin/unshare", "--uts", "--ipc", "--net", "--pid", "--fork", "/bin/sh", "-c", script},
        {"PATH=/usr/bin:/bin"}};
    for (const auto& line : isolation::table(shell.read_all()))
        answers[line.at(0)] = line.at(1);
    return answers;
}

void check_all(const std::vector<Call>& calls) {
    Launcher launcher;
    const auto controls = outside(calls);
    for (const Call& call : calls) {
        INFO(call.name);
        CHECK(launcher.said({"call", call.name}) == std::string{call.expected} + "\n");
        if (call.control == Control::none) continue;
        REQUIRE(controls.count(call.name) == 1);
        CHECK(controls.at(call.name) != call.expected);
    }
}

}  // namespace

TEST_CASE("a script cannot make namespaces or mounts", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    check_all({{"unshare-user", "EPERM"},
               {"unshare-mount", "EPERM"},
               {"clone-user", "EPERM"},
               {"clone-net", "EPERM"},
               {"setns", "EPERM"},
               {"mount", "EPERM"},
               {"remount", "EPERM"},
               {"umount", "EPERM"},
               {"pivot_root", "EPERM"},
               {"chroot", "EPERM"},
               {"fsopen", "EPERM"},
               {"open_tree", "EPERM"},
               {"move_mount", "EPERM"},
               {"mount_setattr", "EPERM"},
               {"sethostname", "EPERM"}});
}

TEST_CASE("a script does not reach the kernel's large surfaces", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    check_all({{"io_uring_setup", "EPERM"},
               {"bpf", "EPERM"},
               {"perf_event_open", "EPERM"},
               {"userfaultfd", "EPERM"},
               {"keyctl", "EPERM"},
               {"add_key", "EPERM"},
               {"request_key", "EPERM"},
               {"open_by_handle_at", "EPERM"},
               {"name_to_handle_at", "EPERM"},
               {"init_module", "EPERM"},
               {"finit_module", "EPERM"},
               {"kexec_load", "EPERM"},
               {"reboot", "EPERM"},
               {"swapon", "EPERM"},
               {"acct", "EPERM"},
               {"quotactl", "EPERM"},
               {"syslog", "EPERM"},
               {"personality", "EPERM"},
               {"fanotify_init", "EPERM"},
               {"mbind", "EPERM"},
               {"move_pages", "EPERM"},
               {"lookup_dcookie", "EPERM"},
               {"seccomp", "EPERM"}});
}

TEST_CASE("a script reaches no other kind of socket than unix, inet and routes", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    check_all({{"socket-vsock", "EPERM"},
               {"socket-packet", "EPERM"},
               {"socket-raw", "EPERM"},
               {"socket-alg", "EPERM"},
               {"socket-netfilter", "EPERM"},
               {"socket-xfrm", "EPERM"},
               {"socket-high-bits", "EPERM"},
               {"socket-route", "ok", Control::none},
               {"socket-inet", "ok", Control::none}});
}

TEST_CASE("a script cannot look into other processes or stop its init", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    check_all({{"ptrace", "EPERM"},
               {"ptrace-me", "EPERM"},
               {"process_vm_readv", "EPERM"},
               {"process_vm_writev", "EPERM"},
               {"pidfd_getfd", "EPERM"},
               {"kcmp", "EPERM"},
               {"kill-init", "EPERM"}});
}

TEST_CASE("a script cannot gain a user, a device, a priority or a limit", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    check_all({{"setuid-0", "EPERM"},
               {"setgid-0", "EPERM"},
               {"setgroups", "EPERM"},
               {"nice-up", "EACCES"},
               {"realtime", "EPERM"},
               {"clock_settime", "EPERM", Control::none},  // acts_test has it
               {"settimeofday", "EPERM"},
               {"adjtimex", "EPERM"},
               {"raise-nofile", "EPERM", Control::none},  // root's may be the kernel's highest
               {"raise-core", "EPERM"}});
}

TEST_CASE("a script cannot make a device node", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    const std::string expected = launcher.hello.landlock_abi > 0 ? "EACCES\n" : "EPERM\n";
    CHECK(launcher.said({"call", "mknod-char"}) == expected);
    CHECK(launcher.said({"call", "mknod-block"}) == expected);
}

TEST_CASE("calls of a later kernel look as if they were not there", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    check_all({{"clone3", "ENOSYS"},
               {"unknown-future", "ENOSYS", Control::none},
               {"unknown-far", "ENOSYS", Control::none}});
}

TEST_CASE("a script cannot type into a terminal, not even with high bits set", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    check_all({{"tiocsti", "EPERM"},
               {"tiocsti-high", "EPERM"},
               {"tioclinux", "EPERM"},
               {"tioclinux-high", "EPERM"},
               {"fionread", "ok", Control::none}});
    Launcher launcher;
    CHECK(launcher.said({"overwrite", "/dev/tty"}) == "ENOENT\n");
}

TEST_CASE("a call by a foreign table ends the script", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
#if defined(__x86_64__)
    const char* act = GENERATE("int80", "x32");
    Launcher launcher;
    const Ended ended = launcher.run(probe({act}));
    CHECK(ended.out == "");
    REQUIRE(ended.report);
    CHECK(WIFSIGNALED(ended.report->wait_status));
    CHECK(WTERMSIG(ended.report->wait_status) == SIGSYS);
    // The control: outside the same program lives, whatever the kernel answers it.
    CHECK_THAT(isolation::Outside({kProbe, act}, {}).read_all(),
               Catch::Matchers::StartsWith("survived"));
#endif
}
