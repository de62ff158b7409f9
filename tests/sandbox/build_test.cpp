// The protocol with the launcher: what is built, what is refused, and how a failure
// names its step (sandbox.md T22, T24, T34).
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <functional>

#include "tests/sandbox/sandbox.h"

using namespace berth;
using namespace berth::sandbox_test;
using ipc::Step;

namespace {

void name(char (&field)[128], const char* text) {
    std::memset(field, 0, sizeof field);
    std::strcpy(field, text);
}

}  // namespace

TEST_CASE("a sandbox runs a program and reports how it ended", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    const Ended ended = launcher.run(probe({"exit", "7"}));
    CHECK_FALSE(ended.failed);
    REQUIRE(ended.report);
    CHECK(WIFEXITED(ended.report->wait_status));
    CHECK(WEXITSTATUS(ended.report->wait_status) == 7);
    CHECK(ended.report->max_rss_bytes > 0);
}

TEST_CASE("a script that is killed is reported with its signal", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    const Ended ended = launcher.run(probe({"kill-self"}));
    REQUIRE(ended.report);
    CHECK(WIFSIGNALED(ended.report->wait_status));
    CHECK(WTERMSIG(ended.report->wait_status) == SIGKILL);
}

TEST_CASE("the launcher says which protections it has found", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    constexpr std::uint32_t kAlways = ipc::protection_namespaces | ipc::protection_user_namespace |
                                      ipc::protection_seccomp | ipc::protection_rlimits |
                                      ipc::protection_no_new_privs | ipc::protection_read_only_root;
    CHECK((launcher.hello.protections & kAlways) == kAlways);
    CHECK(((launcher.hello.protections & ipc::protection_landlock) != 0) ==
          (launcher.hello.landlock_abi > 0));
    CHECK(launcher.hello.slots == 8);
    CHECK(launcher.hello.first_uid == launcher.first_uid());
}

TEST_CASE("without a cgroup folder the launcher says that limits are rlimits", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    CHECK((launcher.hello.protections & ipc::protection_cgroup_v2) == 0);
    CHECK((launcher.hello.protections & ipc::protection_rlimits) != 0);
    const Sandbox sandbox = launcher.build();
    CHECK(sandbox.reply.protections == launcher.hello.protections);
    CHECK_FALSE(sandbox.cgroup);
}

TEST_CASE("a hostile build request is refused, and the next one is served", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    struct Hostile {
        const char* what;
        std::function<void(ipc::BuildRequest&)> change;
        Step step;
        int err;
    };
    const Hostile all[] = {
        {"a path as release", [](auto& r) { name(r.assignment.release, "a/b"); }, Step::request,
         EINVAL},
        {"an absolute release", [](auto& r) { name(r.assignment.release, "/etc"); }, Step::request,
         EINVAL},
        {"the parent folder", [](auto& r) { name(r.assignment.release, ".."); }, Step::request,
         EINVAL},
        {"the folder itself", [](auto& r) { name(r.assignment.release, "."); }, Step::request,
         EINVAL},
        {"no release", [](auto& r) { r.assignment.release[0] = '\0'; }, Step::request, EINVAL},
        {"a release that does not end",
         [](auto& r) { std::memset(r.assignment.release, 'a', sizeof r.assignment.release); },
         Step::request, EINVAL},
        {"a runtime that does not end",
         [](auto& r) { std::memset(r.kind.runtime, 'a', sizeof r.kind.runtime); }, Step::request,
         EINVAL},
        {"more behind the end of a release",
         [](auto& r) { r.assignment.release[sizeof r.assignment.release - 1] = 'x'; },
         Step::request, EINVAL},
        {"more behind the end of a runtime",
         [](auto& r) { r.kind.runtime[sizeof r.kind.runtime - 1] = 'x'; }, Step::request, EINVAL},
        {"more behind the name of no set of calls",
         [](auto& r) { r.kind.syscalls[sizeof r.kind.syscalls - 1] = 'x'; }, Step::request, EINVAL},
        {"an unknown release", [](auto& r) { name(r.assignment.release, "absent"); }, Step::release,
         ENOENT},
        {"an unknown runtime", [](auto& r) { std::strcpy(r.kind.runtime, "windows"); },
         Step::runtime, ENOENT},
        {"another version", [](auto& r) { r.header.version = 9; }, Step::request, EPROTO},
        {"another record", [](auto& r) { r.header.record = ipc::Record::plan; }, Step::request,
         EPROTO},
        {"another mark", [](auto& r) { r.header.magic = 1; }, Step::request, EPROTO},
        {"the host's network without its grant",
         [](auto& r) { r.kind.network = ipc::Network::host; }, Step::request, EPERM},
        {"an unknown network", [](auto& r) { r.kind.network = static_cast<ipc::Network>(77); },
         Step::request, EINVAL},
        {"an unknown grant", [](auto& r) { r.kind.grants = 0x8000; }, Step::request, EPERM},
        {"no memory", [](auto& r) { r.assignment.limits.memory_bytes = 0; }, Step::request, ERANGE},
        {"all memory", [](auto& r) { r.assignment.limits.memory_bytes = ~0ULL; }, Step::request,
         ERANGE},
        {"endless scratch", [](auto& r) { r.assignment.limits.scratch_bytes = ~0ULL; },
         Step::request, ERANGE},
        {"no inodes", [](auto& r) { r.assignment.limits.scratch_inodes = 0; }, Step::request,
         ERANGE},
        {"no processes", [](auto& r) { r.assignment.limits.processes = 0; }, Step::request, ERANGE},
        {"endless processes", [](auto& r) { r.assignment.limits.processes = ~0ULL; }, Step::request,
         ERANGE},
        {"endless files", [](auto& r) { r.assignment.limits.open_files = ~0ULL; }, Step::request,
         ERANGE},
        {"endless cpu", [](auto& r) { r.assignment.limits.cpu_percent = ~0ULL; }, Step::request,
         ERANGE},
    };
    for (const Hostile& hostile : all) {
        INFO(hostile.what);
        ipc::BuildRequest request = launcher.request();
        hostile.change(request);
        const Sandbox sandbox = launcher.build(request);
        CHECK(sandbox.reply.step == hostile.step);
        CHECK(sandbox.reply.err == hostile.err);
        CHECK(sandbox.reply.has_cgroup == 0);
    }
    CHECK(launcher.said({"call", "socket-inet"}) == "ok\n");
}

TEST_CASE("a record of another size ends the conversation", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    const std::string bytes(static_cast<std::size_t>(GENERATE(1, 100, 5000)), 'x');
    REQUIRE(::send(launcher.socket(), bytes.data(), bytes.size(), 0) > 0);
    CHECK(launcher.await_exit() == 0);
}

TEST_CASE("when every uid pair is in use the next sandbox is refused, not shared", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.slots = 2}};
    Sandbox first = launcher.build();
    Sandbox second = launcher.build();
    REQUIRE(first.reply.step == Step::none);
    REQUIRE(second.reply.step == Step::none);
    CHECK(first.reply.uid != second.reply.uid);
    const Sandbox third = launcher.build();
    CHECK(third.reply.step == Step::slot);
    CHECK(third.reply.err == EAGAIN);

    first.status.reset();
    first.await_death();
    const Sandbox fourth = launcher.build();
    CHECK(fourth.reply.step == Step::none);
    CHECK(fourth.reply.uid == first.reply.uid);
}

TEST_CASE("a program that is not there fails the plan at exec", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    Run run;
    run.argv = {"/app/absent"};
    Sandbox sandbox = launcher.build();
    const auto failed = sandbox.start(run);
    REQUIRE(failed);
    CHECK(failed->step == Step::exec);
    CHECK(failed->err == ENOENT);
    // It is not given to another run: its processes end, and the next one is another.
    sandbox.finish();
    for (const uid_t uid : {sandbox.reply.uid - 1, sandbox.reply.uid})
        CHECK(processes_of(uid).empty());
    CHECK(launcher.build().reply.serial != sandbox.reply.serial);
}

TEST_CASE("a working folder that is not there fails the plan", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    Run run = probe({"exit", "0"});
    run.folder = "/app/absent";
    const Ended ended = launcher.run(run);
    REQUIRE(ended.failed);
    CHECK(ended.failed->step == Step::working_folder);
    CHECK(ended.failed->err == ENOENT);
}

TEST_CASE("files of the plan lie in the work folder, in new folders", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    Run run = probe({"read", "/work/run/triggers/1.json"});
    run.files = {{"metadata.json", "{}"}, {"run/triggers/1.json", "payload"}};
    const Ended ended = launcher.run(run);
    CHECK_FALSE(ended.failed);
    CHECK(ended.out == "payload");
}

TEST_CASE("a plan that makes no sense is refused as such", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    ipc::PlanHeader header;
    header.argc = 1;
    header.strings_bytes = 5;
    header.bytes = sizeof header + 5;
    std::string memory{reinterpret_cast<const char*>(&header), sizeof header};
    memory += std::string{"/a\0/\0", 5};
    SECTION("its size is not that of the memory") { header.bytes += 1; }
    SECTION("its header is not that of the memory") { header.envc = 1; }
    SECTION("it has no program") { header.argc = 0; }
    SECTION("it claims more strings than bytes") { header.argc = 0xffffffff; }
    SECTION("it is no plan") { header.header.record = ipc::Record::build; }
    Sandbox sandbox = launcher.build();
    const auto failed = sandbox.start_with(header, memory);
    REQUIRE(failed);
    CHECK(failed->step == Step::plan);
    CHECK(failed->err == EINVAL);
}

TEST_CASE("a plan whose memory could change while it is read is refused", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    Sandbox sandbox = launcher.build();
    const auto failed = sandbox.start_with({}, "x", false);
    REQUIRE(failed);
    CHECK(failed->step == Step::plan);
    CHECK(failed->err == EPERM);
}

TEST_CASE("a runner with another uid is turned away", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.listening = true, .runner_uid = 4242}};
    const Fd socket = connect_to(launcher.socket_path());
    CHECK(hung_up(socket.get()));
}

TEST_CASE("a listening launcher serves one runner after the other", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.listening = true}};
    {
        const Fd first = connect_to(launcher.socket_path());
        CHECK(await_hello(first.get()).slots == 8);
    }
    const Fd second = connect_to(launcher.socket_path());
    CHECK(await_hello(second.get()).slots == 8);
}
