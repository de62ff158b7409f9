// Jobs over a real store and a runner that the test plays by hand.
#include "daemon/job_flow.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <map>

#include "daemon/manifests.h"
#include "model/limits.h"
#include "store/connections.h"
#include "store/connectors.h"
#include "store/rotations.h"
#include "tests/store/support.h"
#include "tests/support/run_loop.h"

using namespace berth;
using namespace berth::test;

namespace {

Fd listening(const std::filesystem::path& path) {
    Fd fd{check(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "a socket")};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    check(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "binding");
    check(::listen(fd.get(), 4), "listening");
    return fd;
}

// berth-runner's end.
class PlayedRunner {
public:
    PlayedRunner(Loop& loop, const std::filesystem::path& path)
        : loop_{loop}, listener_{listening(path)} {}

    // The next connection; it has these jobs.
    void accept(std::vector<std::uint64_t> jobs = {}) {
        Fd fd;
        run_until(loop_, [&] {
            fd = Fd{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
            return static_cast<bool>(fd);
        });
        channel_ = std::make_unique<ipc::Channel>(
            loop_, std::move(fd),
            ipc::Channel::Events{
                [this](ipc::MessageType type, std::string_view payload) { heard(type, payload); },
                [](const std::string&) {}});
        channel_->send(ipc::LiveRuns{{}, std::move(jobs)});
        ipc::RunnerHello hello;
        hello.root_key_id = "12345678";
        hello.launcher_present = true;
        channel_->send(hello);
    }
    void leave() { channel_.reset(); }
    void say(const ipc::JobEnded& ended) { channel_->send(ended); }

    std::vector<ipc::StartJob> started;
    std::vector<std::uint64_t> settled;

private:
    void heard(ipc::MessageType type, std::string_view payload) {
        if (type == ipc::MessageType::load_keys) {
            ipc::KeysLoaded loaded;
            loaded.ok = true;
            channel_->send(loaded);
        }
        if (type == ipc::MessageType::start_job)
            started.push_back(ipc::decode<ipc::StartJob>(payload).value());
        if (type == ipc::MessageType::job_settled)
            settled.push_back(ipc::decode<ipc::JobSettled>(payload)->job);
    }

    Loop& loop_;
    Fd listener_;
    std::unique_ptr<ipc::Channel> channel_;
};

struct House {
    House() : store{must(make_store(dir.path(), loop))}, played{loop, dir.path() / "runner.sock"} {
        crm = must(write_now(*store, loop, [](Db& db) -> Result<ConnectionId> {
            const Tenant tenant = add_world(db);
            must(create_connector(db, kBy, "crm", "custom"));
            must(attach_connector(db, kBy, tenant.integration_id, {"crm", false}));
            auto made = open_connection(db, kBy, {tenant.integration_id, tenant.id}, "crm");
            if (!made) return pass_on(made);
            return made->id;
        }));
        runner.connect();
        played.accept();
        ready();
    }
    void ready() {
        run_until(loop, [this] { return runner.ready(); });
    }
    // Another partner of the same tenant.
    Connection connect(const std::string& name) {
        return must(write_now(*store, loop, [&](Db& db) -> Result<Connection> {
            must(create_connector(db, kBy, name, "custom"));
            must(attach_connector(db, kBy, IntegrationId{1}, {name, false}));
            return open_connection(db, kBy, {IntegrationId{1}, TenantId{1}}, name);
        }));
    }
    // The runner is another one, which has these jobs.
    void runner_comes_back(std::vector<std::uint64_t> with) {
        played.leave();
        run_until(loop, [this] { return !runner.ready(); });
        played.accept(std::move(with));
        ready();
    }
    Job job(const std::string& purpose = "refresh") const {
        Job made;
        made.program = JobProgram::oauth;
        made.purpose = purpose;
        made.actor = "berthd";
        made.connection = crm;
        made.env = {"A=1"};
        made.egress_names = {"api.example.com"};
        return made;
    }
    void run(Job wanted) {
        jobs.run(std::move(wanted),
                 [this](Result<JobAnswer> answer) { answers.push_back(std::move(answer)); });
    }
    void wait_started(std::size_t count) {
        run_until(loop, [&] { return played.started.size() >= count; });
    }
    void wait_answers(std::size_t count) {
        run_until(loop, [&] { return answers.size() >= count; });
    }
    ipc::JobEnded end_of(std::uint64_t id) const {
        ipc::JobEnded ended;
        ended.job = id;
        ended.answer = {{"expires_in", "3600"}};
        ended.sealed = {{"access_token", "envelope"}};
        ended.log = "log\n";
        ended.user_us = 5000;
        ipc::Connection connection;
        connection.name = "api.example.com";
        connection.port = 443;
        ended.connections = {connection};
        return ended;
    }
    JobView record(std::uint64_t id) {
        return must(read_now(
            *store, loop, [id](Db& db) { return get_job(db, {static_cast<std::int64_t>(id)}); }));
    }

    TempDir dir{"job-flow"};
    Loop loop;
    FixedClock clock;
    std::unique_ptr<Store> store;
    ConnectionId crm;
    PlayedRunner played;
    RunnerLink runner{
        loop,
        dir.path() / "runner.sock",
        {[this](const ipc::RunnerHello&) {
             runner.load_keys({}, [](const Result<ipc::KeysLoaded>&) {});
         },
         [](const std::vector<ipc::RunName>&) {},
         [this](const std::string& why) { jobs.runner_gone(why); }, [](const ipc::Started&) {},
         [](const ipc::Output&) {}, [](const ipc::Connection&) {}, [](const ipc::Ended&) {},
         [this](const std::vector<std::uint64_t>& live) { jobs.live_jobs(live); },
         [this](ipc::JobEnded message) { jobs.ended(std::move(message)); }}};
    Result<std::string> programs = std::string{"hash"};
    int programs_asked = 0;
    JobFlow jobs{{loop, clock, *store, runner, [this] {
                      ++programs_asked;
                      loop.later([this] { jobs.programs_stored(programs); });
                  }}};
    std::vector<Result<JobAnswer>> answers;
};

}  // namespace

TEST_CASE("a job is on record before the runner has it, and its end before anybody hears of it",
          "[job_flow]") {
    House house;
    house.run(house.job());
    house.wait_started(1);
    const auto start = house.played.started.at(0);
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
    CHECK(house.played.settled.empty());  // whoever has the answer says so
    house.jobs.settled(start.job);
    run_until(house.loop, [&] { return house.played.settled.size() == 1; });
    CHECK(house.jobs.in_flight() == 0);
}

TEST_CASE("a program that does not answer is ours, with its reason on record", "[job_flow]") {
    House house;
    const auto fails = [&](ipc::JobEnded how, const std::string& why) {
        house.run(house.job());
        house.wait_started(house.answers.size() + 1);
        how.job = house.played.started.back().job;
        house.played.say(how);
        house.wait_answers(house.answers.size() + 1);
        CHECK_FAILS(house.answers.back(), FailureKind::unavailable, why);
        const auto record = house.record(how.job);
        CHECK(record.state == JobState::failed);
        CHECK(record.reason == why);
        run_until(house.loop, [&] { return house.played.settled.size() == house.answers.size(); });
        CHECK(house.played.settled.back() == how.job);
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

TEST_CASE("so many jobs run at once, of a connection and of the host; the others wait in order",
          "[job_flow]") {
    House house;
    for (std::size_t i = 0; i < limits::kJobsOfConnection + 2; ++i)
        house.run(house.job("number " + std::to_string(i)));
    house.wait_started(limits::kJobsOfConnection);
    CHECK(house.jobs.waiting() == 2);
    CHECK(house.jobs.in_flight() == limits::kJobsOfConnection);
    for (int i = 0; i < 2; ++i) {
        house.played.say(house.end_of(house.played.started.at(static_cast<std::size_t>(i)).job));
        house.wait_started(limits::kJobsOfConnection + static_cast<std::size_t>(i) + 1);
        CHECK(house.record(house.played.started.back().job).purpose ==
              "number " + std::to_string(limits::kJobsOfConnection + static_cast<std::size_t>(i)));
    }
    CHECK(house.jobs.waiting() == 0);
}

TEST_CASE("calls to partners who hang leave room for renewals, and these go first", "[job_flow]") {
    House house;
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
    CHECK(house.played.started.back().program == std::string{"berth-oauth"});
    CHECK(house.jobs.waiting() == waiting);
    // Nor do the calls that wait for a place get the next one before another renewal.
    for (std::size_t i = 0; i < limits::kJobsOfConnection; ++i)
        house.run(house.job("number " + std::to_string(i)));
    house.wait_started(JobSlots::kCalls + limits::kJobsOfConnection);
    CHECK(house.jobs.waiting() == waiting + 1);
    house.played.say(house.end_of(house.played.started[JobSlots::kCalls].job));
    house.wait_started(JobSlots::kCalls + limits::kJobsOfConnection + 1);
    CHECK(house.record(house.played.started.back().job).purpose == "number 3");
}

TEST_CASE("what begins with a job is done when its turn has come, and may refuse it",
          "[job_flow]") {
    House house;
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
    house.played.say(house.end_of(house.played.started[0].job));
    house.wait_started(limits::kJobsOfConnection + 1);
    CHECK(begun == 1);
    house.played.say(house.end_of(house.played.started[1].job));
    house.wait_answers(3);
    CHECK_FAILS(house.answers.back(), FailureKind::busy, "somebody else is at it");
    CHECK(begun == 2);
    CHECK(house.played.started.size() == limits::kJobsOfConnection + 1);
    CHECK(house.jobs.waiting() == 0);
}

// A rotation meanwhile may have dropped the key there was when it was asked for.
TEST_CASE("what a job answers is sealed under the key there is when its turn comes", "[job_flow]") {
    House house;
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
    house.played.say(house.end_of(house.played.started[0].job));
    house.wait_started(limits::kJobsOfConnection + 1);
    const auto seals = house.played.started.back().seal;
    REQUIRE(seals.size() == 1);
    CHECK(seals[0].where.field == "access_token");
    CHECK(seals[0].data_key.id == next.id);
    CHECK(seals[0].data_key.envelope == next.envelope);
}

TEST_CASE("too many waiting jobs are refused as busy", "[job_flow]") {
    House house;
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
    House house;
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
    CHECK(house.record(house.played.started.back().job).purpose == "of another");
    // Room for one more of the first comes with an answer.
    house.played.say(house.end_of(house.played.started[0].job));
    house.wait_answers(3);
    house.run(house.job());
    house.wait_started(JobSlots::kOfPartner + 2);
    CHECK(house.answers.size() == 3);
    CHECK(house.jobs.waiting() == JobSlots::kWaitingOfPartner);
}

TEST_CASE("a job of a connection that is gone is refused, and nothing starts", "[job_flow]") {
    House house;
    auto job = house.job();
    job.connection = ConnectionId{99};
    house.run(job);
    house.wait_answers(1);
    CHECK_FAILS(house.answers[0], FailureKind::not_found, "there is no connection '99'");
    CHECK(house.jobs.in_flight() == 0);
    CHECK(house.played.started.empty());
}

TEST_CASE("jobs are lost with their runner, and say so", "[job_flow]") {
    House house;
    house.run(house.job());
    house.wait_started(1);
    house.runner_comes_back({});
    house.wait_answers(1);
    CHECK_FAILS(house.answers[0], FailureKind::conflict, "was lost with the connection");
    run_until(house.loop,
              [&] { return house.record(house.played.started[0].job).state == JobState::lost; });
    CHECK(house.jobs.in_flight() == 0);
}

TEST_CASE("an answer that a runner kept goes to whoever takes its purpose", "[job_flow]") {
    House house;
    std::vector<std::pair<ConnectionId, JobAnswer>> taken;
    house.jobs.on_left("refresh", [&](ConnectionId connection, JobAnswer answer) {
        taken.emplace_back(connection, std::move(answer));
    });
    house.run(house.job());
    house.run(house.job("call"));
    house.wait_started(2);
    // It had only lost the connection: both jobs are there still.
    const auto refresh = house.played.started[0].job, call = house.played.started[1].job;
    house.runner_comes_back({refresh, call});
    house.wait_answers(2);
    CHECK(house.record(refresh).state == JobState::running);
    house.played.say(house.end_of(refresh));
    house.played.say(house.end_of(call));
    run_until(house.loop, [&] { return !taken.empty() && !house.played.settled.empty(); });
    REQUIRE(taken.size() == 1);
    CHECK(taken[0].first == house.crm);
    CHECK(taken[0].second.job == refresh);
    CHECK(taken[0].second.sealed.at("access_token") == "envelope");
    // The call's answer nobody waits for any more; the other one's owner has not settled yet.
    CHECK(house.played.settled == std::vector<std::uint64_t>{call});
    CHECK(house.record(call).state == JobState::succeeded);
    // Nobody knows this one: the runner need not keep it.
    house.played.say(house.end_of(4711));
    run_until(house.loop, [&] { return house.played.settled.size() == 2; });
    CHECK(house.played.settled.back() == 4711);
}

TEST_CASE("without a runner, programs or time a job is refused at once", "[job_flow]") {
    House house;
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
    CHECK(house.played.started.empty());
}
