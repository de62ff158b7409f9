// Live runs and a berth-runner that is killed or told to end: the next one goes on where
// it stopped. The service manager is played as well.
#include <csignal>

#include "tests/runner/hand_played.h"

using namespace berth;
using ipc::EndKind;
using ipc::StreamKind;

namespace {

constexpr int exited(int code) { return code << 8; }

void print(const PlayedSandbox& sandbox, StreamKind stream, std::string_view text) {
    write_all(sandbox.plan_packet.descriptors.at(stream == StreamKind::out ? 1 : 2).get(), text);
}

void wait_for(Stage& stage, StreamKind stream, std::string_view text) {
    run_until(stage.loop,
              [&] { return stage.heard.printed(1, stream).find(text) != std::string::npos; });
}

// What one that was asked to end hears.
bool hears_sigterm(Stage& stage, const PlayedSandbox& sandbox) {
    const auto signal =
        stage.receive(sandbox.status.get()).as<ipc::SignalRequest>(ipc::Record::signal);
    return signal && signal->signo == SIGTERM;
}

}  // namespace

TEST_CASE("a run goes on under the next runner, its output in order and its secrets masked",
          "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    stage.load_keys();
    auto start = stage.start(1);
    start.secrets = {stage.sealed_secret("PAN_SEC_A", "top-secret-value")};
    start.manifests = {stage.list_of(start.secrets)};
    auto sandbox = stage.run(start);
    print(sandbox, StreamKind::out, "first\nstate ");
    wait_for(stage, StreamKind::out, "state ");
    print(sandbox, StreamKind::err, "log top-sec");
    wait_for(stage, StreamKind::err, "log ");

    stage.runner_comes_back();
    REQUIRE(stage.heard.live_runs[0].runs.size() == 1);
    print(sandbox, StreamKind::err, "ret-value end\n");
    SECTION("adopted, then the keys") {
        stage.berthd->send(ipc::Adopt{stage.heard.live_runs[0].runs});
        stage.load_keys();
    }
    SECTION("the keys, then adopted") {
        stage.load_keys();
        stage.berthd->send(ipc::Adopt{stage.heard.live_runs[0].runs});
    }
    wait_for(stage, StreamKind::err, "end\n");
    // So little is said again, though it was confirmed; berthd knows it by its number.
    CHECK(stage.heard.printed(1, StreamKind::err) == "log *** end\n");
    CHECK(stage.heard.started.size() == 1);  // said again
    print(sandbox, StreamKind::out, "top-secret-value\n");
    stage.end(sandbox, exited(0));
    CHECK(stage.ended(1).kind == EndKind::exited);
    CHECK(stage.heard.ended[1].std_out == "state ***");
    for (std::uint64_t next = 0; const auto& output : stage.heard.outputs)
        CHECK(output.seq == ++next);
}

TEST_CASE("until it has both berthd's word and the keys a run that was left is not read",
          "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    stage.load_keys();
    auto start = stage.start(1);
    start.secrets = {stage.sealed_secret("PAN_SEC_A", "top-secret-value")};
    start.manifests = {stage.list_of(start.secrets)};
    auto sandbox = stage.run(start);
    stage.runner_comes_back();
    print(sandbox, StreamKind::out, "top-secret-value\n");
    const bool keys = GENERATE(false, true);
    if (keys)
        stage.load_keys();
    else
        stage.berthd->send(ipc::Adopt{stage.heard.live_runs[0].runs});
    // Another run goes all its way meanwhile, so that the loop has turned often enough.
    if (!keys) {
        stage.berthd->send(stage.start(2));
        auto other = stage.reply_built(stage.next_request());
        stage.take_plan(other);
        other.plan.reset();
        stage.end(other, exited(0));
        CHECK(stage.ended(2).kind == EndKind::exited);
    }
    CHECK(stage.heard.printed(1, StreamKind::out).empty());
}

TEST_CASE("what berthd has not confirmed is said again by the next runner", "[runner]") {
    Stage stage;
    stage.acknowledges = false;
    stage.launcher_says_hello();
    auto sandbox = stage.run(stage.start(1));
    print(sandbox, StreamKind::out, "one\n");
    wait_for(stage, StreamKind::out, "one\n");
    print(sandbox, StreamKind::err, "two\n");
    wait_for(stage, StreamKind::err, "two\n");
    stage.runner_comes_back();
    CHECK(stage.heard.outputs.empty());  // not before it is adopted
    stage.berthd->send(ipc::Adopt{stage.heard.live_runs[0].runs});
    wait_for(stage, StreamKind::err, "two\n");
    CHECK(stage.heard.printed(1, StreamKind::out) == "one\n");
    stage.end(sandbox, exited(3));
    CHECK(stage.ended(1).number == 3);
}

TEST_CASE("what berthd has confirmed takes no memory and is not said again", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto sandbox = stage.run(stage.start(1));
    const std::string line(32 * limits::KiB, 'x');
    for (int i = 0; i < 30; ++i) {
        print(sandbox, StreamKind::out, line + "\n");
        const auto whole = (line.size() + 1) * static_cast<std::size_t>(i + 1);
        run_until(stage.loop,
                  [&] { return stage.heard.printed(1, StreamKind::out).size() == whole; });
    }
    stage.runner_comes_back();
    stage.berthd->send(ipc::Adopt{stage.heard.live_runs[0].runs});
    stage.end(sandbox, exited(0));
    CHECK(stage.ended(1).std_out == line);
    CHECK(stage.heard.printed(1, StreamKind::out).size() < 12 * line.size());
}

TEST_CASE("a run that ended while there was no runner is on record with the next one", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto sandbox = stage.run(stage.start(1));
    stage.runner_goes();
    print(sandbox, StreamKind::out, "last\n");
    stage.end(sandbox, exited(7));
    stage.runner_starts();
    stage.berthd->send(ipc::Adopt{stage.heard.live_runs[0].runs});
    CHECK(stage.ended(1).kind == EndKind::exited);
    CHECK(stage.heard.ended[1].number == 7);
    CHECK(stage.heard.ended[1].std_out == "last");
}

TEST_CASE("an end that berthd has not settled is said by each runner that comes", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto sandbox = stage.run(stage.start(1));
    print(sandbox, StreamKind::out, "done\n");
    stage.end(sandbox, exited(0));
    CHECK(stage.ended(1).std_out == "done");
    for (int i = 0; i < 2; ++i) {
        stage.runner_comes_back();
        stage.berthd->send(ipc::Adopt{stage.heard.live_runs[0].runs});
        CHECK(stage.ended(1).std_out == "done");
    }
    stage.berthd->send(ipc::Settled{{1, 1}});
    run_until(stage.loop, [&] { return stage.kept().empty(); });
    stage.runner_comes_back();
    CHECK(stage.heard.live_runs[0].runs.empty());
}

TEST_CASE("a limit holds under the next runner, counted from the start", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto start = stage.start(1);
    start.wall_time_s = 1;
    auto sandbox = stage.run(start);
    stage.runner_comes_back();
    CHECK(hears_sigterm(stage, sandbox));  // nobody has adopted it yet
    stage.end(sandbox, SIGTERM);
    stage.berthd->send(ipc::Adopt{stage.heard.live_runs[0].runs});
    CHECK(stage.ended(1).kind == EndKind::timed_out);
    CHECK(stage.heard.ended[1].number == 1);
}

TEST_CASE("a run that was being stopped ends for the reason that came first", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto sandbox = stage.run(stage.start(1));
    stage.berthd->send(ipc::Cancel{1, 1});
    CHECK(hears_sigterm(stage, sandbox));
    stage.runner_comes_back();
    stage.berthd->send(ipc::Adopt{stage.heard.live_runs[0].runs});
    stage.end(sandbox, SIGTERM);
    CHECK(stage.ended(1).kind == EndKind::cancelled);
}

TEST_CASE("a run that came through a restart can be cancelled", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto sandbox = stage.run(stage.start(1));
    stage.runner_comes_back();
    stage.berthd->send(ipc::Adopt{stage.heard.live_runs[0].runs});
    stage.berthd->send(ipc::Cancel{1, 1});
    CHECK(hears_sigterm(stage, sandbox));
    stage.end(sandbox, SIGTERM);
    CHECK(stage.ended(1).kind == EndKind::cancelled);
}

TEST_CASE("a run that was left and is not adopted is killed and forgotten", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto sandbox = stage.run(stage.start(1));
    stage.runner_comes_back();
    CHECK(stage.kept().count("run-1-1") == 1);
    stage.berthd->send(ipc::Adopt{{{1, 2}}});  // it is at its next attempt by now
    CHECK(stage.receive(sandbox.status.get()).state == Packet::State::closed);
    run_until(stage.loop, [&] { return stage.kept().empty(); });
}

TEST_CASE("a run that lacks a descriptor is not offered, and nothing of it is kept", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto sandbox = stage.run(stage.start(1));
    const auto lacks = GENERATE(range(0, 5));
    auto& fds = const_cast<std::vector<Fd>&>(stage.kept().at("run-1-1"));
    REQUIRE(fds.size() == 5);  // its state, status, pidfd and two pipes
    fds.erase(fds.begin() + lacks);
    stage.runner_comes_back();
    CHECK(stage.heard.live_runs[0].runs.empty());
    run_until(stage.loop, [&] { return stage.kept().empty(); });
    // The manager had the last copy.
    CHECK(stage.receive(sandbox.status.get()).state == Packet::State::closed);
}

TEST_CASE("a run whose secrets can no longer be opened is lost, with the reason", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    stage.load_keys();
    auto start = stage.start(1);
    start.secrets = {stage.sealed_secret("PAN_SEC_A", "top-secret-value")};
    start.manifests = {stage.list_of(start.secrets)};
    auto sandbox = stage.run(start);
    stage.runner_comes_back();
    stage.berthd->send(ipc::Adopt{stage.heard.live_runs[0].runs});
    ipc::LoadKeys others;  // a key of its own is made, which opens nothing
    others.install_id = std::string(16, 'i');
    stage.berthd->send(others);
    CHECK(stage.ended(1).kind == EndKind::lost);
    CHECK(stage.heard.ended[1].text.starts_with("after a restart of berth-runner: cannot open"));
    CHECK(stage.receive(sandbox.status.get()).state == Packet::State::closed);
}

TEST_CASE("a runner that is told to end waits for a run that is being set up", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    stage.berthd->send(stage.start(1));
    const auto request = stage.next_request();
    bool left = false;
    stage.runner->leave([&] { left = true; });
    auto sandbox = stage.reply_built(request);
    stage.take_plan(sandbox);
    CHECK_FALSE(left);
    sandbox.plan.reset();
    run_until(stage.loop, [&] { return left; });
    stage.runner_comes_back();
    REQUIRE(stage.heard.live_runs[0].runs.size() == 1);
    stage.berthd->send(ipc::Adopt{stage.heard.live_runs[0].runs});
    stage.end(sandbox, exited(0));
    CHECK(stage.ended(1).kind == EndKind::exited);
}

TEST_CASE("without a service manager a runner that is told to end takes its runs with it",
          "[runner]") {
    Stage stage{Stage::RootKey::there, Stage::Manager::none};
    stage.launcher_says_hello();
    auto sandbox = stage.run(stage.start(1));
    bool left = false;
    stage.runner->leave([&] { left = true; });
    CHECK(left);
    CHECK(stage.receive(sandbox.status.get()).state == Packet::State::closed);
}
