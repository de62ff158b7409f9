// Jobs over a real store and a runner that the test plays by hand.
#pragma once

#include <map>

#include "daemon/job_flow.h"
#include "daemon/manifests.h"
#include "model/limits.h"
#include "store/connections.h"
#include "store/connectors.h"
#include "store/rotations.h"
#include "tests/daemon/played_runner.h"
#include "tests/store/support.h"
#include "tests/support/run_loop.h"

namespace berth::test {

struct JobHouse {
    JobHouse()
        : store{must(make_store(dir.path(), loop))}, played{loop, dir.path() / "runner.sock"} {
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
        run_until(loop, [&] { return played.started_jobs.size() >= count; });
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

}  // namespace berth::test
