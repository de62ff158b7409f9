// Parked sandboxes from the runner's side: every order of take, plan, answer and death,
// with launcher and sandboxes played by hand.
#include "tests/runner/hand_played.h"
#include "tests/runner/real_programs.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using ipc::EndKind;

namespace {
constexpr const char* kNotThere =
    "the launcher is not there; see whether berth-launcher is running";
}

TEST_CASE("a run takes the oldest parked sandbox, and sends plan and take at once", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto first = stage.park(3, 70);
    auto second = stage.park(4, 71);
    stage.berthd->send(stage.start(1));
    stage.take_plan(first);  // before the launcher has said a word
    const auto take = stage.next_take();
    CHECK(take.slot == 3);
    CHECK(take.serial == 70);
    CHECK(std::string{take.assignment.release} == "r1");
    const ipc::SandboxLimits& limits = first.header.limits;
    CHECK(limits.memory_bytes == take.assignment.limits.memory_bytes);
    CHECK(limits.open_files == take.assignment.limits.open_files);

    stage.answer_take(ipc::Step::none, 0);
    first.plan.reset();
    run_until(stage.loop, [&] { return !stage.heard.started.empty(); });
    CHECK(stage.heard.started[0].warm);
    stage.end(first, 0);
    CHECK(stage.ended(1).kind == EndKind::exited);
}

TEST_CASE("a run of another class is built cold", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto parked = stage.park(3, 70);
    auto start = stage.start(1);
    start.network = static_cast<std::uint32_t>(ipc::Network::host);
    start.grants = ipc::grant_host_network;
    auto sandbox = stage.run(start);  // a build, not a take
    CHECK_FALSE(stage.heard.started.at(0).warm);
}

TEST_CASE("a parked sandbox that has died costs the run nothing but time", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto parked = stage.park(3, 70);
    SECTION("found when the plan is sent") {
        parked.die();
        stage.berthd->send(stage.start(1));
        CHECK(stage.next_take().serial == 70);
        stage.answer_take(ipc::Step::slot, ESRCH);
    }
    SECTION("after the plan was sent, and read") {
        stage.berthd->send(stage.start(1));
        CHECK(stage.next_take().serial == 70);
        stage.take_plan(parked);
        parked.die();
        stage.answer_take(ipc::Step::slot, ESRCH);
    }
    auto sandbox = stage.reply_built(stage.next_request());
    stage.take_plan(sandbox);
    sandbox.plan.reset();
    run_until(stage.loop, [&] { return !stage.heard.started.empty(); });
    CHECK_FALSE(stage.heard.started[0].warm);
    stage.end(sandbox, 0);
    CHECK(stage.ended(1).kind == EndKind::exited);
    CHECK(stage.heard.started.size() == 1);
}

TEST_CASE("the end of a plan socket means nothing before the launcher's answer", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto parked = stage.park(3, 70);
    stage.berthd->send(stage.start(1));
    stage.next_take();
    stage.take_plan(parked);
    parked.plan.reset();
    stage.berthd->send(stage.start(2));  // after it, whatever was read is done
    const auto other = stage.next_request();
    CHECK(stage.heard.started.empty());
    stage.answer_take(ipc::Step::none, 0);
    run_until(stage.loop, [&] { return !stage.heard.started.empty(); });
    CHECK(stage.heard.started[0].run_id == 1);
    stage.reply_failed(other, ipc::Step::slot, EAGAIN);
    CHECK(stage.ended(2).kind == EndKind::setup_failed);
}

TEST_CASE("a release that could not be attached fails the run with its step", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto parked = stage.park(3, 70);
    stage.berthd->send(stage.start(1));
    stage.next_take();
    stage.answer_take(ipc::Step::release, ENOENT);
    CHECK(stage.receive(parked.status.get()).state == Packet::State::closed);
    parked.die();
    CHECK(stage.ended(1).kind == EndKind::setup_failed);
    CHECK(stage.ended(1).number == ENOENT);
    CHECK(stage.ended(1).text == "mounting the release at /app");
}

TEST_CASE("a retired sandbox is let go, one that was taken is kept", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto taken = stage.park(3, 70);
    auto parked = stage.park(4, 71);
    stage.berthd->send(stage.start(1));
    stage.next_take();
    for (const auto& [slot, serial] : {std::pair{3U, 70U}, std::pair{4U, 71U}}) {
        ipc::Retire retire;
        retire.slot = slot;
        retire.serial = serial;
        REQUIRE(runner::send_record(stage.launcher.get(), retire) == 0);
    }
    CHECK(stage.receive(parked.status.get()).state == Packet::State::closed);
    stage.answer_take(ipc::Step::none, 0);
    stage.take_plan(taken);
    taken.plan.reset();
    run_until(stage.loop, [&] { return !stage.heard.started.empty(); });
    stage.end(taken, 0);
    CHECK(stage.ended(1).kind == EndKind::exited);
}

TEST_CASE("the launcher gone between take and answer: the sandbox tells what became of it",
          "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto taken = stage.park(3, 70);
    auto parked = stage.park(4, 71);
    stage.berthd->send(stage.start(1));
    stage.next_take();
    stage.launcher.reset();
    CHECK(stage.receive(parked.status.get()).state == Packet::State::closed);
    SECTION("it had its release and runs") {
        stage.take_plan(taken);
        taken.plan.reset();
        run_until(stage.loop, [&] { return !stage.heard.started.empty(); });
        stage.end(taken, 0);
        CHECK(stage.ended(1).kind == EndKind::exited);
    }
    SECTION("it died with the launcher, its plan unread: it is asked for anew") {
        stage.await_plan(taken);
        taken.die();
        CHECK(stage.ended(1).kind == EndKind::setup_failed);
        CHECK(stage.ended(1).text == kNotThere);
        CHECK(stage.heard.started.empty());  // nothing was executed
    }
}

TEST_CASE("a launcher that is killed between take and answer: nothing runs, and nothing is said to",
          "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth{{}, RealPrograms::HostNetwork::refused, 2};
    // Its class is parked after the first run, beside the one that always is.
    CHECK(berth.run(berth.script(1, "exit 0")).kind == EndKind::exited);
    run_until(berth.loop,
              [&] { return !berth.heard.pools.empty() && berth.heard.pools.back().parked == 4; });
    berth.heard.started.clear();
    berth.launcher->signal(SIGSTOP);
    for (std::int64_t run = 2; run <= 3; ++run) {
        auto start = berth.script(run, "exit 0");
        start.memory_bytes /= 2;  // not like run 1: none is complete for it
        berth.berthd->send(start);
    }
    (void)berth.sealed_secret("KEY", "after it the starts were read");
    berth.launcher->signal(SIGKILL);
    for (std::int64_t run = 2; run <= 3; ++run) {
        const auto& ended = berth.ended(run);
        CHECK(ended.kind == EndKind::setup_failed);
        CHECK(ended.text == kNotThere);
    }
    CHECK(berth.heard.started.empty());
    berth.wait_for_no_sandbox_processes();
}

TEST_CASE("a cancelled run gives its parked sandbox up, before and after the answer", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto parked = stage.park(3, 70);
    stage.berthd->send(stage.start(1));
    stage.next_take();
    ipc::Cancel cancel;
    cancel.run_id = 1;
    cancel.attempt = 1;
    stage.berthd->send(cancel);
    CHECK(stage.receive(parked.status.get()).state == Packet::State::closed);
    stage.answer_take(ipc::Step::none, 0);
    parked.die();
    CHECK(stage.ended(1).kind == EndKind::cancelled);
    CHECK(stage.heard.started.empty());
}

TEST_CASE("berthd hears how the pool does", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto parked = stage.park(3, 70);
    run_until(stage.loop, [&] { return !stage.heard.pools.empty(); });
    CHECK(stage.heard.pools.back().size == 2);
    CHECK(stage.heard.pools.back().parked == 1);
    CHECK(stage.heard.pools.back().build_total_us == 1500);
    stage.berthd->send(stage.start(1));
    stage.next_take();
    stage.answer_take(ipc::Step::none, 0);
    stage.berthd->send(stage.start(2));
    stage.reply_failed(stage.next_request(), ipc::Step::slot, EAGAIN);
    run_until(stage.loop, [&] { return stage.heard.pools.back().misses == 1; });
    CHECK(stage.heard.pools.back().hits == 1);
    CHECK(stage.heard.pools.back().parked == 0);
}

TEST_CASE("an answer to a take that was not made cuts the launcher off", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    stage.answer_take(ipc::Step::none, 0);
    run_until(stage.loop, [&] { return !stage.heard.hellos.back().launcher_present; });
}

TEST_CASE("runs with a pool end as they do without, and say that they were warm", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth{{}, RealPrograms::HostNetwork::refused, 2};
    // The first one makes its class known, so those after it find it parked.
    for (int run = 1;; ++run) {
        REQUIRE(run < 200);
        const auto& ended = berth.run(berth.script(run, "echo $((6 * 7)); exit 3"));
        CHECK(ended.kind == EndKind::exited);
        CHECK(ended.number == 3);
        CHECK(berth.out(run) == "42\n");
        if (berth.heard.started.back().warm) break;
    }
}
