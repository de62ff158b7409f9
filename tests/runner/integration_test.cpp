// Scripts that behave and scripts that do not, in real sandboxes, as berthd sees
// them through the real berth-runner and berth-launcher.
#include <catch2/catch.hpp>
#include <fstream>
#include <string>

#include "base/text.h"
#include "model/limits.h"
#include "tests/runner/real_programs.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using ipc::EndKind;
using ipc::StreamKind;

namespace {

// In KiB, from /proc/PID/status.
long status_value(pid_t pid, const std::string& name) {
    std::ifstream status{"/proc/" + std::to_string(pid) + "/status"};
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(name + ":")) return std::atol(line.c_str() + name.size() + 1);
    return -1;
}

void check_exited(const ipc::Ended& ended, int code) {
    CHECK(ended.kind == EndKind::exited);
    CHECK(ended.number == code);
    CHECK(ended.text.empty());
}

}  // namespace

TEST_CASE("a script's streams arrive whole, in order and with their times", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth;
    const auto& ended = berth.run(
        berth.script(1,
                     "i=0; while [ $i -lt 300 ]; do echo out$i; echo err$i >&2; i=$((i+1)); done;"
                     "printf '{\"cursor\": 7}\\r\\n\\n'"));
    check_exited(ended, 0);
    CHECK(ended.std_out == "{\"cursor\": 7}");
    std::string out, err;
    for (int i = 0; i < 300; ++i) {
        out += "out" + std::to_string(i) + "\n";
        err += "err" + std::to_string(i) + "\n";
    }
    CHECK(berth.out(1) == out + "{\"cursor\": 7}\r\n\n");
    CHECK(berth.err(1) == err);
    CHECK(berth.heard.started.at(0).run_id == 1);
    CHECK(berth.heard.started[0].protections != 0);
    std::int64_t before = berth.heard.started[0].time_us;
    std::uint64_t seq = 0;
    for (const auto& output : berth.heard.outputs) {
        CHECK(output.seq == ++seq);
        CHECK(output.time_us >= before);
        before = output.time_us;
    }
    CHECK(ended.time_us >= before);
    CHECK(ended.max_rss_bytes > 0);
    CHECK(ended.log_bytes == berth.out(1).size() + berth.err(1).size());
}

TEST_CASE("exit codes, signals and missing programs are told apart", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth;
    check_exited(berth.run(berth.script(1, "exit 3")), 3);
    const auto& killed = berth.run(berth.script(2, "kill -SEGV $$"));
    CHECK(killed.kind == EndKind::signalled);
    CHECK(killed.number == SIGSEGV);
    auto missing = berth.script(3, "");
    missing.argv = {"/app/no-such-program"};
    const auto& failed = berth.run(missing);
    CHECK(failed.kind == EndKind::setup_failed);
    CHECK(failed.number == ENOENT);
    CHECK(failed.text == "executing the program");
    auto nowhere = berth.script(4, "");
    nowhere.working_folder = "not/there";
    const auto& folder = berth.run(nowhere);
    CHECK(folder.kind == EndKind::setup_failed);
    CHECK(folder.number == ENOENT);
    CHECK(folder.text == "changing to the working folder");
    auto unknown = berth.script(5, "");
    unknown.release = "no-such-release";
    CHECK(berth.run(unknown).kind == EndKind::setup_failed);
    CHECK(berth.heard.ended.at(5).text == "mounting the release at /app");
}

TEST_CASE("files of the plan, stdin at its end, and streams that are opened anew", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth;
    auto start = berth.script(
        1, "cat; cat /work/triggers/1.json; echo again >/dev/stdout; echo warn >/dev/stderr; pwd");
    start.files = {{"triggers/1.json", "{\"a\":1}\n"}};
    check_exited(berth.run(start), 0);
    CHECK(berth.out(1) == "{\"a\":1}\nagain\n/app\n");
    CHECK(berth.err(1) == "warn\n");
}

TEST_CASE("binary output passes byte for byte", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth;
    check_exited(berth.run(berth.script(1, "printf '\\000\\377\\033[31m\\001\\n'")), 0);
    CHECK(berth.out(1) == std::string{"\0\xff\x1b[31m\x01\n", 9});
}

TEST_CASE("a script's secrets are in its environment and masked in its output", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth;
    const std::string value = "s3cr3t-t0ken-0123456789a";
    auto start = berth.script(
        1,
        "[ ${#PAN_SEC_KEY} = 24 ] || exit 9; echo \"plain $PAN_SEC_KEY\";"
        "printf %s \"$PAN_SEC_KEY\" | base64; printf s3cr3t-t; printf '0ken-0123456789a\\n';"
        "echo \"$PAN_SEC_KEY\" >&2; echo \"state $PAN_SEC_KEY\"");
    start.secrets = {berth.sealed_secret("PAN_SEC_KEY", value)};
    start.manifests = {berth.list_of(start.secrets)};
    check_exited(berth.run(start), 0);
    CHECK(berth.out(1) == "plain ***\n***\n***\nstate ***\n");
    CHECK(berth.err(1) == "***\n");
    CHECK(berth.heard.ended.at(1).std_out == "state ***");
}

TEST_CASE("a line of 100 MB leaves the runner's memory as it was", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth;
    const long before = status_value(berth.runner->pid(), "VmHWM");
    REQUIRE(before > 0);
    const auto& ended = berth.run(berth.script(1, "head -c 100000000 /dev/zero | tr '\\0' x"));
    CHECK(ended.kind == EndKind::state_too_large);
    CHECK(ended.number == 100'000'000);
    CHECK(ended.log_bytes == 100'000'000);
    CHECK(berth.out(1).size() == limits::kLogBytes);
    CHECK(berth.heard.printed(1, StreamKind::note) ==
          "output limit of 16 MiB reached; the rest is not kept");
    const long grown = status_value(berth.runner->pid(), "VmHWM") - before;
    WARN("the runner's memory grew by " << grown << " KiB at most");
    CHECK(grown < 32 * 1024);
}

TEST_CASE("a script that ignores SIGTERM is killed after the grace", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth;
    auto start = berth.script(1, "trap '' TERM; echo up; while :; do sleep 1; done");
    start.wall_time_s = 5;
    const auto& ended = berth.run(start);
    CHECK(ended.kind == EndKind::timed_out);
    CHECK(ended.number == 5);
    CHECK(ended.time_us - berth.heard.started.at(0).time_us >= 15'000'000);
    CHECK(berth.out(1) == "up\n");
    berth.wait_for_no_sandbox_processes();
}

TEST_CASE("a script at its limit may tidy up when it gets SIGTERM", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth;
    auto start = berth.script(
        1, "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 1000 & wait; done");
    start.wall_time_s = 5;
    const auto& ended = berth.run(start);
    CHECK(ended.kind == EndKind::timed_out);
    CHECK(berth.out(1) == "up\nbye\n");
    CHECK(ended.std_out == "bye");
}

TEST_CASE("closed outputs are not the end, and a grandchild does not delay it", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth;
    check_exited(berth.run(berth.script(1, "exec >&- 2>&-; sleep 0.1; exit 4")), 4);
    check_exited(berth.run(berth.script(2, "setsid sleep 1000 & echo started; exit 0")), 0);
    CHECK(berth.out(2) == "started\n");
    berth.wait_for_no_sandbox_processes();
}

TEST_CASE("a script that forks without end meets its limit alone", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth;
    const auto& ended = berth.run(berth.script(1, "while :; do sleep 1000 & done"));
    CHECK(ended.kind == EndKind::exited);
    CHECK(ended.number != 0);
    CHECK(berth.err(1).find("fork") != std::string::npos);
    check_exited(berth.run(berth.script(2, "echo fine")), 0);
    berth.wait_for_no_sandbox_processes();
}

TEST_CASE("a script that fills its scratch space is told so", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth;
    // Two files, so that the limit of one file is not what it meets.
    const auto& ended = berth.run(berth.script(
        1, "head -c 200000000 /dev/zero >/tmp/a && head -c 200000000 /dev/zero >/work/b"));
    check_exited(ended, 1);
    CHECK(berth.err(1).find("No space left on device") != std::string::npos);
}

TEST_CASE("a running script is cancelled", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth;
    berth.berthd->send(berth.script(1, "echo up; exec sleep 1000"));
    berth.wait_for_output(1, "up");
    berth.berthd->send(ipc::Cancel{1, 1});
    CHECK(berth.ended(1).kind == EndKind::cancelled);
    berth.wait_for_no_sandbox_processes();
}

TEST_CASE("with the runner, every process of its sandboxes dies", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth;
    for (std::int64_t run = 1; run <= 3; ++run) {
        berth.berthd->send(berth.script(
            run, "trap '' TERM HUP; setsid sleep 1000 & sleep 1000 & echo up; sleep 1000"));
        berth.wait_for_output(run, "up");
    }
    REQUIRE(berth.sandbox_processes().size() >= 9);
    SECTION("when it is killed") {
        berth.runner->signal(SIGKILL);
        run_until(berth.loop, [&] { return berth.runner_status.has_value(); });
    }
    SECTION("when it is told to end") {
        berth.runner->signal(SIGTERM);
        run_until(berth.loop, [&] { return berth.runner_status.has_value(); });
        CHECK(*berth.runner_status == 0);
    }
    SECTION("when berthd is gone") {
        berth.berthd.reset();
        run_until(berth.loop, [&] { return berth.runner_status.has_value(); });
        CHECK(*berth.runner_status == 0);
    }
    berth.wait_for_no_sandbox_processes();
}

TEST_CASE("without the launcher a running script goes on to its own end", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth;
    berth.berthd->send(
        berth.script(1, "echo up; while [ ! -e /app/go ]; do sleep 0.01; done; exit 5"));
    berth.wait_for_output(1, "up");
    berth.launcher->signal(SIGKILL);
    run_until(berth.loop, [&] { return berth.heard.hellos.size() == 2; });
    CHECK_FALSE(berth.heard.hellos[1].launcher_present);
    CHECK(berth.run(berth.script(2, "exit 0")).kind == EndKind::setup_failed);
    CHECK(berth.heard.ended.count(1) == 0);
    write_file_atomically(berth.release() / "go", "", 0644);
    check_exited(berth.ended(1), 5);
    berth.wait_for_no_sandbox_processes();
}

TEST_CASE("the runner's memory is closed to its own user", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth;
    const std::string proc = "/proc/" + std::to_string(berth.runner->pid());
    CHECK(berth.heard.hellos[0].secret_memory_locked);
    struct stat facts {};
    REQUIRE(::stat((proc + "/mem").c_str(), &facts) == 0);
    CHECK(facts.st_uid == 0);  // undumpable: not even the runner's own user may open it
    CHECK(status_value(berth.runner->pid(), "CoreDumping") == 0);
    std::ifstream limits{proc + "/limits"};
    std::string line;
    while (std::getline(limits, line) && !line.starts_with("Max core file size")) {
    }
    CHECK(split(line, ' ').at(0) == "Max");
    CHECK(line.find(" 0 ") != std::string::npos);
}
