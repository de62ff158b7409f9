// The runner while the launcher or berthd is away, or speaks nonsense.
#include <csignal>

#include "model/limits.h"
#include "tests/runner/played_script.h"

using namespace berth;
using ipc::EndKind;
using ipc::StreamKind;

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
