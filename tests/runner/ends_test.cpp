// How runs end, event by event, and what each end is told as.
#include <fcntl.h>

#include <csignal>

#include "model/limits.h"
#include "tests/runner/played_script.h"

using namespace berth;
using ipc::EndKind;
using ipc::StreamKind;

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
