// The warm pool with the real launcher: what is parked, who gets it, and when it goes
// (sandbox.md T22, T23). What a run finds in one is in taken_test.cpp.
#include <signal.h>

#include <algorithm>
#include <set>

#include "tests/sandbox/parked.h"

using namespace berth;
using namespace berth::sandbox_test;
using ipc::Step;

TEST_CASE("a parked sandbox runs a program of the release that it is told later", "[pool]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.pool = 2}};
    CHECK(launcher.hello.pool_size == 2);
    auto parked = await_parked(launcher, 2);
    CHECK(parked[0].reply.kind.network == ipc::Network::egress);
    CHECK(parked[0].reply.slot != parked[1].reply.slot);
    CHECK(parked[0].reply.build_us > 0);
    const Ended ended = run_parked(launcher, parked[0], probe({"call", "socket-inet"}));
    CHECK_FALSE(ended.failed);
    CHECK(ended.out == "ok\n");
    REQUIRE(ended.report);
    CHECK(ended.report->wait_status == 0);
}

TEST_CASE("a parked sandbox that was taken is replaced by another one", "[pool]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.pool = 1}};  // of 8 slots
    std::set<std::uint64_t> serials;
    std::set<std::uint32_t> slots;
    for (int i = 0; i < 4; ++i) {
        Sandbox parked = launcher.await_parked();
        serials.insert(parked.reply.serial);
        slots.insert(parked.reply.slot);
        CHECK(run_parked(launcher, parked, probe({"exit", "0"})).report);
    }
    CHECK(serials.size() == 4);
    CHECK(slots.size() == 4);  // a uid rests before it is used again
}

TEST_CASE("with a pool of 0 nothing is parked", "[pool]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.pool = 0}};
    CHECK(launcher.hello.pool_size == 0);
    // The answer comes after whatever would have been parked before.
    const Sandbox built = launcher.build(egress(launcher));
    CHECK(built.reply.step == Step::none);
    CHECK(launcher.unread() == 0);
}

TEST_CASE("a class is parked once it was asked for, and one with a grant never", "[pool]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.slots = 16, .pool = 1}};
    const Sandbox first = launcher.await_parked();
    CHECK(first.reply.kind.network == ipc::Network::egress);
    ipc::BuildRequest host = launcher.request();
    host.kind.network = ipc::Network::host;
    host.kind.grants = ipc::grant_host_network;
    CHECK(launcher.build(host).reply.step == Step::none);
    CHECK(launcher.build().reply.step == Step::none);
    const Sandbox second = launcher.await_parked();
    CHECK(second.reply.kind.network == ipc::Network::none);
    CHECK(launcher.unread() == 0);
}

TEST_CASE("a burst beyond the pool is built cold, in the order it was asked for", "[pool]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.slots = 32, .pool = 2}};
    auto parked = await_parked(launcher, 2);
    std::vector<std::uint64_t> asked;
    for (int i = 0; i < 12; ++i)
        asked.push_back(launcher.ask(egress(launcher)));
    for (Sandbox& one : parked)
        CHECK(run_parked(launcher, one, probe({"exit", "0"})).report);
    std::set<std::uint32_t> slots;
    for (const std::uint64_t id : asked) {
        Sandbox sandbox = launcher.await_answer(id);
        REQUIRE(sandbox.reply.step == Step::none);
        slots.insert(sandbox.reply.slot);
        CHECK_FALSE(sandbox.start(probe({"exit", "0"})));
        sandbox.end_input();
        CHECK(sandbox.finish().report);
    }
    CHECK(slots.size() == 12);
    await_parked(launcher, 2);  // and the pool is full again
}

TEST_CASE("a burst that lasts does not starve the refill", "[pool]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.slots = 96, .pool = 1}};
    const Sandbox parked = launcher.await_parked();
    std::vector<std::uint64_t> asked;
    for (int i = 0; i < 60; ++i)
        asked.push_back(launcher.ask(launcher.request()));
    launcher.take(parked, launcher.request().assignment);  // read after all of them
    // A serial is given when a sandbox is ready, so they tell the order.
    const std::uint64_t refilled = launcher.await_parked().reply.serial;
    std::uint64_t last = 0;
    for (const std::uint64_t id : asked) {
        const Sandbox sandbox = launcher.await_answer(id);
        REQUIRE(sandbox.reply.step == Step::none);
        last = std::max(last, sandbox.reply.serial);
    }
    CHECK(refilled < last);
}

TEST_CASE("runs have precedence: parked sandboxes give their slots back", "[pool]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.slots = 4, .pool = 1}};
    Sandbox parked = launcher.await_parked();
    std::vector<Sandbox> running;
    for (int i = 0; i < 3; ++i) {
        running.push_back(launcher.build(egress(launcher)));
        REQUIRE(running.back().reply.step == Step::none);
    }
    const std::uint64_t last = launcher.ask(egress(launcher));
    const ipc::Retire retire = launcher.await_retire();
    CHECK(retire.slot == parked.reply.slot);
    CHECK(retire.serial == parked.reply.serial);
    parked = {};  // as the runner does
    CHECK(launcher.await_answer(last).reply.step == Step::none);
}

TEST_CASE("a parked sandbox that dies is replaced, and never given to a run", "[pool]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.pool = 1}};
    Sandbox dead = launcher.await_parked();
    for (const uid_t uid : {dead.reply.uid - 1, dead.reply.uid})
        for (const pid_t pid : processes_of(uid))
            ::kill(pid, SIGKILL);
    dead.await_death();
    const ipc::Retire retire = launcher.await_retire();
    CHECK(retire.serial == dead.reply.serial);
    Sandbox next = launcher.await_parked();
    CHECK(next.reply.serial != dead.reply.serial);

    launcher.take(dead, launcher.request().assignment);
    const ipc::Attached answer = launcher.await_attached();
    CHECK(answer.step == Step::slot);
    CHECK(answer.err == ESRCH);
    CHECK(run_parked(launcher, next, probe({"exit", "0"})).report);
}

TEST_CASE("SIGHUP replaces all parked sandboxes", "[pool]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.pool = 2}};
    auto old = await_parked(launcher, 2);
    ::kill(launcher.pid(), SIGHUP);
    std::set<std::uint64_t> retired;
    for (int i = 0; i < 2; ++i)
        retired.insert(launcher.await_retire().serial);
    CHECK(retired == std::set{old[0].reply.serial, old[1].reply.serial});
    // One that a run took at that moment is the run's.
    CHECK(run_parked(launcher, old[0], probe({"exit", "0"})).report);
    old.clear();
    const auto fresh = await_parked(launcher, 2);
    CHECK(retired.count(fresh[0].reply.serial) + retired.count(fresh[1].reply.serial) == 0);
}

TEST_CASE("a parked sandbox is replaced when it is too old", "[pool]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.pool = 1, .pool_age_s = 1}};
    Sandbox old = launcher.await_parked();
    CHECK(launcher.await_retire().serial == old.reply.serial);
    CHECK(launcher.await_parked().reply.serial != old.reply.serial);
}

TEST_CASE("when the runner goes, its parked sandboxes end, and the next one gets new ones",
          "[pool]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.pool = 1, .listening = true}};
    launcher.connect();
    Sandbox parked = launcher.await_parked();
    launcher.close_socket();
    parked.await_death();  // though this test still holds its sockets
    launcher.connect();
    Sandbox next = launcher.await_parked();
    CHECK(next.reply.serial != parked.reply.serial);
    CHECK(run_parked(launcher, next, probe({"exit", "0"})).report);
}

TEST_CASE("when the launcher dies, parked sandboxes end and running ones go on", "[pool]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.pool = 2}};
    auto parked = await_parked(launcher, 2);
    Sandbox& running = parked[0];
    launcher.take(running, launcher.request().assignment);
    Run cat;
    cat.argv = {"/bin/cat"};
    CHECK_FALSE(running.start(cat));
    CHECK(launcher.await_attached().step == Step::none);
    Sandbox cold = launcher.build();
    CHECK_FALSE(cold.start(cat));

    launcher.kill();
    parked[1].await_death();
    for (Sandbox* one : {&running, &cold}) {
        one->end_input();
        const Ended ended = one->finish();
        REQUIRE(ended.report);
        CHECK(ended.report->wait_status == 0);
    }
}
