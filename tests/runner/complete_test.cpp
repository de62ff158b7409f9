// Sandboxes that are complete before their run asks for them: hand-played in every order
// of wish, answer and death, and with the real programs.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "tests/runner/hand_played.h"
#include "tests/runner/real_programs.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using ipc::EndKind;

namespace {

// After run 1, which took the sandbox with serial 70, the one with 71 becomes complete: the
// launcher was asked for its release, and has answered.
struct Completed : Stage {
    Completed() {
        berthd->send(start(1));
        CHECK(next_take().serial == 70);
        answer_take(ipc::Step::none, 0);
        take_plan(first);
        first.plan.reset();
        run_until(loop, [&] { return heard.started.size() == 1; });
        CHECK(next_take().serial == 71);  // of no run
        answer_take(ipc::Step::none, 0);
        run_until(loop, [&] { return pool().complete == 1; });
        end(first, 0);
        CHECK(ended(1).kind == EndKind::exited);
        heard.started.clear();
    }
    ipc::Pool pool() const { return heard.pools.empty() ? ipc::Pool{} : heard.pools.back(); }
    void let_go(std::uint32_t count) {
        ipc::Retire retire;
        retire.complete = count;
        REQUIRE(runner::send_record(launcher.get(), retire) == 0);
    }
    PlayedSandbox first = (launcher_says_hello(), park(3, 70));
    PlayedSandbox complete = park(4, 71);
    PlayedSandbox spare = park(5, 72);
};

// The pid that a process of a sandbox has in it.
int number_inside(pid_t pid) {
    std::ifstream status{fmt::format("/proc/{}/status", pid)};
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("NSpid:")) return std::stoi(line.substr(line.rfind('\t')));
    return 0;
}

}  // namespace

TEST_CASE("a run that finds its sandbox complete asks the launcher for nothing", "[runner]") {
    Completed stage;
    stage.berthd->send(stage.start(2));
    stage.take_plan(stage.complete);
    stage.complete.plan.reset();
    run_until(stage.loop, [&] { return !stage.heard.started.empty(); });  // with no answer
    CHECK(stage.heard.started[0].warm);
    stage.end(stage.complete, 0);
    CHECK(stage.ended(2).kind == EndKind::exited);
    run_until(stage.loop, [&] { return stage.pool().complete_hits == 1; });
    CHECK(stage.pool().hits == 2);
    CHECK(stage.pool().misses == 0);
}

TEST_CASE("a run with another request does not get it", "[runner]") {
    Completed stage;
    auto other = stage.start(2);
    other.memory_bytes /= 2;
    stage.berthd->send(other);
    CHECK(stage.next_take().serial == 72);
    stage.answer_take(ipc::Step::none, 0);
    stage.take_plan(stage.spare);
    stage.spare.plan.reset();
    run_until(stage.loop, [&] { return !stage.heard.started.empty(); });
    stage.end(stage.spare, 0);
    CHECK(stage.ended(2).kind == EndKind::exited);
}

TEST_CASE("a complete sandbox that dies with the plan unread costs the run nothing but time",
          "[runner]") {
    Completed stage;
    stage.berthd->send(stage.start(2));
    stage.await_plan(stage.complete);  // and leaves it unread
    stage.complete.die();
    auto sandbox = stage.reply_built(stage.next_request());
    stage.take_plan(sandbox);
    sandbox.plan.reset();
    run_until(stage.loop, [&] { return !stage.heard.started.empty(); });
    CHECK_FALSE(stage.heard.started[0].warm);
    stage.end(sandbox, 0);
    CHECK(stage.ended(2).kind == EndKind::exited);
    CHECK(stage.heard.started.size() == 1);
}

TEST_CASE("a complete sandbox that dies is replaced before a run asks for it", "[runner]") {
    Completed stage;
    stage.complete.die();
    run_until(stage.loop, [&] { return stage.pool().complete == 0; });
    CHECK(stage.pool().parked == 1);  // the last one is for runs of any request
    auto another = stage.park(6, 73);
    CHECK(stage.next_take().serial == 72);
    stage.answer_take(ipc::Step::none, 0);
    run_until(stage.loop, [&] { return stage.pool().complete == 1; });
    stage.berthd->send(stage.start(2));
    stage.take_plan(stage.spare);
    stage.spare.plan.reset();
    run_until(stage.loop, [&] { return !stage.heard.started.empty(); });
    CHECK(stage.heard.started[0].warm);
    stage.end(stage.spare, 0);
    CHECK(stage.ended(2).kind == EndKind::exited);
}

TEST_CASE("a sandbox that took its plan is never repeated, however soon it ends", "[runner]") {
    Completed stage;
    stage.berthd->send(stage.start(2));
    stage.take_plan(stage.complete);
    stage.complete.die();
    CHECK(stage.ended(2).kind == EndKind::lost);
    CHECK(stage.heard.started.size() == 1);
}

TEST_CASE("complete sandboxes are let go when the launcher needs their slots, or goes",
          "[runner]") {
    Completed stage;
    SECTION("one of them") { stage.let_go(1); }
    SECTION("all of them") { stage.let_go(8); }
    SECTION("it goes") { stage.launcher.reset(); }
    CHECK(stage.receive(stage.complete.status.get()).state == Packet::State::closed);
    CHECK(stage.receive(stage.complete.plan.get()).state == Packet::State::closed);
}

TEST_CASE("one that is being completed is let go too", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto first = stage.park(3, 70);
    auto complete = stage.park(4, 71);
    auto spare = stage.park(5, 72);
    stage.berthd->send(stage.start(1));
    CHECK(stage.next_take().serial == 70);
    stage.answer_take(ipc::Step::none, 0);
    CHECK(stage.next_take().serial == 71);
    ipc::Retire retire;
    retire.complete = 8;
    REQUIRE(runner::send_record(stage.launcher.get(), retire) == 0);
    CHECK(stage.receive(complete.status.get()).state == Packet::State::closed);
    stage.answer_take(ipc::Step::none, 0);
    stage.berthd->send(stage.start(2));
    CHECK(stage.next_take().serial == 72);
}

TEST_CASE("one whose release could not be mounted is no run's", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto first = stage.park(3, 70);
    auto complete = stage.park(4, 71);
    auto spare = stage.park(5, 72);
    stage.berthd->send(stage.start(1));
    CHECK(stage.next_take().serial == 70);
    stage.answer_take(ipc::Step::none, 0);
    CHECK(stage.next_take().serial == 71);
    stage.answer_take(ipc::Step::release, ENOENT);
    CHECK(stage.receive(complete.status.get()).state == Packet::State::closed);
    CHECK_FALSE(stage.heard.ended.contains(1));
}

TEST_CASE("the last parked ones of a class stay for runs of any request", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();  // parks 2 of a class
    auto first = stage.park(3, 70);
    auto last = stage.park(4, 71);
    stage.berthd->send(stage.start(1));
    CHECK(stage.next_take().serial == 70);
    stage.answer_take(ipc::Step::none, 0);
    auto other = stage.park(5, 72);  // now there are two, and one may be completed
    CHECK(stage.next_take().serial == 71);
    stage.answer_take(ipc::Step::none, 0);
}

TEST_CASE("the second run of a script begins in a complete sandbox, and ends as the first",
          "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth{{}, RealPrograms::HostNetwork::refused, 2};
    std::ofstream{berth.release() / "greeting"} << "hello\n";
    const auto complete = [&] {
        run_until(berth.loop,
                  [&] { return !berth.heard.pools.empty() && berth.heard.pools.back().complete; });
    };
    CHECK(berth.run(berth.script(1, "exit 0")).kind == EndKind::exited);
    complete();
    const auto& ended = berth.run(berth.script(2, "cat greeting; exit 3"));
    CHECK(ended.kind == EndKind::exited);
    CHECK(ended.number == 3);
    CHECK(berth.out(2) == "hello\n");
    CHECK(berth.heard.started.back().warm);
    run_until(berth.loop, [&] { return berth.heard.pools.back().complete_hits == 1; });
}

TEST_CASE(
    "a complete sandbox shows its release, holds nothing of a run, and dies with both daemons",
    "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth{{}, RealPrograms::HostNetwork::refused, 2};
    CHECK(berth.run(berth.script(1, "echo x > /tmp/left; exit 0")).kind == EndKind::exited);
    run_until(berth.loop,
              [&] { return !berth.heard.pools.empty() && berth.heard.pools.back().complete; });
    SECTION("with the launcher, when the runner sees it") { berth.launcher->signal(SIGKILL); }
    SECTION("with the runner") { berth.runner->signal(SIGKILL); }
    berth.wait_for_no_sandbox_processes();
}

TEST_CASE("a complete sandbox that is killed has a successor, in which the next run begins",
          "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    constexpr unsigned kPool = 2;
    RealPrograms berth{{}, RealPrograms::HostNetwork::refused, kPool};
    std::ofstream{berth.release() / "greeting"} << "hello\n";
    CHECK(berth.run(berth.script(1, "exit 0")).kind == EndKind::exited);
    // Two classes are parked; the runner tells of them now and then only.
    const auto await_pool_built = [&](std::uint64_t at_least) {
        run_until(berth.loop, [&] {
            if (berth.heard.pools.empty()) return false;
            const auto& pool = berth.heard.pools.back();
            return pool.parked == 2 * kPool && pool.complete == 1 && pool.built >= at_least;
        });
        return berth.heard.pools.back().built;
    };
    const auto built = await_pool_built(0);
    int victim = 0;
    SECTION("its pid 1") { victim = 1; }
    SECTION("its pid 2") { victim = 2; }
    // Only a complete one shows the release.
    for (const pid_t pid : berth.sandbox_pids())
        if (number_inside(pid) == victim &&
            std::filesystem::exists(fmt::format("/proc/{}/root/app/greeting", pid)))
            REQUIRE(::kill(pid, SIGKILL) == 0);
    (void)await_pool_built(built + 1);
    CHECK(berth.run(berth.script(2, "cat greeting")).kind == EndKind::exited);
    CHECK(berth.out(2) == "hello\n");
    run_until(berth.loop, [&] { return berth.heard.pools.back().complete_hits == 1; });
}

TEST_CASE("a run in a complete sandbox outlives the launcher", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth{{}, RealPrograms::HostNetwork::refused, 2};
    CHECK(berth.run(berth.script(1, "exit 0")).kind == EndKind::exited);
    run_until(berth.loop,
              [&] { return !berth.heard.pools.empty() && berth.heard.pools.back().complete; });
    berth.launcher->signal(SIGSTOP);  // it has no part in the start
    berth.berthd->send(
        berth.script(2, "echo begun; trap 'exit 7' TERM; while :; do sleep 1; done"));
    berth.wait_for_output(2, "begun");
    berth.launcher->signal(SIGKILL);
    run_until(berth.loop, [&] { return !berth.heard.hellos.back().launcher_present; });
    ipc::Cancel cancel;
    cancel.run_id = 2;
    cancel.attempt = 1;
    berth.berthd->send(cancel);
    CHECK(berth.ended(2).kind == EndKind::cancelled);
    berth.wait_for_no_sandbox_processes();
}
