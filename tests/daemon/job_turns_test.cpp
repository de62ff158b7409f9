// Many jobs: who waits for whom, and what is done when a turn has come.
#include "tests/daemon/job_house.h"

using namespace berth;
using namespace berth::test;

TEST_CASE("so many jobs run at once, of a connection and of the host; the others wait in order",
          "[job_flow]") {
    JobHouse house;
    for (std::size_t i = 0; i < limits::kJobsOfConnection + 2; ++i)
        house.run(house.job("number " + std::to_string(i)));
    house.wait_started(limits::kJobsOfConnection);
    CHECK(house.jobs.waiting() == 2);
    CHECK(house.jobs.in_flight() == limits::kJobsOfConnection);
    for (int i = 0; i < 2; ++i) {
        house.played.say(
            house.end_of(house.played.started_jobs.at(static_cast<std::size_t>(i)).job));
        house.wait_started(limits::kJobsOfConnection + static_cast<std::size_t>(i) + 1);
        CHECK(house.record(house.played.started_jobs.back().job).purpose ==
              "number " + std::to_string(limits::kJobsOfConnection + static_cast<std::size_t>(i)));
    }
    CHECK(house.jobs.waiting() == 0);
}

TEST_CASE("calls to partners who hang leave room for renewals, and these go first", "[job_flow]") {
    JobHouse house;
    const auto call_all = [&](const Connection& connection) {
        Job call = house.job("call");
        call.program = JobProgram::call;
        call.connection = connection.id;
        call.connector = connection.connector_id;
        for (std::size_t i = 0; i < limits::kJobsOfConnection + 2; ++i)
            house.run(call);
    };
    for (int i = 0; i < 5; ++i)
        call_all(house.connect("hangs-" + std::to_string(i)));
    house.wait_started(JobSlots::kCalls);
    CHECK(house.jobs.in_flight() == JobSlots::kCalls);
    const auto waiting = house.jobs.waiting();
    house.run(house.job());
    house.wait_started(JobSlots::kCalls + 1);
    CHECK(house.played.started_jobs.back().program == std::string{"berth-oauth"});
    CHECK(house.jobs.waiting() == waiting);
    // Nor do the calls that wait for a place get the next one before another renewal.
    for (std::size_t i = 0; i < limits::kJobsOfConnection; ++i)
        house.run(house.job("number " + std::to_string(i)));
    house.wait_started(JobSlots::kCalls + limits::kJobsOfConnection);
    CHECK(house.jobs.waiting() == waiting + 1);
    house.played.say(house.end_of(house.played.started_jobs[JobSlots::kCalls].job));
    house.wait_started(JobSlots::kCalls + limits::kJobsOfConnection + 1);
    CHECK(house.record(house.played.started_jobs.back().job).purpose == "number 3");
}

TEST_CASE("what begins with a job is done when its turn has come, and may refuse it",
          "[job_flow]") {
    JobHouse house;
    int begun = 0;
    auto last = house.job("last");
    last.begins = [&](Db&, Time now) -> Result<void> {
        CHECK(now == kNow);
        if (++begun == 1) return {};
        return fail(FailureKind::busy, "somebody else is at it");
    };
    for (std::size_t i = 0; i < limits::kJobsOfConnection; ++i)
        house.run(house.job());
    house.run(last);
    house.run(last);
    house.wait_started(limits::kJobsOfConnection);
    CHECK(begun == 0);
    house.played.say(house.end_of(house.played.started_jobs[0].job));
    house.wait_started(limits::kJobsOfConnection + 1);
    CHECK(begun == 1);
    house.played.say(house.end_of(house.played.started_jobs[1].job));
    house.wait_answers(3);
    CHECK_FAILS(house.answers.back(), FailureKind::busy, "somebody else is at it");
    CHECK(begun == 2);
    CHECK(house.played.started_jobs.size() == limits::kJobsOfConnection + 1);
    CHECK(house.jobs.waiting() == 0);
}

// A rotation meanwhile may have dropped the key there was when it was asked for.
TEST_CASE("what a job answers is sealed under the key there is when its turn comes", "[job_flow]") {
    JobHouse house;
    const KeyScope scope{KeyScope::Kind::tenant, 1};
    const auto first = must(write_now(*house.store, house.loop, [&](Db& db) -> Result<DataKeyRow> {
        must(add_kek(db, kBy, {1, fake_envelope(0)}));
        const DataKeyRow key{must(reserve_data_key_id(db)), scope, 1, fake_envelope(1)};
        must(add_data_key(db, kBy, key));
        return key;
    }));
    for (std::size_t i = 0; i < limits::kJobsOfConnection; ++i)
        house.run(house.job());
    auto late = house.job();
    late.seal = {{"access_token",
                  {scope_for_runner(scope), 1, "access_token", 1},
                  {first.id, first.envelope}}};
    house.run(late);
    house.wait_started(limits::kJobsOfConnection);
    const auto next = must(write_now(*house.store, house.loop, [&](Db& db) -> Result<DataKeyRow> {
        const DataKeyRow key{must(reserve_data_key_id(db)), scope, 1, fake_envelope(1)};
        must(succeed_data_key(db, kBy, first, key));
        return key;
    }));
    house.played.say(house.end_of(house.played.started_jobs[0].job));
    house.wait_started(limits::kJobsOfConnection + 1);
    const auto seals = house.played.started_jobs.back().seal;
    REQUIRE(seals.size() == 1);
    CHECK(seals[0].where.field == "access_token");
    CHECK(seals[0].data_key.id == next.id);
    CHECK(seals[0].data_key.envelope == next.envelope);
}

TEST_CASE("too many waiting jobs are refused as busy", "[job_flow]") {
    JobHouse house;
    const auto all = limits::kWaitingJobs + limits::kJobsOfConnection;
    for (std::size_t i = 0; i < all; ++i) {
        auto job = house.job();
        job.connector = ConnectorId{static_cast<std::int64_t>(i) + 1};
        house.run(std::move(job));
    }
    house.wait_answers(limits::kJobsOfConnection);  // before one could begin
    CHECK_FAILS(house.answers[0], FailureKind::busy, "256 wait; try again in a moment");
    CHECK(house.answers.size() == limits::kJobsOfConnection);
}

TEST_CASE("so many wait for one provider; the next is told at once, and those of others wait",
          "[job_flow]") {
    JobHouse house;
    constexpr auto kMost = JobSlots::kOfPartner + JobSlots::kWaitingOfPartner;
    for (std::size_t i = 0; i < kMost + 1; ++i)
        house.run(house.job());
    house.wait_answers(1);
    CHECK_FAILS(house.answers[0], FailureKind::over_limit,
                "20 others wait for its provider, which is slow to answer");
    house.wait_started(JobSlots::kOfPartner);
    house.run(house.job());  // those that have begun count, too
    house.wait_answers(2);
    CHECK(house.answers[1].error().kind == FailureKind::over_limit);
    const Connection other = house.connect("other");
    auto job = house.job("of another");
    job.connection = other.id;
    job.connector = other.connector_id;
    house.run(job);
    house.wait_started(JobSlots::kOfPartner + 1);
    CHECK(house.record(house.played.started_jobs.back().job).purpose == "of another");
    // Room for one more of the first comes with an answer.
    house.played.say(house.end_of(house.played.started_jobs[0].job));
    house.wait_answers(3);
    house.run(house.job());
    house.wait_started(JobSlots::kOfPartner + 2);
    CHECK(house.answers.size() == 3);
    CHECK(house.jobs.waiting() == JobSlots::kWaitingOfPartner);
}
