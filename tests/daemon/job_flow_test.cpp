// One job: on record before it begins, answered once, lost with a reason.
#include "tests/daemon/job_house.h"

using namespace berth;
using namespace berth::test;

TEST_CASE("a job is on record before the runner has it, and its end before anybody hears of it",
          "[job_flow]") {
    JobHouse house;
    house.run(house.job());
    house.wait_started(1);
    const auto start = house.played.started_jobs.at(0);
    CHECK(start.program == "berth-oauth");
    CHECK(start.release == "hash");
    CHECK(start.env == std::vector<std::string>{"A=1"});
    CHECK(start.wall_time_s == 30);
    CHECK(start.memory_bytes == limits::kJobMemoryBytes);
    auto record = house.record(start.job);
    CHECK(record.state == JobState::running);
    CHECK(record.purpose == "refresh");
    CHECK(record.program == "berth-oauth");
    CHECK(record.connection_id == house.crm);
    CHECK(record.connector_name == "crm");
    CHECK(record.tenant_id == TenantId{1});

    house.played.say(house.end_of(start.job));
    house.wait_answers(1);
    REQUIRE(house.answers[0]);
    CHECK(house.answers[0]->job == start.job);
    CHECK(house.answers[0]->plain.at("expires_in") == "3600");
    CHECK(house.answers[0]->sealed.at("access_token") == "envelope");
    record = house.record(start.job);
    CHECK(record.state == JobState::succeeded);
    CHECK(record.log == "log\n");
    CHECK(record.user_us == 5000);
    REQUIRE(record.connections.size() == 1);
    CHECK(record.connections[0].name == "api.example.com");
    CHECK(house.played.settled_jobs.empty());  // whoever has the answer says so
    house.jobs.settled(start.job);
    run_until(house.loop, [&] { return house.played.settled_jobs.size() == 1; });
    CHECK(house.jobs.in_flight() == 0);
}

TEST_CASE("a program that does not answer is ours, with its reason on record", "[job_flow]") {
    JobHouse house;
    const auto fails = [&](ipc::JobEnded how, const std::string& why) {
        house.run(house.job());
        house.wait_started(house.answers.size() + 1);
        how.job = house.played.started_jobs.back().job;
        house.played.say(how);
        house.wait_answers(house.answers.size() + 1);
        CHECK_FAILS(house.answers.back(), FailureKind::unavailable, why);
        const auto record = house.record(how.job);
        CHECK(record.state == JobState::failed);
        CHECK(record.reason == why);
        run_until(house.loop,
                  [&] { return house.played.settled_jobs.size() == house.answers.size(); });
        CHECK(house.played.settled_jobs.back() == how.job);
    };
    ipc::JobEnded how;
    how.number = 3;
    fails(how, "it ended with exit code 3");
    how = {};
    how.text = "record 1 of the answer is missing";
    fails(how, "record 1 of the answer is missing");
    how.kind = ipc::EndKind::timed_out;
    how.number = 30;
    fails(how, "it had not ended after 30 s");
    how.kind = ipc::EndKind::setup_failed;
    how.text = "no slot";
    fails(how, "it could not be started: no slot");
}

TEST_CASE("a job of a connection that is gone is refused, and nothing starts", "[job_flow]") {
    JobHouse house;
    auto job = house.job();
    job.connection = ConnectionId{99};
    house.run(job);
    house.wait_answers(1);
    CHECK_FAILS(house.answers[0], FailureKind::not_found, "there is no connection '99'");
    CHECK(house.jobs.in_flight() == 0);
    CHECK(house.played.started_jobs.empty());
}

TEST_CASE("jobs are lost with their runner, and say so", "[job_flow]") {
    JobHouse house;
    house.run(house.job());
    house.wait_started(1);
    house.runner_comes_back({});
    house.wait_answers(1);
    CHECK_FAILS(house.answers[0], FailureKind::conflict, "was lost with the connection");
    run_until(house.loop, [&] {
        return house.record(house.played.started_jobs[0].job).state == JobState::lost;
    });
    CHECK(house.jobs.in_flight() == 0);
}

TEST_CASE("an answer that a runner kept goes to whoever takes its purpose", "[job_flow]") {
    JobHouse house;
    std::vector<std::pair<ConnectionId, JobAnswer>> taken;
    house.jobs.on_left("refresh", [&](ConnectionId connection, JobAnswer answer) {
        taken.emplace_back(connection, std::move(answer));
    });
    house.run(house.job());
    house.run(house.job("call"));
    house.wait_started(2);
    // It had only lost the connection: both jobs are there still.
    const auto refresh = house.played.started_jobs[0].job, call = house.played.started_jobs[1].job;
    house.runner_comes_back({refresh, call});
    house.wait_answers(2);
    CHECK(house.record(refresh).state == JobState::running);
    house.played.say(house.end_of(refresh));
    house.played.say(house.end_of(call));
    run_until(house.loop, [&] { return !taken.empty() && !house.played.settled_jobs.empty(); });
    REQUIRE(taken.size() == 1);
    CHECK(taken[0].first == house.crm);
    CHECK(taken[0].second.job == refresh);
    CHECK(taken[0].second.sealed.at("access_token") == "envelope");
    // The call's answer nobody waits for any more; the other one's owner has not settled yet.
    CHECK(house.played.settled_jobs == std::vector<std::uint64_t>{call});
    CHECK(house.record(call).state == JobState::succeeded);
    // Nobody knows this one: the runner need not keep it.
    house.played.say(house.end_of(4711));
    run_until(house.loop, [&] { return house.played.settled_jobs.size() == 2; });
    CHECK(house.played.settled_jobs.back() == 4711);
}

TEST_CASE("without a runner, programs or time a job is refused at once", "[job_flow]") {
    JobHouse house;
    SECTION("the runner is away") {
        house.played.leave();
        run_until(house.loop, [&] { return !house.runner.ready(); });
        house.run(house.job());
        house.wait_answers(1);
        CHECK_FAILS(house.answers[0], FailureKind::unavailable, "berth-runner is not ready");
    }
    SECTION("the programs are not there, and looked for again the next time") {
        house.programs = fail(FailureKind::not_found, "no programs");
        house.run(house.job());
        house.run(house.job());
        house.wait_answers(2);
        CHECK_FAILS(house.answers[1], FailureKind::not_found, "no programs");
        CHECK(house.programs_asked == 1);
        house.run(house.job());
        house.wait_answers(3);
        CHECK(house.programs_asked == 2);
    }
    SECTION("berthd is ending") {
        house.jobs.close();
        house.run(house.job());
        house.wait_answers(1);
        CHECK_FAILS(house.answers[0], FailureKind::unavailable, "berthd is just ending");
    }
    CHECK(house.played.started_jobs.empty());
}
