// How the runner ends a sandbox: by its pid 1, and through the launcher, so that it ends
// whatever its pid 1 does.
#include <algorithm>

#include "tests/runner/hand_played.h"
#include "tests/runner/real_programs.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using ipc::EndKind;

namespace {

// Stops pid 1 of the one sandbox that there is: it was there before the script.
void stop_init(const RealPrograms& berth) {
    const auto pids = berth.sandbox_pids();
    REQUIRE(pids.size() >= 2);
    REQUIRE(::kill(*std::ranges::min_element(pids), SIGSTOP) == 0);
}

}  // namespace

TEST_CASE("the launcher is told to kill the sandbox that a run leaves behind", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto parked = stage.park(3, 70);
    stage.berthd->send(stage.start(1));
    stage.next_take();
    stage.take_plan(parked);
    SECTION("a cancelled one") { stage.berthd->send(ipc::Cancel{1, 1}); }
    SECTION("one that berthd does not want") { stage.berthd->send(ipc::Settled{{1, 1}}); }
    SECTION("one whose release could not be mounted") {
        stage.answer_take(ipc::Step::release, EIO);
    }
    const auto kill = stage.next_kill();
    CHECK(kill.slot == 3);
    CHECK(kill.serial == 70);
}

TEST_CASE("a run that ends by itself has nothing to be killed", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto parked = stage.park(3, 70);
    stage.berthd->send(stage.start(1));
    stage.next_take();
    stage.take_plan(parked);
    stage.answer_take(ipc::Step::none, 0);
    parked.plan.reset();
    run_until(stage.loop, [&] { return !stage.heard.started.empty(); });
    stage.end(parked, 0);
    CHECK(stage.ended(1).kind == EndKind::exited);
    stage.berthd->send(stage.start(2));
    CHECK(stage.receive(stage.launcher.get()).as<ipc::BuildRequest>(ipc::Record::build));
}

TEST_CASE("a cancelled run ends, and its tree is empty, though its pid 1 does nothing any more",
          "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth;
    berth.berthd->send(berth.script(1, "echo up; exec sleep 1000"));
    berth.wait_for_output(1, "up");
    stop_init(berth);
    berth.berthd->send(ipc::Cancel{1, 1});
    const auto& ended = berth.ended(1);  // after the grace: pid 1 passed no SIGTERM on
    CHECK(ended.kind == EndKind::cancelled);
    CHECK(ended.tree_empty);
    berth.wait_for_no_sandbox_processes();
}

TEST_CASE("with the runner a sandbox dies whose pid 1 does nothing any more", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth;
    berth.berthd->send(berth.script(1, "echo up; exec sleep 1000"));
    berth.wait_for_output(1, "up");
    stop_init(berth);
    berth.runner->signal(SIGTERM);
    run_until(berth.loop, [&] { return berth.runner_status.has_value(); });
    berth.wait_for_no_sandbox_processes();
}
