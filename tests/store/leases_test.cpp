// Which host may write of a live run: held, renewed, lapsed, taken over, refused.
#include "store/leases.h"

#include "store/cancels.h"
#include "store/db_sqlite.h"
#include "store/run_connections.h"
#include "store/runs.h"
#include "store/triggers.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;

namespace {

// Both of its clocks move as a test wants.
class Clocks final : public Clock {
public:
    Time now() const override { return wall; }
    SteadyTime steady() const override { return SteadyTime{booted}; }
    Time wall = kNow;
    std::chrono::microseconds booted = 1h;
};

// One store and two hosts that write to it.
struct TwoHosts {
    TwoHosts() {
        ours.write_as({"ours", "clock", &clock});
        theirs->write_as({"theirs", "clock", &clock});
        acme = add_world(ours);
    }
    Run begin() {
        const Trigger trigger = trigger_for(acme.id);
        must(accept_trigger(ours, trigger));
        const Run run =
            must(begin_run(ours, acme.id, ReleaseId{1}, RunMode::normal, {trigger.id}, kNow));
        return must(move_run(ours, run.id, 1, RunState::preparing, "", kNow));
    }

    Clocks clock;
    TestDb made = make_db();
    Db& ours = *made.db;
    std::unique_ptr<Db> theirs = connect_again(made.dir->path());
    Tenant acme;
};

std::int64_t lease_until(Db& db, RunId run) {
    return db.must("select lease_until from runs where id = $1", {run}).integer(0);
}

}  // namespace

TEST_CASE("a run is held from its first step, and by nobody once it waits again", "[store]") {
    TwoHosts two;
    const Run run = two.begin();
    CHECK(lease_until(two.ours, run.id) == std::chrono::microseconds{1h + 30s}.count());
    CHECK_FAILS(move_run(*two.theirs, run.id, 1, RunState::starting, "", kNow),
                FailureKind::conflict, "run '1' is held by host 'ours'; what host 'theirs' says");

    must(move_run(two.ours, run.id, 1, RunState::queued, "", kNow));
    must(move_run(*two.theirs, run.id, 2, RunState::preparing, "", kNow));
    CHECK_FAILS(move_run(two.ours, run.id, 2, RunState::starting, "", kNow), FailureKind::conflict,
                "run '1' is held by host 'theirs'");
}

TEST_CASE("a lease that is renewed does not lapse, whatever the wall clock does", "[store]") {
    TwoHosts two;
    const Run run = two.begin();
    for (const auto wrong : {0us, -1h + 0us, 365 * 24h + 0us, 365 * 24h * 12 + 0us}) {
        two.clock.wall = kNow + wrong;
        two.clock.booted += 29s;
        CHECK(take_lapsed_leases(*two.theirs).empty());
        CHECK(renew_leases(two.ours) == 1);
    }
    CHECK(lease_until(two.ours, run.id) ==
          (two.clock.booted + std::chrono::microseconds{kLeaseTime}).count());
    must(move_run(two.ours, run.id, 1, RunState::starting, "", kNow));
}

TEST_CASE("all live runs of a host are renewed in one statement, and no other host's", "[store]") {
    TwoHosts two;
    const Run run = two.begin();
    const Tenant other = add_tenant(two.ours, two.acme.integration_id, "other");
    const Trigger trigger = trigger_for(other.id);
    must(accept_trigger(two.ours, trigger));
    const Run foreign =
        must(begin_run(*two.theirs, other.id, ReleaseId{1}, RunMode::normal, {trigger.id}, kNow));
    must(move_run(*two.theirs, foreign.id, 1, RunState::preparing, "", kNow));

    two.clock.booted += 10s;
    const auto before = lease_until(two.ours, foreign.id);
    CHECK(renew_leases(two.ours) == 1);
    CHECK(lease_until(two.ours, foreign.id) == before);
    CHECK(lease_until(two.ours, run.id) > before);
    CHECK(own_live_runs(two.ours).size() == 1);
    CHECK(live_runs(two.ours).size() == 2);
}

TEST_CASE("a lapsed run is taken over, and whoever had it can write nothing of it", "[store]") {
    TwoHosts two;
    const Run run = two.begin();
    must(move_run(two.ours, run.id, 1, RunState::starting, "", kNow));
    two.clock.booted += 30s;
    CHECK(take_lapsed_leases(*two.theirs).empty());
    two.clock.booted += 1us;
    // Late, and nobody has come: it is still theirs who had it.
    must(move_run(two.ours, run.id, 1, RunState::running, "", kNow));
    CHECK(take_lapsed_leases(*two.theirs) == std::vector{run.id});
    CHECK(take_lapsed_leases(*two.theirs).empty());

    const char* named =
        "run '1' is held by host 'theirs'; what host 'ours' says of it no longer "
        "counts, since it did not renew its lease in time";
    CHECK_FAILS(move_run(two.ours, run.id, 1, RunState::succeeded, "", kNow), FailureKind::conflict,
                named);
    CHECK_FAILS(add_run_connections(two.ours, run.id, 1, {RunConnection{}}), FailureKind::conflict,
                named);
    CHECK(renew_leases(two.ours) == 0);
    CHECK(own_live_runs(two.ours).empty());
    must(move_run(*two.theirs, run.id, 1, RunState::failed_platform, "", kNow));
    CHECK(take_lapsed_leases(two.ours).empty());  // it has ended
}

TEST_CASE("after a restart a host has its runs again at once, also after the machine's",
          "[store]") {
    TwoHosts two;
    const Run run = two.begin();
    two.clock.booted += 24h;
    CHECK(own_live_runs(two.ours).size() == 1);
    CHECK(renew_leases(two.ours) == 1);
    // The boot clock begins anew: what is left of the old one cannot be compared.
    two.clock.booted = 1s;
    two.ours.write_as({"ours", "clock of the next boot", &two.clock});
    CHECK(own_live_runs(two.ours).size() == 1);
    CHECK(renew_leases(two.ours) == 1);
    CHECK(lease_until(two.ours, run.id) == std::chrono::microseconds{31s}.count());
    must(move_run(two.ours, run.id, 1, RunState::starting, "", kNow));
}

TEST_CASE("a host's id is made once, and its clock is the kernel's boot", "[store]") {
    const TempDir dir{"berth-store"};
    const Clocks clock;
    const LeaseHolder first = this_host(dir.path(), clock);
    const LeaseHolder again = this_host(dir.path(), clock);
    CHECK(first.host.size() == 16);
    CHECK(first.host == again.host);
    CHECK(first.clock_name == again.clock_name);
    CHECK(first.clock_name.size() == std::string_view{"boot "}.size() + 36);
    CHECK(this_host(TempDir{"berth-other"}.path(), clock).host != first.host);
}

TEST_CASE("who wanted a run to end stays on its row until it has ended", "[store]") {
    TwoHosts two;
    const Run run = two.begin();
    CHECK_FALSE(cancel_requested(two.ours, run.id));
    must(request_cancel(two.ours, {"uid 7", kNow}, run.id));
    must(request_cancel(two.ours, {"uid 8", kNow}, run.id));
    CHECK(cancel_requested(two.ours, run.id) == "uid 7");
    must(move_run(two.ours, run.id, 1, RunState::cancelled, "", kNow));
    CHECK_FAILS(request_cancel(two.ours, kBy, run.id), FailureKind::conflict,
                "run '1' has ended already: cancelled");
    CHECK_FAILS(request_cancel(two.ours, kBy, RunId{99}), FailureKind::not_found,
                "there is no run '99'");
}
