// The Runner and its runs, event by event.
#include "sandbox/runner/runner.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "model/limits.h"
#include "tests/runner/hand_played.h"

using namespace berth;
using ipc::EndKind;
using ipc::StreamKind;

namespace {

constexpr int exited(int code) { return code << 8; }

void print(const PlayedSandbox& sandbox, StreamKind stream, std::string_view text) {
    write_all(sandbox.plan_packet.descriptors.at(stream == StreamKind::out ? 1 : 2).get(), text);
}

}  // namespace

TEST_CASE("the hello waits for the launcher's and tells what it found", "[runner]") {
    Stage stage;
    CHECK(stage.heard.hellos.empty());
    stage.launcher_says_hello();
    REQUIRE(stage.heard.hellos.size() == 1);
    const auto& hello = stage.heard.hellos[0];
    CHECK(hello.root_key_id.size() == 8);
    CHECK(hello.why.empty());
    CHECK(hello.slots == 8);
    CHECK(hello.first_uid == 70'000);
    CHECK(hello.protections == ipc::protection_seccomp);
}

TEST_CASE("without a root key the runner stays up and says why to every request", "[runner]") {
    Stage stage{Stage::RootKey::missing};
    stage.launcher_says_hello();
    const std::string why = stage.heard.hellos.back().why;
    CHECK(why.find("root.key") != std::string::npos);
    CHECK(stage.heard.hellos.back().root_key_id.empty());

    stage.berthd->send(ipc::LoadKeys{});
    stage.berthd->send(ipc::Seal{});
    stage.berthd->send(ipc::NewDataKey{});
    stage.berthd->send(stage.start(1));
    const auto& ended = stage.ended(1);
    CHECK(ended.kind == EndKind::setup_failed);
    CHECK(ended.text == why);
    CHECK_FALSE(stage.heard.loaded.at(0).ok);
    CHECK(stage.heard.loaded[0].why == why);
    CHECK(stage.heard.sealed.at(0).why == why);
    CHECK(stage.heard.data_keys.at(0).why == why);
}

TEST_CASE("a run goes from its plan to its report, output before its end", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    stage.load_keys();
    auto start = stage.start(1);
    start.secrets = {stage.sealed_secret("PAN_SEC_A", "top-secret-value")};
    auto sandbox = stage.run(start);
    CHECK(stage.heard.started.at(0).protections == ipc::protection_seccomp);

    CHECK(sandbox.plan_bytes.find(std::string{"PAN_SEC_A=top-secret-value\0", 27}) !=
          std::string::npos);
    char byte = 0;
    CHECK(::read(sandbox.plan_packet.descriptors[0].get(), &byte, 1) == 0);  // stdin is at its end

    print(sandbox, StreamKind::out, "first\nstate top-secret-value\n");
    print(sandbox, StreamKind::err, "log top-secret-");
    stage.end(sandbox, exited(0));
    const auto& ended = stage.ended(1);
    CHECK(ended.kind == EndKind::exited);
    CHECK(ended.number == 0);
    CHECK(ended.std_out == "state ***");
    CHECK(ended.user_us == 11);
    CHECK(ended.system_us == 22);
    CHECK(ended.max_rss_bytes == 33);
    CHECK(ended.log_bytes == 44);
    CHECK(stage.heard.printed(1, StreamKind::out) == "first\nstate ***\n");
    CHECK(stage.heard.printed(1, StreamKind::err) == "log top-secret-");
    for (std::size_t i = 0; i < stage.heard.outputs.size(); ++i)
        CHECK(stage.heard.outputs[i].seq == i + 1);
}

TEST_CASE("a script may open its streams anew, though the pipes are ours", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto sandbox = stage.run(stage.start(1));
    for (std::size_t i = 0; i < 3; ++i) {
        struct stat facts {};
        REQUIRE(::fstat(sandbox.plan_packet.descriptors[i].get(), &facts) == 0);
        CHECK((facts.st_mode & 0777) == 0666);
    }
}

TEST_CASE("a start that cannot work ends at once and says which field", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto start = stage.start(1);
    start.argv = {};
    stage.berthd->send(start);
    CHECK(stage.ended(1).kind == EndKind::setup_failed);
    CHECK(stage.ended(1).text == "'argv' is empty: there is nothing to execute");
    start = stage.start(2);
    start.release = "../../etc";
    stage.berthd->send(start);
    CHECK(stage.ended(2).text == "'release' is not a short name of one path component");
}

TEST_CASE("an envelope that belongs elsewhere is not opened", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    stage.load_keys();
    auto start = stage.start(1);
    start.secrets = {stage.sealed_secret("PAN_SEC_A", "top-secret-value")};
    start.secrets[0].where.connector_id = 4;
    stage.berthd->send(start);
    CHECK(stage.ended(1).kind == EndKind::setup_failed);
    CHECK(stage.ended(1).text.starts_with("cannot open the secret 'key': "));
    CHECK(stage.ended(1).text.find("top-secret") == std::string::npos);
}

TEST_CASE("the step that failed ends the run, in the launcher and in the sandbox", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    stage.berthd->send(stage.start(1));
    stage.reply_failed(stage.next_request(), ipc::Step::slot, EAGAIN);
    CHECK(stage.ended(1).kind == EndKind::setup_failed);
    CHECK(stage.ended(1).number == EAGAIN);
    CHECK(stage.ended(1).text == "taking a uid pair (all are in use)");

    stage.berthd->send(stage.start(2));
    auto sandbox = stage.reply_built(stage.next_request());
    stage.take_plan(sandbox);
    ipc::PlanFailed failed;
    failed.step = ipc::Step::exec;
    failed.err = ENOENT;
    REQUIRE(runner::send_record(sandbox.plan.get(), failed) == 0);
    CHECK(stage.receive(sandbox.status.get()).state == Packet::State::closed);
    sandbox.plan_packet.descriptors.clear();
    sandbox.die();
    CHECK(stage.ended(2).kind == EndKind::setup_failed);
    CHECK(stage.ended(2).number == ENOENT);
    CHECK(stage.ended(2).text == "executing the program");
    CHECK(stage.heard.started.empty());
}

TEST_CASE("a sandbox that dies before the plan is a failed setup, later it is lost", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    stage.berthd->send(stage.start(1));
    stage.reply_built(stage.next_request()).die();
    CHECK(stage.ended(1).kind == EndKind::setup_failed);
    CHECK(stage.heard.started.empty());

    auto sandbox = stage.run(stage.start(2));
    print(sandbox, StreamKind::err, "so far");
    sandbox.plan_packet.descriptors.clear();
    sandbox.die();
    CHECK(stage.ended(2).kind == EndKind::lost);
    CHECK(stage.ended(2).text == "the sandbox was killed from outside before its script ended");
    CHECK(stage.heard.printed(2, StreamKind::err) == "so far");
}

TEST_CASE("a sandbox that the kernel killed for memory is told apart", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    write_file_atomically(stage.folder.path() / "memory.events", "oom 1\noom_kill 1\n", 0600);
    const Fd cgroup{::open(stage.folder.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    for (const bool reported : {false, true}) {
        const std::int64_t run = reported ? 2 : 1;
        stage.berthd->send(stage.start(run));
        auto sandbox = stage.reply_built(stage.next_request(), cgroup.get());
        stage.take_plan(sandbox);
        sandbox.plan.reset();
        if (reported) stage.end(sandbox, SIGKILL);
        sandbox.plan_packet.descriptors.clear();
        sandbox.die();
        CHECK(stage.ended(run).kind == EndKind::out_of_memory);
        CHECK(stage.ended(run).number == static_cast<std::int64_t>(limits::kMemoryBytes));
    }
}

TEST_CASE("a run is cancelled in each of its states, once", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    stage.berthd->send(ipc::Cancel{77, 1});  // nobody's: ignored

    stage.berthd->send(stage.start(1));  // building
    const auto request = stage.next_request();
    stage.berthd->send(ipc::Cancel{1, 2});  // another attempt: ignored
    stage.berthd->send(ipc::Cancel{1, 1});
    CHECK(stage.ended(1).kind == EndKind::cancelled);
    auto too_late = stage.reply_built(request);
    CHECK(stage.receive(too_late.status.get()).state == Packet::State::closed);

    stage.berthd->send(stage.start(2));  // executing
    auto executing = stage.reply_built(stage.next_request());
    stage.take_plan(executing);
    stage.berthd->send(ipc::Cancel{2, 1});
    CHECK(stage.receive(executing.status.get()).state == Packet::State::closed);
    CHECK(stage.heard.ended.count(2) == 0);  // not before it is dead
    executing.plan_packet.descriptors.clear();
    executing.die();
    CHECK(stage.ended(2).kind == EndKind::cancelled);

    auto running = stage.run(stage.start(3));
    stage.berthd->send(ipc::Cancel{3, 1});
    const auto signal =
        stage.receive(running.status.get()).as<ipc::SignalRequest>(ipc::Record::signal);
    REQUIRE(signal);
    CHECK(signal->signo == SIGTERM);
    stage.berthd->send(ipc::Cancel{3, 1});
    print(running, StreamKind::err, "tidied up");
    stage.end(running, exited(0));
    CHECK(stage.ended(3).kind == EndKind::cancelled);
    CHECK(stage.heard.printed(3, StreamKind::err) == "tidied up");
}

TEST_CASE("a script at its wall time gets SIGTERM and is timed out though it exits 0", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto start = stage.start(1);
    start.wall_time_s = 1;
    auto sandbox = stage.run(start);
    const auto signal =
        stage.receive(sandbox.status.get()).as<ipc::SignalRequest>(ipc::Record::signal);
    REQUIRE(signal);
    CHECK(signal->signo == SIGTERM);
    stage.end(sandbox, exited(0));
    CHECK(stage.ended(1).kind == EndKind::timed_out);
    CHECK(stage.ended(1).number == 1);
}

TEST_CASE("a state that is too large fails only a run that would have succeeded", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    const std::string state(limits::kStateBytes + 1, 'x');
    for (const int code : {0, 3}) {
        auto sandbox = stage.run(stage.start(code + 1));
        set_blocking(sandbox.plan_packet.descriptors[1].get(), Blocking::no);
        for (std::string_view rest = state; !rest.empty();) {
            const auto n =
                ::write(sandbox.plan_packet.descriptors[1].get(), rest.data(), rest.size());
            if (n > 0) rest.remove_prefix(static_cast<std::size_t>(n));
            uv_run(stage.loop.raw(), UV_RUN_NOWAIT);
        }
        stage.end(sandbox, exited(code));
        const auto& ended = stage.ended(code + 1);
        CHECK(ended.std_out.empty());
        CHECK(ended.kind == (code == 0 ? EndKind::state_too_large : EndKind::exited));
        CHECK(ended.number == (code == 0 ? static_cast<std::int64_t>(state.size()) : code));
    }
}

TEST_CASE("a writer that was left behind cannot hold the end up for ever", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto sandbox = stage.run(stage.start(1));
    const Fd left_behind = std::move(sandbox.plan_packet.descriptors[1]);
    stage.end(sandbox, exited(0));
    write_all(left_behind.get(), "from afar\n");
    CHECK(stage.ended(1).kind == EndKind::exited);
    CHECK(stage.ended(1).std_out == "from afar");
}

TEST_CASE("the launcher gone: live runs end normally, new ones say what is missing", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto sandbox = stage.run(stage.start(1));
    stage.berthd->send(stage.start(2));
    stage.next_request();
    stage.launcher.reset();
    const std::string missing = "the launcher is not there; see whether berth-launcher is running";
    CHECK(stage.ended(2).kind == EndKind::setup_failed);
    CHECK(stage.ended(2).text == missing);
    run_until(stage.loop, [&] { return stage.heard.hellos.size() == 2; });
    CHECK_FALSE(stage.heard.hellos.back().launcher_present);
    stage.berthd->send(stage.start(3));
    CHECK(stage.ended(3).text == missing);

    stage.end(sandbox, exited(4));
    CHECK(stage.ended(1).kind == EndKind::exited);
    CHECK(stage.ended(1).number == 4);

    auto again = make_seqpacket_pair();
    stage.launcher = std::move(again.a);
    stage.runner->attach_launcher(std::move(again.b));
    stage.launcher_says_hello();
    auto back = stage.run(stage.start(4));
    stage.end(back, exited(0));
    CHECK(stage.ended(4).kind == EndKind::exited);
}

TEST_CASE("a launcher that breaks the protocol is cut off", "[runner]") {
    Stage stage;
    SECTION("no hello first") {
        REQUIRE(runner::send_record(stage.launcher.get(), ipc::EndReport{}) == 0);
    }
    SECTION("a hello of another release") {
        ipc::Hello hello;
        hello.header.version = ipc::kVersion + 1;
        REQUIRE(runner::send_record(stage.launcher.get(), hello) == 0);
    }
    SECTION("a sandbox without its descriptors") {
        stage.launcher_says_hello();
        stage.berthd->send(stage.start(1));
        ipc::Ready reply;
        reply.id = stage.next_request().id;
        REQUIRE(runner::send_record(stage.launcher.get(), reply) == 0);
        CHECK(stage.ended(1).kind == EndKind::setup_failed);
    }
    SECTION("a count of descriptors that is not so") {
        stage.launcher_says_hello();
        stage.berthd->send(stage.start(1));
        ipc::Ready reply;
        reply.id = stage.next_request().id;
        reply.has_cgroup = 1;
        REQUIRE(runner::send_record(stage.launcher.get(), reply) == 0);
        CHECK(stage.ended(1).kind == EndKind::setup_failed);
    }
    CHECK(stage.receive(stage.launcher.get()).state == Packet::State::closed);
    run_until(stage.loop, [&] { return !stage.heard.hellos.empty(); });
    CHECK_FALSE(stage.heard.hellos.back().launcher_present);
}

TEST_CASE("berthd gone or unreadable: live runs go on to their ends", "[runner]") {
    Stage stage;
    stage.acknowledges = false;
    stage.launcher_says_hello();
    auto sandbox = stage.run(stage.start(1));
    print(sandbox, StreamKind::out, "before\n");
    run_until(stage.loop, [&] { return stage.heard.outputs.size() == 1; });
    stage.berthd->send(stage.start(2));
    auto executing = stage.reply_built(stage.next_request());
    stage.take_plan(executing);
    SECTION("gone") { stage.berthd.reset(); }
    SECTION("a message that is cut short") { stage.berthd->send(ipc::MessageType::start, "junk"); }
    SECTION("a message of an unknown type") {
        stage.berthd->send(static_cast<ipc::MessageType>(999), "");
    }
    SECTION("a message that is the runner's to say") { stage.berthd->send(ipc::Ended{}); }
    run_until(stage.loop, [&] { return stage.daemon_gone; });
    executing.plan.reset();  // it starts, prints and ends while nobody listens
    print(executing, StreamKind::err, "meanwhile\n");
    stage.end(executing, exited(3));
    print(sandbox, StreamKind::out, "after\n");

    stage.berthd_comes_back();
    const auto& live = stage.heard.live_runs.at(0).runs;
    REQUIRE(live.size() == 2);
    CHECK(stage.heard.started.empty());  // not before it has adopted them
    stage.berthd->send(ipc::Adopt{live});
    CHECK(stage.ended(2).number == 3);
    CHECK(stage.heard.started.size() == 2);
    CHECK(stage.heard.printed(2, StreamKind::err) == "meanwhile\n");
    run_until(stage.loop,
              [&] { return stage.heard.printed(1, StreamKind::out) == "before\nafter\n"; });
    stage.end(sandbox, exited(0));
    CHECK(stage.ended(1).std_out == "after");
    for (const std::int64_t run : {1, 2})
        for (std::uint64_t seq = 0; const auto& output : stage.heard.outputs)
            if (output.run_id == run) CHECK(output.seq == ++seq);
}

TEST_CASE("a run that a berthd does not adopt is killed and forgotten", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto wanted = stage.run(stage.start(1));
    auto given_up = stage.run(stage.start(2));
    stage.berthd_comes_back();
    stage.berthd->send(ipc::Adopt{{{1, 1}, {2, 2}}});  // run 2 is at its next attempt by now
    CHECK(stage.receive(given_up.status.get()).state == Packet::State::closed);
    print(wanted, StreamKind::out, "alive\n");
    stage.end(wanted, exited(0));
    CHECK(stage.ended(1).kind == EndKind::exited);
    CHECK(stage.heard.ended.size() == 1);

    stage.berthd->send(ipc::Settled{{1, 1}});
    stage.berthd_comes_back();
    CHECK(stage.heard.live_runs.at(0).runs.empty());
}

TEST_CASE("a limit holds while berthd is away", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto start = stage.start(1);
    start.wall_time_s = 1;
    auto sandbox = stage.run(start);
    stage.berthd.reset();
    const auto signal =
        stage.receive(sandbox.status.get()).as<ipc::SignalRequest>(ipc::Record::signal);
    REQUIRE(signal);
    CHECK(signal->signo == SIGTERM);
    stage.end(sandbox, SIGTERM);
    stage.berthd_comes_back();
    stage.berthd->send(ipc::Adopt{stage.heard.live_runs.at(0).runs});
    CHECK(stage.ended(1).kind == EndKind::timed_out);
    CHECK(stage.ended(1).number == 1);
}

TEST_CASE("what berthd has on its disk is not said again", "[runner]") {
    Stage stage;
    stage.acknowledges = false;
    stage.launcher_says_hello();
    auto sandbox = stage.run(stage.start(1));
    for (const char* line : {"one\n", "two\n"}) {
        const auto before = stage.heard.outputs.size();
        print(sandbox, StreamKind::out, line);
        run_until(stage.loop, [&] { return stage.heard.outputs.size() > before; });
    }
    stage.berthd->send(ipc::Stored{{1, 1}, 1, 0});
    stage.berthd_comes_back();
    stage.berthd->send(ipc::Adopt{stage.heard.live_runs.at(0).runs});
    run_until(stage.loop, [&] { return !stage.heard.outputs.empty(); });
    CHECK(stage.heard.outputs.at(0).seq == 2);
    CHECK(stage.heard.outputs.at(0).bytes == "two\n");
}

TEST_CASE("without a berthd the script waits when the queue is full", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto sandbox = stage.run(stage.start(1));
    stage.berthd.reset();
    const int out = sandbox.plan_packet.descriptors[1].get();
    set_blocking(out, Blocking::no);
    const std::string block(64 * limits::KiB, 'x');
    std::size_t written = 0;
    const auto push = [&] {
        const auto n = ::write(out, block.data(), block.size());
        if (n > 0) written += static_cast<std::size_t>(n);
        return n > 0;
    };
    for (int idle = 0; idle < 100; push() ? idle = 0 : ++idle)
        uv_run(stage.loop.raw(), UV_RUN_NOWAIT);
    CHECK(written > limits::kOutputQueueBytes);
    CHECK(written < limits::kOutputQueueBytes + limits::MiB);

    stage.berthd_comes_back();
    stage.berthd->send(ipc::Adopt{stage.heard.live_runs.at(0).runs});
    stage.end(sandbox, exited(0));
    CHECK(stage.ended(1).kind == EndKind::state_too_large);
    CHECK(stage.heard.printed(1, StreamKind::out).size() == written);
}

TEST_CASE("while berthd takes nothing the script waits, and nothing is lost", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto sandbox = stage.run(stage.start(1));
    stage.berthd->pause();
    const int out = sandbox.plan_packet.descriptors[1].get();
    set_blocking(out, Blocking::no);
    const std::string block(64 * limits::KiB, 'x');
    // Until a hundred turns bring no more: the pipe is full and stays so.
    std::size_t written = 0;
    const auto push = [&] {
        const auto n = ::write(out, block.data(), block.size());
        if (n > 0) written += static_cast<std::size_t>(n);
        return n > 0;
    };
    for (int idle = 0; idle < 100; push() ? idle = 0 : ++idle)
        uv_run(stage.loop.raw(), UV_RUN_NOWAIT);
    CHECK(written > limits::kOutputQueueBytes);
    CHECK(written < limits::kOutputQueueBytes + limits::MiB);

    stage.berthd->resume();
    while (written < 12 * limits::MiB) {
        push();
        uv_run(stage.loop.raw(), UV_RUN_NOWAIT);
    }
    stage.end(sandbox, exited(0));
    CHECK(stage.ended(1).kind == EndKind::state_too_large);
    CHECK(stage.heard.printed(1, StreamKind::out).size() == written);
}
